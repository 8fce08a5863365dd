//! What the control group answers.

use eunoe_types::{DecodeError, Decoder, Encoder, limits};

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
}

/// What became of a key to create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOutcome {
    /// It exists from here on.
    Created,
    /// Something is filed under one of its names already: look it up again.
    Exists,
    /// One of its pages has a newer generation: seal it again.
    StaleGeneration,
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
    /// A node's site is not well-formed.
    SiteMalformed,
    /// The placement policy does not allow a node's site.
    SiteOutside,
}

impl Rejection {
    const ALL: [(u8, Rejection); 9] = [
        (1, Self::GenesisDone),
        (2, Self::NoGenesis),
        (3, Self::PagesMissing),
        (4, Self::NodeIdUsed),
        (5, Self::NoSuchNode),
        (6, Self::WrongEpoch),
        (7, Self::WrongVersion),
        (32, Self::SiteMalformed),
        (33, Self::SiteOutside),
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
            Self::StaleGeneration => 3,
        }
    }

    fn from_tag(tag: u8) -> Result<Self, DecodeError> {
        match tag {
            1 => Ok(Self::Created),
            2 => Ok(Self::Exists),
            3 => Ok(Self::StaleGeneration),
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
            unknown => return Err(DecodeError::UnknownTag(unknown)),
        };
        d.finish()?;
        Ok(reply)
    }
}
