//! Commands of erasures and epochs.

use eunoe_types::{
    BootId, DecodeError, Decoder, Encoder, ErasureId, Kid, NodeId, RequestMac, TimeMs, limits,
};

use super::command::{Page, list};
use super::erasure_row::{decode_pending, encode_pending};

/// Pages of one chunk.
const PAGES_MAX: usize = 1_024;
/// Rows of one chunk.
const ROWS_MAX: usize = 4_096;

/// A request to erase what a key opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestErasure {
    /// Its id.
    pub id: ErasureId,
    /// The key.
    pub target: Kid,
    /// The tenant's key.
    pub tenant: Kid,
    /// MAC of what is asked for.
    pub mac: RequestMac,
    /// MAC of who asks.
    pub requester: RequestMac,
    /// Whether it takes two people.
    pub two_people: bool,
    /// Why, as the API numbers it.
    pub reason: u8,
    /// Whether to wait for no period.
    pub urgent: bool,
    /// Seconds after the fence in which no epoch takes it.
    pub hold_s: u32,
    /// Other keys in use of the target's name: it has some when an erasure of it was taken back after the name was used
    /// again.
    pub namesakes: Vec<Kid>,
    /// When, as the edge saw it.
    pub time: TimeMs,
}

/// That an erasure is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CancelErasure {
    /// Its id.
    pub id: ErasureId,
    /// MAC of who asks.
    pub requester: RequestMac,
    /// When, as the edge saw it.
    pub time: TimeMs,
}

/// The beginning of an attempt at the next epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeginEpoch {
    /// The epoch: one after the current.
    pub epoch: u64,
    /// The attempt: one after the last.
    pub attempt: u32,
    /// Keys to leave out, all of them fenced.
    pub keys: Vec<Kid>,
    /// Leaf pages, as tree and index, to replace.
    pub pages: Vec<(u8, u32)>,
    /// Processes that the new root is about to be given to.
    pub recipients: Vec<(NodeId, BootId)>,
}

/// A part of what an attempt made: everything is sealed under the new root or below it.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochChunk<'a> {
    /// The attempt.
    pub attempt: u32,
    /// Number of the chunk, from 0.
    pub number: u32,
    /// Interior pages, and the one that the trees share.
    pub pages: Vec<Page<'a>>,
    /// Rows of the replaced leaf pages.
    pub rows: Vec<EpochRowOf<'a>>,
}

/// A row of a replaced leaf page.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochRowOf<'a> {
    /// Tree, as the crypto crate numbers them.
    pub tree: u8,
    /// Leaf page.
    pub page: u32,
    /// What the row is filed under.
    pub tag: [u8; 16],
    /// The sealed record.
    pub sealed: &'a [u8],
}

/// The step from which there is no way back: the new root counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchEpoch {
    /// The attempt.
    pub attempt: u32,
    /// Digest over its chunks.
    pub digest: [u8; 32],
    /// Public commitment to its root.
    pub root_commit: [u8; 32],
    /// Nodes whose vaults hold it.
    pub holders: Vec<NodeId>,
    /// When, as the proposer saw it.
    pub time: TimeMs,
}

/// That a node holds no root older than an epoch's any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttestDestroyed {
    /// The node.
    pub node: NodeId,
    /// The run of its process.
    pub boot: BootId,
    /// The oldest epoch whose root it holds; [`HOLDS_NONE`](super::HOLDS_NONE) for none at all, for good.
    pub epoch: u64,
    /// When, as the node saw it.
    pub time: TimeMs,
}

impl RequestErasure {
    pub(super) fn encode(&self, e: &mut Encoder) {
        e.fixed(self.id.as_bytes()).fixed(self.target.as_bytes());
        e.fixed(self.tenant.as_bytes())
            .fixed(&self.mac.0)
            .fixed(&self.requester.0);
        e.u8(u8::from(self.two_people))
            .u8(self.reason)
            .u8(u8::from(self.urgent));
        e.varint(u64::from(self.hold_s))
            .varint(self.namesakes.len() as u64);
        self.namesakes.iter().for_each(|kid| {
            e.fixed(kid.as_bytes());
        });
        e.varint(self.time.0);
    }

