//! What can be proposed to the control group. No root, no share, no key and no reference is ever in it.

use eunoe_types::{BootId, DecodeError, Decoder, Encoder, ErasureId, Kid, NodeId, Realm, TimeMs, limits};

use super::epoch_command::{
    AttestDestroyed, BeginEpoch, Decommission, EpochChunk, LeaseOver, RegisterKeys, ShareEpoch, SwitchEpoch,
    VaultRolledBack, VerifyEpoch,
};
use super::erasure_command::{CancelErasure, RequestErasure};
use super::root_row::{MadeRoot, Sharing};
use super::row::{NodeRow, optional_kid};
use crate::FORMAT;
use crate::placement::Policy;

/// Pages of one command.
const PAGES_MAX: usize = 1_024;
/// Rows that one key brings: its record and its index row.
const ROWS_OF_KEY_MAX: usize = 2;

/// One command.
#[derive(Clone, Debug, PartialEq)]
pub enum Command<'a> {
    /// Stages interior pages of the key trees for a genesis.
    StagePages {
        /// Which attempt at a genesis they belong to.
        attempt: u64,
        /// The pages.
        pages: Vec<Page<'a>>,
    },
    /// Begins the realm, once.
    Genesis(Genesis),
    /// Creates keys that do not exist yet. Each key has its own outcome.
    CreateKeys {
        /// When, as the proposer saw it.
        time: TimeMs,
        /// The keys.
        keys: Vec<NewKey<'a>>,
    },
    /// Admits a node under an id that was never used, at a site that the placement policy allows.
    AdmitNode {
        /// When, as the proposer saw it.
        time: TimeMs,
        /// The node.
        node: NodeRow,
    },
    /// Gives a node no share of roots that are made from now on: it is about to be removed.
    LetLeave(NodeId),
    /// Takes a node out for good.
    RemoveNode(NodeId),
    /// Records that a process is about to be given the root, before it is given.
    GrantRoot {
        /// The node.
        node: NodeId,
        /// The run of its process.
        boot: BootId,
        /// The root's epoch.
        epoch: u64,
    },
    /// Raises the cluster version: from here on its commands may be used.
    RaiseVersion(u32),
    /// Fences a key, or records that a first person asks for it.
    RequestErasure(RequestErasure),
    /// Fences some more keys below a fenced one, or takes some more of an erasure back.
    ExpandErasure(ErasureId),
    /// Begins an attempt at the next epoch; an earlier attempt is over with that.
    BeginEpoch(BeginEpoch),
    /// Stages a part of what the attempt made.
    EpochChunk(EpochChunk<'a>),
    /// Makes the attempt's root the current one.
    SwitchEpoch(SwitchEpoch),
    /// Gives the attempt up.
    AbortEpoch {
        /// Which.
        attempt: u32,
    },
    /// A node says that it destroyed the roots before an epoch's.
    AttestDestroyed(AttestDestroyed),
    /// Deletes some rows of replaced leaf pages.
    Sweep,
    /// Takes an erasure back whose keys are all still there.
    CancelErasure(CancelErasure),
    /// Says what commits to the attempt's root, and who keeps shares of it.
    ShareEpoch(ShareEpoch),
    /// A node says that it found the attempt right.
    VerifyEpoch(VerifyEpoch),
    /// The leader says that the lease of a process is over.
    LeaseOver(LeaseOver),
    /// Takes a removed node's shares and memory for gone, on evidence.
    Decommission(Decommission),
    /// A node says that a share came back into its vault.
    VaultRolledBack(VaultRolledBack),
    /// Forbids everybody to hold a root, or allows it again.
    Seal(bool),
    /// A node says what others check its signatures with.
    RegisterKeys(RegisterKeys),
}

/// The name of an interior page of a key tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageName {
    /// Tree, as the crypto crate numbers them.
    pub tree: u8,
    /// Level, 0 at the top.
    pub level: u8,
    /// Position on the level.
    pub index: u32,
}

/// A sealed page.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<'a> {
    /// Its name.
    pub name: PageName,
    /// Its content.
    pub sealed: &'a [u8],
}

/// The beginning of a realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// Identity of the data.
    pub realm: Realm,
    /// Which attempt's pages it takes.
    pub attempt: u64,
    /// The names of all staged pages that it needs, in order.
    pub pages: Vec<PageName>,
    /// Depth of the key trees.
    pub levels: u8,
    /// How the root is shared: every holder keeps its share already.
    pub sharing: Sharing,
    /// Public commitments to the root.
    pub made: MadeRoot,
    /// The process that made the root, and had it in memory.
    pub founder: (NodeId, BootId),
    /// Number of data groups, for ever.
    pub data_groups: u32,
    /// When, as the proposer saw it.
    pub time: TimeMs,
    /// The first nodes.
    pub nodes: Vec<NodeRow>,
    /// Where nodes may stand.
    pub policy: Policy,
    /// Ed25519 public key that the transparency log's checkpoints are signed with.
    pub log_key: [u8; 32],
}

