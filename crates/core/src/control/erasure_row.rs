//! Rows of erasures and of the epoch.

use eunoe_types::{DecodeError, Decoder, Encoder, ErasureId, Kid, RequestMac, TimeMs, limits};

use super::command::list;
use crate::{FORMAT, known_format, table};

/// Where an erasure is on its ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErasureState {
    /// Waits for a second person.
    Requested,
    /// Nothing of it is readable any more; the keys exist.
    Fenced,
    /// The current root does not lead to its keys.
    Rekeyed {
        /// The last epoch whose root did.
        epoch: u64,
        /// When, as the proposer of the switch saw it.
        time: TimeMs,
    },
    /// Nobody can rebuild a root that led to its keys: too few of the shares are left, and no memory holds one.
    Destroyed {
        /// The last epoch whose root led to a key of it.
        epoch: u64,
        /// When the current root stopped leading to it.
        rekeyed: TimeMs,
        /// When that was first known.
        time: TimeMs,
        /// When every node that ever held a share or a root had said itself that it holds none of then, if all did.
        full: Option<TimeMs>,
    },
    /// Taken back; some of its keys are fenced still.
    Cancelling {
        /// When, as the proposer saw it.
        time: TimeMs,
        /// MAC of who took it back.
        by: RequestMac,
    },
    /// Taken back: all that it fenced is in use again, or belongs to a later erasure.
    Cancelled {
        /// When, as the proposer saw it.
        time: TimeMs,
        /// MAC of who took it back.
        by: RequestMac,
    },
}

/// What an erasure with fenced keys waits for. The numbers are stored forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// For the next epoch.
    Due = 0,
    /// For the end of its hold.
    Held = 1,
    /// For its keys to come back.
    Returning = 2,
}

/// The keys that came back last, and how often some did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReturnedRow {
    /// Commands that took keys back so far.
    pub number: u64,
    /// The keys of the last one.
    pub kids: Vec<Kid>,
}

/// An erasure. Nothing in it names the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasureRow {
    /// Its place among its tenant's erasures.
    pub number: u64,
    /// Kind of the target's key, as the crypto crate numbers it.
    pub kind: u8,
    /// How far it is.
    pub state: ErasureState,
    /// Why, as the API numbers it.
    pub reason: u8,
    /// Whether it waits for no period.
    pub urgent: bool,
    /// Seconds after the fence in which no epoch takes it.
    pub hold_s: u32,
    /// The target's key.
    pub target: Kid,
    /// The tenant's key.
    pub tenant: Kid,
    /// MAC of the request.
    pub mac: RequestMac,
    /// MAC of who asked first.
    pub requester: RequestMac,
    /// Public commitment to the target.
    pub commit: [u8; 32],
    /// When it was recorded, as the proposer saw it.
    pub requested: TimeMs,
    /// When it was fenced and where in the log; the index is 0 before.
    pub fenced: (TimeMs, u64),
    /// Keys that it fenced.
    pub keys: u64,
    /// Those that the current root still leads to.
    pub left: u64,
    /// Fenced keys whose children are not fenced yet.
    pub expanding: u64,
}

/// The epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochRow {
    /// Number of the current epoch.
    pub epoch: u64,
    /// The attempt that made its root.
    pub attempt: u64,
    /// Public commitment to its root.
    pub root_commit: [u8; 32],
    /// The last attempt at an epoch since genesis: also the generation of the pages that it makes.
    pub last_attempt: u32,
    /// The epoch that is being prepared.
    pub pending: Option<PendingEpoch>,
}

/// An epoch that is being prepared: the next one, by attempt `last_attempt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingEpoch {
    /// Chunks that are staged.
    pub chunks: u32,
    /// Digest over them.
    pub digest: [u8; 32],
}

/// What an epoch that is being prepared erases and replaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingRow {
    /// Keys that it leaves out.
    pub keys: Vec<Kid>,
    /// Leaf pages, as tree and index, that it replaces.
    pub pages: Vec<(u8, u32)>,
}

impl ErasureState {
    /// When it was taken back, if it was.
    pub fn cancelled(&self) -> Option<TimeMs> {
        match self {
            Self::Cancelling { time, .. } | Self::Cancelled { time, .. } => Some(*time),
            Self::Requested | Self::Fenced | Self::Rekeyed { .. } | Self::Destroyed { .. } => None,
        }
    }
}

impl ErasureRow {
    pub(super) fn key(id: &ErasureId) -> Vec<u8> {
        table::key(table::ERASURE, &[id.as_bytes()])
    }

    /// What it waits for while it has fenced keys, once it is fenced.
    pub(super) fn stage(&self) -> Stage {
        if matches!(self.state, ErasureState::Cancelling { .. }) {
            return Stage::Returning;
        }
        if self.hold_s > 0 { Stage::Held } else { Stage::Due }
    }

