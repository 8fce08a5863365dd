//! Rows of roots, and of who may hold shares of them or have them in memory.

use eunoe_types::{BootId, DecodeError, Decoder, Encoder, NodeId, limits};

use super::command::list;
use crate::{FORMAT, known_format, table};

/// In the place of an epoch: no share and no root of any.
pub const HOLDS_NONE: u64 = u64::MAX;
/// Holders that must have looked at an attempt, where there are so many (erasure.md §4.5).
const VERIFIERS: usize = 2;
/// Sub-keys of a root that the most holders share.
const SUB_KEYS_MAX: usize = 70;

/// How a root is shared: how many of which nodes have it together (erasure.md §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// The holders, in the order of their ids: a holder's place in it says which sub-keys are its.
    pub holders: Vec<NodeId>,
    /// How many of them it takes.
    pub threshold: u8,
}

/// What commits to a root, and whose vaults keep their shares of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeRoot {
    /// Public commitment to the root.
    pub root_commit: [u8; 32],
    /// Public commitments to its sub-keys, in their order.
    pub sub_keys: Vec<[u8; 32]>,
    /// Holders that keep their share durably and read it back.
    pub kept: Vec<NodeId>,
}

/// A root that holders may still have shares of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootRow {
    /// The newest epoch whose keys it leads to: its own, or, for one that never counted, the one before.
    pub leads_to: u64,
    /// How it is shared.
    pub sharing: Sharing,
    /// What was said of it; none while it is not made.
    pub made: Option<MadeRoot>,
    /// Nodes that rebuilt it from vaults and found the trees under it right.
    pub verified: Vec<NodeId>,
}

/// A node that may hold shares of roots in its vault, or roots in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HolderRow {
    /// The oldest epoch to whose keys a share leads that its vault may still hold, by its own word.
    pub share: u64,
    /// The oldest epoch to whose keys a root leads that its memory may still hold, by its own word.
    pub memory: u64,
    /// The same, as it follows from the end of its lease.
    pub dark: u64,
    /// The run of its process that said so or was given a root last.
    pub boot: BootId,
    /// Whether it holds none for good, by its own word or by evidence, and is given none.
    pub retired: bool,
}

/// What the transparency log says to be destroyed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SummaryRow {
    /// Keys whose last epoch is before this one are out of everybody's reach.
    pub destroyed_before: u64,
    /// Of those before this one every node has said so.
    pub full_before: u64,
}

impl SummaryRow {
    pub(super) fn key() -> Vec<u8> {
        table::key(table::SUMMARY, &[])
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::with_capacity(16);
        e.u8(FORMAT)
            .varint(self.destroyed_before)
            .varint(self.full_before);
        e.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes);
        known_format(&mut d)?;
        let row = Self {
            destroyed_before: d.varint()?,
            full_before: d.varint()?,
        };
        d.finish()?;
        Ok(row)
    }
}

impl Sharing {
    /// Whether a root can be shared so: distinct holders in their order, not too many, and more than half of them needed,
    /// so that no two groups of them have it without each other.
    pub(super) fn is_sound(&self) -> bool {
        let count = self.holders.len();
        let ordered = self.holders.windows(2).all(|pair| pair[0] < pair[1]);
        let threshold = usize::from(self.threshold);
        ordered
            && (1..=limits::ROOT_HOLDERS_MAX).contains(&count)
            && threshold <= count
            && 2 * threshold > count
    }

    /// How many sub-keys the root has: one for each set of one holder less than it takes.
    pub(super) fn sub_keys(&self) -> usize {
        let (count, missed) = (self.holders.len(), usize::from(self.threshold).saturating_sub(1));
        (0..missed).fold(1, |product, taken| product * (count - taken) / (taken + 1))
    }

    pub(super) fn encode(&self, e: &mut Encoder) {
        encode_nodes(e, &self.holders);
        e.u8(self.threshold);
    }

    pub(super) fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            holders: decode_nodes(d)?,
            threshold: d.u8()?,
        })
    }
}