    pub(super) fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: ErasureId(d.array()?),
            target: Kid(d.array()?),
            tenant: Kid(d.array()?),
            mac: RequestMac(d.array()?),
            requester: RequestMac(d.array()?),
            two_people: d.flag()?,
            reason: d.u8()?,
            urgent: d.flag()?,
            hold_s: match d.varint_u32()? {
                hold_s if hold_s <= limits::HOLD_S_MAX => hold_s,
                _ => return Err(DecodeError::Range),
            },
            namesakes: list(d, limits::INCARNATIONS_MAX as usize, |d| Ok(Kid(d.array()?)))?,
            time: TimeMs(d.varint()?),
        })
    }
}

impl CancelErasure {
    pub(super) fn encode(&self, e: &mut Encoder) {
        e.fixed(self.id.as_bytes())
            .fixed(&self.requester.0)
            .varint(self.time.0);
    }

    pub(super) fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: ErasureId(d.array()?),
            requester: RequestMac(d.array()?),
            time: TimeMs(d.varint()?),
        })
    }
}

impl BeginEpoch {
    pub(super) fn encode(&self, e: &mut Encoder) {
        e.varint(self.epoch).varint(u64::from(self.attempt));
        encode_pending(e, &self.keys, &self.pages);
        e.varint(self.recipients.len() as u64);
        self.recipients.iter().for_each(|(node, boot)| {
            e.varint(node.0).fixed(boot.as_bytes());
        });
    }

    pub(super) fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let (epoch, attempt) = (d.varint()?, d.varint_u32()?);
        let (keys, pages) = decode_pending(d)?;
        let recipients = list(d, limits::HOLDERS_MAX, |d| {
            Ok((NodeId(d.varint()?), BootId(d.array()?)))
        })?;
        Ok(Self {
            epoch,
            attempt,
            keys,
            pages,
            recipients,
        })
    }
}

impl<'a> EpochChunk<'a> {
    pub(super) fn encode(&self, e: &mut Encoder) {
        e.varint(u64::from(self.attempt)).varint(u64::from(self.number));
        e.varint(self.pages.len() as u64);
        self.pages.iter().for_each(|page| page.encode(e));
        e.varint(self.rows.len() as u64);
        self.rows.iter().for_each(|row| {
            e.u8(row.tree)
                .varint(u64::from(row.page))
                .fixed(&row.tag)
                .bytes(row.sealed);
        });
    }

    pub(super) fn decode(d: &mut Decoder<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            attempt: d.varint_u32()?,
            number: d.varint_u32()?,
            pages: list(d, PAGES_MAX, Page::decode)?,
            rows: list(d, ROWS_MAX, |d| {
                Ok(EpochRowOf {
                    tree: d.u8()?,
                    page: d.varint_u32()?,
                    tag: d.array()?,
                    sealed: d.bytes()?,
                })
            })?,
        })
    }
}

impl SwitchEpoch {
    pub(super) fn encode(&self, e: &mut Encoder) {
        e.varint(u64::from(self.attempt))
            .fixed(&self.digest)
            .fixed(&self.root_commit);
        e.varint(self.holders.len() as u64);
        self.holders.iter().for_each(|node| {
            e.varint(node.0);
        });
        e.varint(self.time.0);
    }

    pub(super) fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            attempt: d.varint_u32()?,
            digest: d.array()?,
            root_commit: d.array()?,
            holders: list(d, limits::HOLDERS_MAX, |d| Ok(NodeId(d.varint()?)))?,
            time: TimeMs(d.varint()?),
        })
    }
}

impl AttestDestroyed {
    pub(super) fn encode(&self, e: &mut Encoder) {
        e.varint(self.node.0).fixed(self.boot.as_bytes());
        e.varint(self.epoch).varint(self.time.0);
    }

    pub(super) fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            node: NodeId(d.varint()?),
            boot: BootId(d.array()?),
            epoch: d.varint()?,
            time: TimeMs(d.varint()?),
        })
    }
}
