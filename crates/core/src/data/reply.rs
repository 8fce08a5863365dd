//! What a data group answers, one reply for each operation.

use eunoe_types::{DecodeError, Decoder, Encoder, Seq, TimeMs, limits};

use crate::FORMAT;

/// The answer to one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The conversation is there.
    Created {
        /// False when it was there before.
        new: bool,
    },
    /// The message is in its place.
    Appended(Appended),
    /// The conversation is closed.
    Closed {
        /// Since when.
        time: TimeMs,
    },
    /// Refused, without any effect.
    Rejected(Rejection),
}

/// Where a message stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its place.
    pub seq: Seq,
    /// Its time.
    pub time: TimeMs,
    /// Number of its author.
    pub participant: u32,
    /// Numbers of its key sets, one for each section.
    pub key_sets: Vec<u32>,
    /// Whether an earlier operation had added it.
    pub replayed: bool,
}

/// Why an operation had no effect. Deterministic, and the same on every replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// There is no such conversation.
    NoSuchConversation,
    /// A conversation of this id has another principal, profile or tenant.
    ConversationDiffers,
    /// The conversation is closed.
    ConversationClosed,
    /// The request id was used for another body.
    RequestIdReused,
    /// The message that this one names as its predecessor is not there.
    OutOfOrder,
    /// A participant or key set has no such number.
    UnknownNumber,
    /// The conversation has as many participants as it may have.
    TooManyParticipants,
}

impl Rejection {
    const ALL: [(u8, Rejection); 7] = [
        (1, Self::NoSuchConversation),
        (2, Self::ConversationDiffers),
        (3, Self::ConversationClosed),
        (4, Self::RequestIdReused),
        (5, Self::OutOfOrder),
        (6, Self::UnknownNumber),
        (7, Self::TooManyParticipants),
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

/// Encodes the replies to one command.
pub(super) fn encode_replies(replies: &[Reply]) -> Vec<u8> {
    let mut e = Encoder::with_capacity(2 + replies.len() * 16);
    e.u8(FORMAT).varint(replies.len() as u64);
    replies.iter().for_each(|reply| reply.encode(&mut e));
    e.finish()
}

/// Decodes the replies to one command.
pub fn decode_replies(bytes: &[u8]) -> Result<Vec<Reply>, DecodeError> {
    let mut d = Decoder::new(bytes);
    crate::known_format(&mut d)?;
    let count = d.count(limits::COMMAND_OPERATIONS_MAX)?;
    let replies = (0..count)
        .map(|_| Reply::decode(&mut d))
        .collect::<Result<_, _>>()?;
    d.finish()?;
    Ok(replies)
}

impl Reply {
    fn encode(&self, e: &mut Encoder) {
        match self {
            Self::Created { new } => {
                e.u8(1).u8(u8::from(*new));
            }
            Self::Appended(appended) => {
                e.u8(2)
                    .varint(appended.seq.0)
                    .varint(appended.time.0)
                    .varint(u64::from(appended.participant));
                e.u8(u8::from(appended.replayed))
                    .varint(appended.key_sets.len() as u64);
                appended.key_sets.iter().for_each(|number| {
                    e.varint(u64::from(*number));
                });
            }
            Self::Closed { time } => {
                e.u8(3).varint(time.0);
            }
            Self::Rejected(rejection) => {
                e.u8(4).u8(rejection.tag());
            }
        }
    }

    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match d.u8()? {
            1 => Ok(Self::Created { new: d.flag()? }),
            2 => Ok(Self::Appended(Appended {
                seq: Seq(d.varint()?),
                time: TimeMs(d.varint()?),
                participant: d.varint_u32()?,
                replayed: d.flag()?,
                key_sets: (0..d.count(limits::PARTS_MAX)?)
                    .map(|_| d.varint_u32())
                    .collect::<Result<_, _>>()?,
            })),
            3 => Ok(Self::Closed {
                time: TimeMs(d.varint()?),
            }),
            4 => Ok(Self::Rejected(Rejection::from_tag(d.u8()?)?)),
            unknown => Err(DecodeError::UnknownTag(unknown)),
        }
    }
}
