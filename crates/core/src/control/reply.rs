//! What the control group answers.

use eunoe_types::{DecodeError, Decoder, Encoder, ErasureId, limits};

use super::command::list;
use crate::FORMAT;

/// The answer to one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It took effect, now or before.
    Done,
    /// One outcome for each key, in order.
    Keys(Vec<KeyOutcome>),
    /// Refused, without any effect.
    Rejected(Rejection),
    /// The erasure that a request began, or that was under way.
    Erasure {
        /// Its id.
        id: ErasureId,
        /// Whether this request began it.
        created: bool,
    },
}

/// What became of a key to create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOutcome {
    /// It exists from here on.
    Created,
    /// Something is filed under one of its names already: look it up again.
    Exists,
    /// Pages or names are not what they were when it was prepared: make it again.
    Stale,
    /// An epoch is replacing one of its pages: seal it again in a moment.
    Frozen,
    /// A key that it would die with is fenced or gone.
    ParentErased,
}

/// Why a command had no effect. Deterministic, and the same on every replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The realm began already.
    GenesisDone,
    /// The realm has not begun.
    NoGenesis,
    /// A page of the genesis was not staged by this attempt.
    PagesMissing,
    /// The node id was used before; ids are never used again.
    NodeIdUsed,
    /// There is no such node, or it was removed.
    NoSuchNode,
    /// The epoch is not the current one.
    WrongEpoch,
    /// The version is older than the present one.
    WrongVersion,
    /// The request id was used for another request.
    RequestIdReused,
    /// There is no such key.
    NoSuchKey,
    /// The key is erased already.
    KeyErased,
    /// There is no such erasure, or nothing below its keys is left to fence.
    NothingToExpand,
    /// The attempt is not the one under way, or not the next.
    WrongAttempt,
    /// The chunk is not the next one, or has rows of pages that the attempt does not replace.
    WrongChunk,
    /// The attempt's chunks are not those that the switch names.
    WrongDigest,
    /// A key that is not fenced would be left out.
    KeyNotFenced,
    /// Too few nodes keep their shares of the new root.
    TooFewHolders,
    /// The root cannot be shared so, or not with these nodes.
    BadSharing,
    /// Too few nodes have looked at what the attempt staged.
    NotVerified,
    /// The node is admitted still.
    NodeAdmitted,
    /// An operator sealed the cluster.
    Sealed,
    /// There is no such erasure.
    NoSuchErasure,
    /// A key of the erasure, or one that its target dies with, is erased or is going to be.
    TooLate,
    /// A node's site is not well-formed.
    SiteMalformed,
    /// The placement policy does not allow a node's site.
    SiteOutside,
    /// The node has changed its keys too often.
    TooManyKeys,
}

impl Rejection {
    const ALL: [(u8, Rejection); 25] = [
        (1, Self::GenesisDone),
        (2, Self::NoGenesis),
        (3, Self::PagesMissing),
        (4, Self::NodeIdUsed),
        (5, Self::NoSuchNode),
        (6, Self::WrongEpoch),
        (7, Self::WrongVersion),
        (8, Self::RequestIdReused),
        (9, Self::NoSuchKey),
        (10, Self::KeyErased),
        (11, Self::NothingToExpand),
        (12, Self::WrongAttempt),
        (13, Self::WrongChunk),
        (14, Self::WrongDigest),
        (15, Self::KeyNotFenced),
        (16, Self::TooFewHolders),
        (17, Self::NoSuchErasure),
        (18, Self::TooLate),
        (24, Self::BadSharing),
        (25, Self::NotVerified),
        (26, Self::NodeAdmitted),
        (27, Self::Sealed),
        (32, Self::SiteMalformed),
        (33, Self::SiteOutside),
        (34, Self::TooManyKeys),
    ];

    fn tag(self) -> u8 {
        Self::ALL
            .iter()
            .find(|(_, rejection)| *rejection == self)
            .map_or(0, |(tag, _)| *tag)
    }

    fn from_tag(tag: u8) -> Result<Self, DecodeError> {
        let found = Self::ALL.iter().find(|(known, _)| *known == tag);
        found
            .map(|(_, rejection)| *rejection)
            .ok_or(DecodeError::UnknownTag(tag))
    }
}

impl KeyOutcome {
    fn tag(self) -> u8 {
        match self {
            Self::Created => 1,
            Self::Exists => 2,
            Self::Stale => 3,
            Self::Frozen => 4,
            Self::ParentErased => 5,
        }
    }

    fn from_tag(tag: u8) -> Result<Self, DecodeError> {
        match tag {
            1 => Ok(Self::Created),
            2 => Ok(Self::Exists),
            3 => Ok(Self::Stale),
            4 => Ok(Self::Frozen),
            5 => Ok(Self::ParentErased),
            unknown => Err(DecodeError::UnknownTag(unknown)),
        }
    }
}

impl Reply {
    /// The reply's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::new();
        e.u8(FORMAT);
        match self {
            Self::Done => {
                e.u8(1);
            }
            Self::Keys(outcomes) => {
                e.u8(2).varint(outcomes.len() as u64);
                outcomes.iter().for_each(|outcome| {
                    e.u8(outcome.tag());
                });
            }
            Self::Rejected(rejection) => {
                e.u8(3).u8(rejection.tag());
            }
            Self::Erasure { id, created } => {
                e.u8(4).fixed(id.as_bytes()).u8(u8::from(*created));
            }
        }
        e.finish()
    }

    /// Reads a reply.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes);
        crate::known_format(&mut d)?;
        let reply = match d.u8()? {
            1 => Self::Done,
            2 => Self::Keys(list(&mut d, limits::COMMAND_OPERATIONS_MAX, |d| {
                KeyOutcome::from_tag(d.u8()?)
            })?),
            3 => Self::Rejected(Rejection::from_tag(d.u8()?)?),
            4 => Self::Erasure {
                id: ErasureId(d.array()?),
                created: d.flag()?,
            },
            unknown => return Err(DecodeError::UnknownTag(unknown)),
        };
        d.finish()?;
        Ok(reply)
    }
}