    /// Where it is listed while it has fenced keys.
    pub(super) fn under_way_key(&self, id: &ErasureId) -> Vec<u8> {
        under_way_key(self.stage(), self.fenced.1, id)
    }

    /// Whether the current root leads to nothing of it any more.
    pub(super) fn is_rekeyed(&self) -> bool {
        self.left == 0 && self.expanding == 0
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::with_capacity(160);
        e.u8(FORMAT).varint(self.number).u8(self.kind);
        match self.state {
            ErasureState::Requested => e.u8(1),
            ErasureState::Fenced => e.u8(2),
            ErasureState::Rekeyed { epoch, time } => e.u8(3).varint(epoch).varint(time.0),
            ErasureState::Destroyed {
                epoch,
                rekeyed,
                time,
                full,
            } => {
                e.u8(4).varint(epoch).varint(rekeyed.0).varint(time.0);
                match full {
                    None => e.u8(0),
                    Some(full) => e.u8(1).varint(full.0),
                }
            }
            ErasureState::Cancelling { time, by } => e.u8(5).varint(time.0).fixed(&by.0),
            ErasureState::Cancelled { time, by } => e.u8(6).varint(time.0).fixed(&by.0),
        };
        e.u8(self.reason).u8(u8::from(self.urgent));
        e.varint(u64::from(self.hold_s));
        e.fixed(self.target.as_bytes()).fixed(self.tenant.as_bytes());
        e.fixed(&self.mac.0).fixed(&self.requester.0).fixed(&self.commit);
        e.varint(self.requested.0)
            .varint(self.fenced.0.0)
            .varint(self.fenced.1);
        e.varint(self.keys).varint(self.left).varint(self.expanding);
        e.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes);
        known_format(&mut d)?;
        let row = Self {
            number: d.varint()?,
            kind: d.u8()?,
            state: match d.u8()? {
                1 => ErasureState::Requested,
                2 => ErasureState::Fenced,
                3 => ErasureState::Rekeyed {
                    epoch: d.varint()?,
                    time: TimeMs(d.varint()?),
                },
                4 => ErasureState::Destroyed {
                    epoch: d.varint()?,
                    rekeyed: TimeMs(d.varint()?),
                    time: TimeMs(d.varint()?),
                    full: match d.flag()? {
                        false => None,
                        true => Some(TimeMs(d.varint()?)),
                    },
                },
                5 => ErasureState::Cancelling {
                    time: TimeMs(d.varint()?),
                    by: RequestMac(d.array()?),
                },
                6 => ErasureState::Cancelled {
                    time: TimeMs(d.varint()?),
                    by: RequestMac(d.array()?),
                },
                unknown => return Err(DecodeError::UnknownTag(unknown)),
            },
            reason: d.u8()?,
            urgent: d.flag()?,
            hold_s: d.varint_u32()?,
            target: Kid(d.array()?),
            tenant: Kid(d.array()?),
            mac: RequestMac(d.array()?),
            requester: RequestMac(d.array()?),
            commit: d.array()?,
            requested: TimeMs(d.varint()?),
            fenced: (TimeMs(d.varint()?), d.varint()?),
            keys: d.varint()?,
            left: d.varint()?,
            expanding: d.varint()?,
        };
        d.finish()?;
        Ok(row)
    }
}

impl EpochRow {
    /// Epoch and attempt of what is being prepared, if something is.
    pub fn preparing(&self) -> Option<(u64, u32)> {
        self.pending.map(|_| (self.epoch + 1, self.last_attempt))
    }

    pub(super) fn key() -> Vec<u8> {
        table::key(table::EPOCH, &[])
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::with_capacity(96);
        e.u8(FORMAT).varint(self.epoch).varint(self.attempt);
        e.fixed(&self.root_commit).varint(u64::from(self.last_attempt));
        match &self.pending {
            None => e.u8(0),
            Some(pending) => e.u8(1).varint(u64::from(pending.chunks)).fixed(&pending.digest),
        };
        e.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes);
        known_format(&mut d)?;
        let row = Self {
            epoch: d.varint()?,
            attempt: d.varint()?,
            root_commit: d.array()?,
            last_attempt: d.varint_u32()?,
            pending: match d.flag()? {
                false => None,
                true => Some(PendingEpoch {
                    chunks: d.varint_u32()?,
                    digest: d.array()?,
                }),
            },
        };
        d.finish()?;
        Ok(row)
    }
}

impl PendingRow {
    pub(super) fn key() -> Vec<u8> {
        table::key(table::PENDING, &[])
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::with_capacity(16 + 16 * self.keys.len() + 6 * self.pages.len());
        encode_pending(e.u8(FORMAT), &self.keys, &self.pages);
        e.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes);
        known_format(&mut d)?;
        let (keys, pages) = decode_pending(&mut d)?;
        d.finish()?;
        Ok(Self { keys, pages })
    }
}

