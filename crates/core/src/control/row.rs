//! Rows of the control group: their keys and versioned values.

use eunoe_types::{
    BootId, DecodeError, Decoder, Encoder, ErasureId, Incarnation, Kid, NodeId, Realm, TimeMs, limits,
};

use super::command::PageName;
use crate::{FORMAT, known_format, table};

/// Bytes of an address or site.
const PLACE_BYTES_MAX: usize = 256;

/// What genesis fixed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenesisRow {
    /// Identity of the data.
    pub realm: Realm,
    /// Which life of the data this is.
    pub incarnation: Incarnation,
    /// Depth of the key trees.
    pub levels: u8,
    /// Number of data groups.
    pub data_groups: u32,
    /// When the realm began.
    pub created: TimeMs,
    /// Ed25519 public key that the transparency log's checkpoints are signed with.
    pub log_key: [u8; 32],
}

/// Where a node is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// It may be talked to.
    Admitted,
    /// As that, but it is about to be removed: it is given no share of a root that is made now.
    Leaving,
    /// Gone for good.
    Removed,
}

impl NodeState {
    /// Whether it may be talked to.
    pub fn is_admitted(self) -> bool {
        self != Self::Removed
    }
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRow {
    /// Unique for ever.
    pub id: NodeId,
    /// Host and port for clients.
    pub client_address: String,
    /// Host and port for peers.
    pub peer_address: String,
    /// SHA-256 of the public key that it must show.
    pub spki_sha256: [u8; 32],
    /// Where it says it stands: a [`Site`](crate::placement::Site) in its one spelling.
    pub site: String,
    /// Where it is in its life.
    pub state: NodeState,
}

/// Where a key is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// In use.
    Active,
    /// Not to be used any more. The current root still leads to it.
    Fenced {
        /// By which erasure.
        erasure: ErasureId,
        /// Where the fence is in the log.
        index: u64,
    },
    /// The current root does not lead to it any more.
    Erased {
        /// The last epoch whose root did.
        epoch: u64,
    },
}

/// A key by its kid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyStateRow {
    /// What its death erases, as the crypto crate numbers it.
    pub kind: u8,
    /// Its state.
    pub state: KeyState,
    /// The key that it dies with: a subject's and a bucket's with their tenant, a conversation's with its principal
    /// or, without one, with its tenant.
    pub parent: Option<Kid>,
    /// Public commitment to whom it belongs.
    pub commit: [u8; 32],
    /// Public commitment to the key.
    pub key_commit: [u8; 32],
    /// Which leaf of the transparency log says that it was created.
    pub created_leaf: u64,
}

impl GenesisRow {
    pub(super) fn key() -> Vec<u8> {
        table::key(table::GENESIS, &[])
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::with_capacity(96);
        e.u8(FORMAT)
            .fixed(&self.realm.0)
            .varint(u64::from(self.incarnation.0))
            .u8(self.levels);
        e.varint(u64::from(self.data_groups)).varint(self.created.0);
        e.fixed(&self.log_key);
        e.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes);
        known_format(&mut d)?;
        let row = Self {
            realm: Realm(d.array()?),
            incarnation: Incarnation(d.varint_u32()?),
            levels: d.u8()?,
            data_groups: d.varint_u32()?,
            created: TimeMs(d.varint()?),
            log_key: d.array()?,
        };
        d.finish()?;
        Ok(row)
    }
}

impl NodeRow {
    /// Whether it is the same node at the same place, whatever its state.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        let state = self.state;
        *self
            == Self {
                state,
                ..other.clone()
            }
    }

    pub(super) fn key(id: NodeId) -> Vec<u8> {
        table::key(table::NODE, &[&id.0.to_be_bytes()])
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::with_capacity(128);
        self.encode_into(e.u8(FORMAT));
        e.finish()
    }

    pub(super) fn encode_into(&self, e: &mut Encoder) {
        e.varint(self.id.0)
            .text(&self.client_address)
            .text(&self.peer_address)
            .fixed(&self.spki_sha256);
        e.text(&self.site).u8(match self.state {
            NodeState::Admitted => 1,
            NodeState::Removed => 2,
            NodeState::Leaving => 3,
        });
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes);
        known_format(&mut d)?;
        let row = Self::decode_from(&mut d)?;
        d.finish()?;
        Ok(row)
    }

    pub(super) fn decode_from(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let place = |d: &mut Decoder<'_>| match d.text()? {
            text if text.len() <= PLACE_BYTES_MAX => Ok(text.to_owned()),
            _ => Err(DecodeError::Range),
        };
        Ok(Self {
            id: NodeId(d.varint()?),
            client_address: place(d)?,
            peer_address: place(d)?,
            spki_sha256: d.array()?,
            site: place(d)?,
            state: match d.u8()? {
                1 => NodeState::Admitted,
                2 => NodeState::Removed,
                3 => NodeState::Leaving,
                unknown => return Err(DecodeError::UnknownTag(unknown)),
            },
        })
    }
}