fn encode_nodes(e: &mut Encoder, nodes: &[NodeId]) {
    e.varint(nodes.len() as u64);
    nodes.iter().for_each(|node| {
        e.varint(node.0);
    });
}

fn decode_nodes(d: &mut Decoder<'_>) -> Result<Vec<NodeId>, DecodeError> {
    list(d, limits::ROOT_HOLDERS_MAX, |d| Ok(NodeId(d.varint()?)))
}

impl MadeRoot {
    pub(super) fn encode(&self, e: &mut Encoder) {
        e.fixed(&self.root_commit).varint(self.sub_keys.len() as u64);
        self.sub_keys.iter().for_each(|commitment| {
            e.fixed(commitment);
        });
        encode_nodes(e, &self.kept);
    }

    pub(super) fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            root_commit: d.array()?,
            sub_keys: list(d, SUB_KEYS_MAX, |d| d.array())?,
            kept: decode_nodes(d)?,
        })
    }
}

impl RootRow {
    /// Whether enough of its holders found it right.
    pub fn is_verified(&self) -> bool {
        self.verified.len() >= self.sharing.holders.len().min(VERIFIERS)
    }

    pub(super) fn key(epoch: u64, attempt: u64) -> Vec<u8> {
        table::key(table::ROOT, &[&epoch.to_be_bytes(), &attempt.to_be_bytes()])
    }

    /// Epoch and attempt in a key of this table.
    pub(super) fn name_of(key: &[u8]) -> Result<(u64, u64), DecodeError> {
        let mut d = Decoder::new(key.get(1..).unwrap_or_default());
        let name = (u64::from_be_bytes(d.array()?), u64::from_be_bytes(d.array()?));
        d.finish()?;
        Ok(name)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::with_capacity(256);
        self.sharing.encode(e.u8(FORMAT).varint(self.leads_to));
        match &self.made {
            None => {
                e.u8(0);
            }
            Some(made) => made.encode(e.u8(1)),
        }
        encode_nodes(&mut e, &self.verified);
        e.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes);
        known_format(&mut d)?;
        let row = Self {
            leads_to: d.varint()?,
            sharing: Sharing::decode(&mut d)?,
            made: match d.flag()? {
                false => None,
                true => Some(MadeRoot::decode(&mut d)?),
            },
            verified: decode_nodes(&mut d)?,
        };
        d.finish()?;
        Ok(row)
    }
}

impl HolderRow {
    /// A node that holds nothing yet.
    pub(super) const NONE: Self = Self {
        share: HOLDS_NONE,
        memory: HOLDS_NONE,
        dark: HOLDS_NONE,
        boot: BootId([0; 16]),
        retired: false,
    };

    /// The oldest epoch whose keys anything that it has may lead to, by its own word.
    pub fn oldest(&self) -> u64 {
        self.share.min(self.memory)
    }

    /// The oldest epoch to whose keys a root leads that its memory may still hold, by its word or as its lease says.
    pub fn in_memory(&self) -> u64 {
        self.memory.max(self.dark)
    }

    pub(super) fn key(node: NodeId) -> Vec<u8> {
        table::key(table::HOLDER, &[&node.0.to_be_bytes()])
    }

    /// The node in a key of this table.
    pub(super) fn node_of(key: &[u8]) -> Result<NodeId, DecodeError> {
        let tail = key.last_chunk::<8>().ok_or(DecodeError::Truncated)?;
        Ok(NodeId(u64::from_be_bytes(*tail)))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::with_capacity(64);
        e.u8(FORMAT)
            .varint(self.share)
            .varint(self.memory)
            .varint(self.dark);
        e.fixed(self.boot.as_bytes()).u8(u8::from(self.retired));
        e.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes);
        known_format(&mut d)?;
        let row = Self {
            share: d.varint()?,
            memory: d.varint()?,
            dark: d.varint()?,
            boot: BootId(d.array()?),
            retired: d.flag()?,
        };
        d.finish()?;
        Ok(row)
    }
}