/// Keys and leaf pages of an epoch, as commands and rows have them.
pub(super) fn encode_pending(e: &mut Encoder, keys: &[Kid], pages: &[(u8, u32)]) {
    e.varint(keys.len() as u64);
    keys.iter().for_each(|kid| {
        e.fixed(kid.as_bytes());
    });
    e.varint(pages.len() as u64);
    pages.iter().for_each(|(tree, page)| {
        e.u8(*tree).varint(u64::from(*page));
    });
}

/// Each key has a page in each of two trees.
type Pending = (Vec<Kid>, Vec<(u8, u32)>);

pub(super) fn decode_pending(d: &mut Decoder<'_>) -> Result<Pending, DecodeError> {
    let keys = list(d, limits::EPOCH_ERASURES_MAX, |d| Ok(Kid(d.array()?)))?;
    let pages = list(d, 2 * limits::EPOCH_ERASURES_MAX, |d| {
        Ok((d.u8()?, d.varint_u32()?))
    })?;
    Ok((keys, pages))
}

impl ReturnedRow {
    pub(super) fn key() -> Vec<u8> {
        table::key(table::RETURNED, &[])
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::with_capacity(16 + 16 * self.kids.len());
        e.u8(FORMAT).varint(self.number).varint(self.kids.len() as u64);
        self.kids.iter().for_each(|kid| {
            e.fixed(kid.as_bytes());
        });
        e.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes);
        known_format(&mut d)?;
        let row = Self {
            number: d.varint()?,
            kids: list(&mut d, limits::EXPAND_KEYS_MAX + 1, |d| Ok(Kid(d.array()?)))?,
        };
        d.finish()?;
        Ok(row)
    }
}

/// That `child` dies with `parent`.
pub(super) fn child_key(parent: &Kid, child: &Kid) -> Vec<u8> {
    [&children_prefix(parent), &child.as_bytes()[..]].concat()
}

/// What the children of a key begin with.
pub(super) fn children_prefix(parent: &Kid) -> Vec<u8> {
    table::key(table::KEY_CHILD, &[parent.as_bytes()])
}

/// The last kid in a key of a table.
pub(super) fn kid_of(key: &[u8]) -> Result<Kid, DecodeError> {
    key.last_chunk::<16>()
        .map(|tail| Kid(*tail))
        .ok_or(DecodeError::Truncated)
}

pub(super) fn fenced_key(index: u64, kid: &Kid) -> Vec<u8> {
    table::key(table::FENCED, &[&index.to_be_bytes(), kid.as_bytes()])
}

pub(super) fn erasure_of_key(tenant: &Kid, number: u64) -> Vec<u8> {
    table::key(table::ERASURE_OF, &[tenant.as_bytes(), &number.to_be_bytes()])
}

pub(super) fn frozen_key(tree: u8, page: u32) -> Vec<u8> {
    table::key(table::FROZEN, &[&[tree], &page.to_be_bytes()])
}

pub(super) fn sweep_key(tree: u8, page: u32, generation: u32) -> Vec<u8> {
    table::key(
        table::SWEEP,
        &[&[tree], &page.to_be_bytes(), &generation.to_be_bytes()],
    )
}

pub(super) fn expand_key(erasure: &ErasureId, parent: &Kid) -> Vec<u8> {
    table::key(table::EXPAND, &[erasure.as_bytes(), parent.as_bytes()])
}

pub(super) fn rekeyed_key(epoch: u64, erasure: &ErasureId) -> Vec<u8> {
    table::key(table::REKEYED, &[&epoch.to_be_bytes(), erasure.as_bytes()])
}

pub(super) fn destroyed_key(epoch: u64, erasure: &ErasureId) -> Vec<u8> {
    table::key(table::DESTROYED, &[&epoch.to_be_bytes(), erasure.as_bytes()])
}

pub(super) fn key_of_erasure(erasure: &ErasureId, kid: &Kid) -> Vec<u8> {
    [&keys_of_erasure_prefix(erasure), &kid.as_bytes()[..]].concat()
}

/// What the keys that an erasure fenced begin with.
pub(super) fn keys_of_erasure_prefix(erasure: &ErasureId) -> Vec<u8> {
    table::key(table::KEY_OF_ERASURE, &[erasure.as_bytes()])
}

/// Erasures are listed in the order of their fences.
pub(super) fn under_way_key(stage: Stage, fence: u64, erasure: &ErasureId) -> Vec<u8> {
    [
        &under_way_prefix(stage),
        &fence.to_be_bytes()[..],
        &erasure.as_bytes()[..],
    ]
    .concat()
}

/// What the erasures that wait for the same begin with.
pub(super) fn under_way_prefix(stage: Stage) -> Vec<u8> {
    table::key(table::UNDER_WAY, &[&[stage as u8]])
}