impl KeyStateRow {
    pub(super) fn key(kid: &Kid) -> Vec<u8> {
        table::key(table::KEY_STATE, &[kid.as_bytes()])
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::with_capacity(112);
        e.u8(FORMAT).u8(self.kind);
        match &self.state {
            KeyState::Active => e.u8(1),
            KeyState::Fenced { erasure, index } => e.u8(2).fixed(&erasure.0).varint(*index),
            KeyState::Erased { epoch } => e.u8(3).varint(*epoch),
        };
        match &self.parent {
            None => e.u8(0),
            Some(parent) => e.u8(1).fixed(parent.as_bytes()),
        };
        e.fixed(&self.commit).fixed(&self.key_commit);
        e.varint(self.created_leaf);
        e.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes);
        known_format(&mut d)?;
        let kind = d.u8()?;
        let state = match d.u8()? {
            1 => KeyState::Active,
            2 => KeyState::Fenced {
                erasure: ErasureId(d.array()?),
                index: d.varint()?,
            },
            3 => KeyState::Erased { epoch: d.varint()? },
            unknown => return Err(DecodeError::UnknownTag(unknown)),
        };
        let row = Self {
            kind,
            state,
            parent: optional_kid(&mut d)?,
            commit: d.array()?,
            key_commit: d.array()?,
            created_leaf: d.varint()?,
        };
        d.finish()?;
        Ok(row)
    }
}

/// A kid, or that there is none.
pub(super) fn optional_kid(d: &mut Decoder<'_>) -> Result<Option<Kid>, DecodeError> {
    match d.u8()? {
        0 => Ok(None),
        1 => Ok(Some(Kid(d.array()?))),
        unknown => Err(DecodeError::UnknownTag(unknown)),
    }
}

pub(super) fn page_key(name: PageName) -> Vec<u8> {
    table::key(
        table::PAGE,
        &[&[name.tree, name.level], &name.index.to_be_bytes()],
    )
}

pub(super) fn staged_page_key(name: PageName) -> Vec<u8> {
    table::key(
        table::STAGED_PAGE,
        &[&[name.tree, name.level], &name.index.to_be_bytes()],
    )
}

pub(super) fn leaf_row_key(tree: u8, page: u32, generation: u32, tag: &[u8; 16]) -> Vec<u8> {
    [&leaf_rows_prefix(tree, page, generation), &tag[..]].concat()
}

/// What the rows of one generation of a leaf page begin with.
pub(super) fn leaf_rows_prefix(tree: u8, page: u32, generation: u32) -> Vec<u8> {
    table::key(
        table::LEAF_ROW,
        &[&[tree], &page.to_be_bytes(), &generation.to_be_bytes()],
    )
}

pub(super) fn page_generation_key(tree: u8, page: u32) -> Vec<u8> {
    table::key(table::PAGE_GENERATION, &[&[tree], &page.to_be_bytes()])
}

pub(super) fn ram_set_key(epoch: u64, node: NodeId, boot: &BootId) -> Vec<u8> {
    table::key(
        table::RAM_SET,
        &[&epoch.to_be_bytes(), &node.0.to_be_bytes(), boot.as_bytes()],
    )
}

/// All processes that were given the root of an epoch.
pub(super) fn ram_set_prefix(epoch: u64) -> Vec<u8> {
    table::key(table::RAM_SET, &[&epoch.to_be_bytes()])
}

/// The node in a key of that table.
pub(super) fn ram_set_node(key: &[u8]) -> Result<NodeId, DecodeError> {
    let node = key.get(9..17).and_then(|node| node.try_into().ok());
    Ok(NodeId(u64::from_be_bytes(node.ok_or(DecodeError::Truncated)?)))
}

pub(super) fn event_key(index: u64) -> Vec<u8> {
    table::key(table::EVENT, &[&index.to_be_bytes()])
}

/// A complete subtree of the transparency log.
pub(super) fn log_tree_key(level: u32, index: u64) -> Vec<u8> {
    table::key(table::LOG_TREE, &[&level.to_be_bytes(), &index.to_be_bytes()])
}

/// That a leaf is an event of the cluster, not of one key.
pub(super) fn cluster_event_key(index: u64) -> Vec<u8> {
    table::key(table::CLUSTER_EVENT, &[&index.to_be_bytes()])
}

/// Which leaf began an epoch.
pub(super) fn epoch_event_key(epoch: u64) -> Vec<u8> {
    table::key(table::EPOCH_EVENT, &[&epoch.to_be_bytes()])
}

pub(super) fn frontier_key() -> Vec<u8> {
    table::key(table::FRONTIER, &[])
}

pub(super) fn version_key() -> Vec<u8> {
    table::key(table::VERSION, &[])
}

/// At most so many nodes are listed, removed ones included.
pub(super) const NODES_MAX: usize = 10 * limits::PAGE_MAX;