/// A key to create.
#[derive(Clone, Debug, PartialEq)]
pub struct NewKey<'a> {
    /// Its name.
    pub kid: Kid,
    /// What its death erases, as the crypto crate numbers it.
    pub kind: u8,
    /// The key that it dies with.
    pub parent: Option<Kid>,
    /// Public commitment to whom it belongs, blinded.
    pub commit: [u8; 32],
    /// Public commitment to the key.
    pub key_commit: [u8; 32],
    /// The epoch that it was prepared in. Places of its name that were taken then may be free in a later one, so that
    /// two keys could get one name.
    pub epoch: u64,
    /// How often keys had come back when it was prepared: one of them may be of its name.
    pub returns: u64,
    /// Its sealed record and index row.
    pub rows: Vec<NewRow<'a>>,
}

/// A row of a key tree.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRow<'a> {
    /// Tree, as the crypto crate numbers them.
    pub tree: u8,
    /// Leaf page.
    pub page: u32,
    /// The page's generation that the row was sealed for; a stale one is refused (erasure.md R12).
    pub generation: u32,
    /// What the row is filed under.
    pub tag: [u8; 16],
    /// The sealed record.
    pub sealed: &'a [u8],
}

impl<'a> Command<'a> {
    /// The command's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::with_capacity(512);
        e.u8(FORMAT);
        match self {
            Self::StagePages { attempt, pages } => {
                e.u8(1).varint(*attempt).varint(pages.len() as u64);
                pages.iter().for_each(|page| page.encode(&mut e));
            }
            Self::Genesis(genesis) => genesis.encode(e.u8(2)),
            Self::CreateKeys { time, keys } => {
                e.u8(3).varint(time.0).varint(keys.len() as u64);
                keys.iter().for_each(|key| key.encode(&mut e));
            }
            Self::AdmitNode { time, node } => node.encode_into(e.u8(4).varint(time.0)),
            Self::RemoveNode(node) => {
                e.u8(5).varint(node.0);
            }
            Self::GrantRoot { node, boot, epoch } => {
                e.u8(6).varint(node.0).fixed(boot.as_bytes()).varint(*epoch);
            }
            Self::RaiseVersion(version) => {
                e.u8(7).varint(u64::from(*version));
            }
            Self::RequestErasure(request) => request.encode(e.u8(8)),
            Self::ExpandErasure(id) => {
                e.u8(9).fixed(id.as_bytes());
            }
            Self::BeginEpoch(begin) => begin.encode(e.u8(10)),
            Self::EpochChunk(chunk) => chunk.encode(e.u8(11)),
            Self::SwitchEpoch(switch) => switch.encode(e.u8(12)),
            Self::AbortEpoch { attempt } => {
                e.u8(13).varint(u64::from(*attempt));
            }
            Self::AttestDestroyed(attest) => attest.encode(e.u8(14)),
            Self::Sweep => {
                e.u8(15);
            }
            Self::CancelErasure(cancel) => cancel.encode(e.u8(16)),
            Self::LetLeave(node) => {
                e.u8(17).varint(node.0);
            }
            Self::ShareEpoch(share) => share.encode(e.u8(20)),
            Self::VerifyEpoch(verify) => verify.encode(e.u8(21)),
            Self::LeaseOver(over) => over.encode(e.u8(22)),
            Self::Decommission(decommission) => decommission.encode(e.u8(23)),
            Self::VaultRolledBack(rolled_back) => rolled_back.encode(e.u8(24)),
            Self::Seal(sealed) => {
                e.u8(25).u8(u8::from(*sealed));
            }
            Self::RegisterKeys(keys) => keys.encode(e.u8(26)),
        }
        e.finish()
    }

    /// Reads a command.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes);
        crate::known_format(&mut d)?;
        let command = match d.u8()? {
            1 => Self::StagePages {
                attempt: d.varint()?,
                pages: list(&mut d, PAGES_MAX, Page::decode)?,
            },
            2 => Self::Genesis(Genesis::decode(&mut d)?),
            3 => Self::CreateKeys {
                time: TimeMs(d.varint()?),
                keys: list(&mut d, limits::COMMAND_OPERATIONS_MAX, NewKey::decode)?,
            },
            4 => Self::AdmitNode {
                time: TimeMs(d.varint()?),
                node: NodeRow::decode_from(&mut d)?,
            },
            5 => Self::RemoveNode(NodeId(d.varint()?)),
            6 => Self::GrantRoot {
                node: NodeId(d.varint()?),
                boot: BootId(d.array()?),
                epoch: d.varint()?,
            },
            7 => Self::RaiseVersion(d.varint_u32()?),
            8 => Self::RequestErasure(RequestErasure::decode(&mut d)?),
            9 => Self::ExpandErasure(ErasureId(d.array()?)),
            10 => Self::BeginEpoch(BeginEpoch::decode(&mut d)?),
            11 => Self::EpochChunk(EpochChunk::decode(&mut d)?),
            12 => Self::SwitchEpoch(SwitchEpoch::decode(&mut d)?),
            13 => Self::AbortEpoch {
                attempt: d.varint_u32()?,
            },
            14 => Self::AttestDestroyed(AttestDestroyed::decode(&mut d)?),
            15 => Self::Sweep,
            16 => Self::CancelErasure(CancelErasure::decode(&mut d)?),
            17 => Self::LetLeave(NodeId(d.varint()?)),
            20 => Self::ShareEpoch(ShareEpoch::decode(&mut d)?),
            21 => Self::VerifyEpoch(VerifyEpoch::decode(&mut d)?),
            22 => Self::LeaseOver(LeaseOver::decode(&mut d)?),
            23 => Self::Decommission(Decommission::decode(&mut d)?),
            24 => Self::VaultRolledBack(VaultRolledBack::decode(&mut d)?),
            25 => Self::Seal(d.flag()?),
            26 => Self::RegisterKeys(RegisterKeys::decode(&mut d)?),
            unknown => return Err(DecodeError::UnknownTag(unknown)),
        };
        d.finish()?;
        Ok(command)
    }
}

/// A counted list of at most `max`.
pub(super) fn list<'a, T>(
    d: &mut Decoder<'a>,
    max: usize,
    mut item: impl FnMut(&mut Decoder<'a>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    (0..d.count(max)?).map(|_| item(d)).collect()
}

impl<'a> Page<'a> {
    pub(super) fn encode(&self, e: &mut Encoder) {
        self.name.encode(e);
        e.bytes(self.sealed);
    }

    pub(super) fn decode(d: &mut Decoder<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            name: PageName::decode(d)?,
            sealed: d.bytes()?,
        })
    }
}

impl PageName {
    fn encode(self, e: &mut Encoder) {
        e.u8(self.tree).u8(self.level).varint(u64::from(self.index));
    }

    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            tree: d.u8()?,
            level: d.u8()?,
            index: d.varint_u32()?,
        })
    }
}

impl Genesis {
    fn encode(&self, e: &mut Encoder) {
        e.fixed(&self.realm.0)
            .varint(self.attempt)
            .varint(self.pages.len() as u64);
        self.pages.iter().for_each(|page| page.encode(e));
        self.sharing.encode(e.u8(self.levels));
        self.made.encode(e);
        e.varint(self.founder.0.0).fixed(self.founder.1.as_bytes());
        e.varint(u64::from(self.data_groups)).varint(self.time.0);
        e.varint(self.nodes.len() as u64);
        self.nodes.iter().for_each(|node| node.encode_into(e));
        e.u8(self.policy.tag()).fixed(&self.log_key);
    }

    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            realm: Realm(d.array()?),
            attempt: d.varint()?,
            // Every name takes at least three bytes, so the input bounds the list.
            pages: list(d, usize::MAX, PageName::decode)?,
            levels: d.u8()?,
            sharing: Sharing::decode(d)?,
            made: MadeRoot::decode(d)?,
            founder: (NodeId(d.varint()?), BootId(d.array()?)),
            data_groups: d.varint_u32()?,
            time: TimeMs(d.varint()?),
            nodes: list(d, limits::VOTERS_MAX, NodeRow::decode_from)?,
            policy: Policy::from_tag(d.u8()?)?,
            log_key: d.array()?,
        })
    }
}

impl<'a> NewKey<'a> {
    fn encode(&self, e: &mut Encoder) {
        e.fixed(self.kid.as_bytes()).u8(self.kind);
        match &self.parent {
            None => e.u8(0),
            Some(parent) => e.u8(1).fixed(parent.as_bytes()),
        };
        e.fixed(&self.commit).fixed(&self.key_commit);
        e.varint(self.epoch).varint(self.returns);
        e.varint(self.rows.len() as u64);
        self.rows.iter().for_each(|row| {
            e.u8(row.tree)
                .varint(u64::from(row.page))
                .varint(u64::from(row.generation));
            e.fixed(&row.tag).bytes(row.sealed);
        });
    }

    fn decode(d: &mut Decoder<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            kid: Kid(d.array()?),
            kind: d.u8()?,
            parent: optional_kid(d)?,
            commit: d.array()?,
            key_commit: d.array()?,
            epoch: d.varint()?,
            returns: d.varint()?,
            rows: list(d, ROWS_OF_KEY_MAX, |d| {
                Ok(NewRow {
                    tree: d.u8()?,
                    page: d.varint_u32()?,
                    generation: d.varint_u32()?,
                    tag: d.array()?,
                    sealed: d.bytes()?,
                })
            })?,
        })
    }
}
