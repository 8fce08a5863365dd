//! Rows of a data group: their keys, their versioned values, and nothing readable.

use eunoe_types::{
    ConversationId, Day, DecodeError, Decoder, Encoder, Kid, MessageId, RequestMac, Seq, TimeMs, limits,
};

use crate::{FORMAT, known_format, table};

/// Whose keys the parts of a conversation need (erasure.md R7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Profile {
    /// The principal owns every part.
    Support = 1,
    /// The author owns his parts.
    Peer = 2,
}

impl Profile {
    /// The profile with this stored tag.
    pub fn from_tag(tag: u8) -> Result<Self, DecodeError> {
        match tag {
            1 => Ok(Self::Support),
            2 => Ok(Self::Peer),
            unknown => Err(DecodeError::UnknownTag(unknown)),
        }
    }
}

/// In which role somebody takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ParticipantKind {
    /// The person served.
    Visitor = 1,
    /// A person who serves.
    Agent = 2,
    /// A program.
    Bot = 3,
}

impl ParticipantKind {
    /// The kind with this stored tag.
    pub fn from_tag(tag: u8) -> Result<Self, DecodeError> {
        match tag {
            1 => Ok(Self::Visitor),
            2 => Ok(Self::Agent),
            3 => Ok(Self::Bot),
            unknown => Err(DecodeError::UnknownTag(unknown)),
        }
    }
}

/// Where a conversation is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConversationState {
    /// Takes messages.
    Open,
    /// Takes none, since this time.
    Closed(TimeMs),
}

/// What creation fixed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationRow {
    /// Whose keys its parts need.
    pub profile: Profile,
    /// The kid of the principal (SUPPORT) or of the conversation (PEER).
    pub principal: Kid,
    /// The kid of the tenant's key.
    pub tenant: Kid,
    /// When it was created.
    pub created: TimeMs,
    /// Names of its purposes.
    pub purposes: Vec<String>,
    /// Title and external reference, sealed.
    pub sealed: Vec<u8>,
}

/// What appends change; one small row, written once per batch however many messages it had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadRow {
    /// The last message, 0 without one.
    pub last_seq: Seq,
    /// The time of the last message, or of creation.
    pub last_time: TimeMs,
    /// Participants so far; their numbers count from 0.
    pub participants: u32,
    /// Key sets so far; their numbers count from 0.
    pub key_sets: u32,
    /// Open or closed.
    pub state: ConversationState,
}

/// Somebody who takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParticipantRow {
    /// The kid of the person's key.
    pub kid: Kid,
    /// The role.
    pub kind: ParticipantKind,
    /// The person's reference, sealed under the person's own key.
    pub sealed: Vec<u8>,
}

/// A numbered list of key refs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySetRow {
    /// The day of its bucket.
    pub day: Day,
    /// The refs, as the crypto crate encodes them.
    pub refs: Vec<u8>,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRow {
    /// Its id.
    pub id: MessageId,
    /// Its time, never before the one in front of it.
    pub time: TimeMs,
    /// Number of its author.
    pub participant: u32,
    /// Number of its purpose.
    pub purpose: u8,
    /// Its sealed sections.
    pub sections: Vec<StoredSection>,
}

/// Parts sealed together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSection {
    /// Number of the key set.
    pub key_set: u32,
    /// The envelope.
    pub envelope: Vec<u8>,
}

impl ConversationRow {
    pub(super) fn key(id: &ConversationId) -> Vec<u8> {
        table::key(table::CONVERSATION, &[id.as_bytes()])
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::with_capacity(64 + self.sealed.len());
        e.u8(FORMAT)
            .u8(self.profile as u8)
            .fixed(self.principal.as_bytes())
            .fixed(self.tenant.as_bytes());
        e.varint(self.created.0).varint(self.purposes.len() as u64);
        self.purposes.iter().for_each(|purpose| {
            e.text(purpose);
        });
        e.bytes(&self.sealed);
        e.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes);
        known_format(&mut d)?;
        let row = Self {
            profile: Profile::from_tag(d.u8()?)?,
            principal: Kid(d.array()?),
            tenant: Kid(d.array()?),
            created: TimeMs(d.varint()?),
            purposes: (0..d.count(limits::PURPOSES_MAX)?)
                .map(|_| d.text().map(str::to_owned))
                .collect::<Result<_, _>>()?,
            sealed: d.bytes()?.to_vec(),
        };
        d.finish()?;
        Ok(row)
    }
}

impl HeadRow {
    pub(super) fn key(id: &ConversationId) -> Vec<u8> {
        table::key(table::HEAD, &[id.as_bytes()])
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::with_capacity(24);
        e.u8(FORMAT).varint(self.last_seq.0).varint(self.last_time.0);
        e.varint(u64::from(self.participants))
            .varint(u64::from(self.key_sets));
        match self.state {
            ConversationState::Open => e.u8(1),
            ConversationState::Closed(time) => e.u8(2).varint(time.0),
        };
        e.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes);
        known_format(&mut d)?;
        let row = Self {
            last_seq: Seq(d.varint()?),
            last_time: TimeMs(d.varint()?),
            participants: d.varint_u32()?,
            key_sets: d.varint_u32()?,
            state: match d.u8()? {
                1 => ConversationState::Open,
                2 => ConversationState::Closed(TimeMs(d.varint()?)),
                unknown => return Err(DecodeError::UnknownTag(unknown)),
            },
        };
        d.finish()?;
        Ok(row)
    }
}

impl ParticipantRow {
    pub(super) fn key(id: &ConversationId, number: u32) -> Vec<u8> {
        table::key(table::PARTICIPANT, &[id.as_bytes(), &number.to_be_bytes()])
    }

    pub(super) fn encode(kid: &Kid, kind: ParticipantKind, sealed: &[u8]) -> Vec<u8> {
        let mut e = Encoder::with_capacity(20 + sealed.len());
        e.u8(FORMAT).fixed(kid.as_bytes()).u8(kind as u8).bytes(sealed);
        e.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes);
        known_format(&mut d)?;
        let row = Self {
            kid: Kid(d.array()?),
            kind: ParticipantKind::from_tag(d.u8()?)?,
            sealed: d.bytes()?.to_vec(),
        };
        d.finish()?;
        Ok(row)
    }
}

impl KeySetRow {
    pub(super) fn key(id: &ConversationId, number: u32) -> Vec<u8> {
        table::key(table::KEY_SET, &[id.as_bytes(), &number.to_be_bytes()])
    }

    pub(super) fn encode(day: Day, refs: &[u8]) -> Vec<u8> {
        let mut e = Encoder::with_capacity(8 + refs.len());
        e.u8(FORMAT).varint(u64::from(day.0)).bytes(refs);
        e.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes);
        known_format(&mut d)?;
        let row = Self {
            day: Day(d.varint_u32()?),
            refs: d.bytes()?.to_vec(),
        };
        d.finish()?;
        Ok(row)
    }
}

impl MessageRow {
    pub(super) fn key(id: &ConversationId, seq: Seq) -> Vec<u8> {
        table::key(table::MESSAGE, &[id.as_bytes(), &seq.0.to_be_bytes()])
    }

    /// The sequence number in a key of this table.
    pub(super) fn seq_of(key: &[u8]) -> Result<Seq, DecodeError> {
        let tail = key.last_chunk::<8>().ok_or(DecodeError::Truncated)?;
        Ok(Seq(u64::from_be_bytes(*tail)))
    }

    pub(super) fn encode<'a>(
        id: &MessageId,
        time: TimeMs,
        participant: u32,
        purpose: u8,
        sections: impl ExactSizeIterator<Item = (u32, &'a [u8])>,
    ) -> Vec<u8> {
        let mut e = Encoder::with_capacity(200);
        e.u8(FORMAT)
            .fixed(id.as_bytes())
            .varint(time.0)
            .varint(u64::from(participant))
            .u8(purpose);
        e.varint(sections.len() as u64);
        sections.for_each(|(key_set, envelope)| {
            e.varint(u64::from(key_set)).bytes(envelope);
        });
        e.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes);
        known_format(&mut d)?;
        let row = Self {
            id: MessageId(d.array()?),
            time: TimeMs(d.varint()?),
            participant: d.varint_u32()?,
            purpose: d.u8()?,
            sections: (0..d.count(limits::PARTS_MAX)?)
                .map(|_| {
                    Ok(StoredSection {
                        key_set: d.varint_u32()?,
                        envelope: d.bytes()?.to_vec(),
                    })
                })
                .collect::<Result<_, DecodeError>>()?,
        };
        d.finish()?;
        Ok(row)
    }
}

/// Dedup row and index of message ids in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MessageIdRow {
    pub(super) seq: Seq,
    pub(super) mac: RequestMac,
}

impl MessageIdRow {
    pub(super) fn key(conversation: &ConversationId, id: &MessageId) -> Vec<u8> {
        table::key(table::MESSAGE_ID, &[conversation.as_bytes(), id.as_bytes()])
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::with_capacity(16);
        e.u8(FORMAT).varint(self.seq.0).fixed(&self.mac.0);
        e.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes);
        known_format(&mut d)?;
        let row = Self {
            seq: Seq(d.varint()?),
            mac: RequestMac(d.array()?),
        };
        d.finish()?;
        Ok(row)
    }
}

/// That a kid takes part in, or owns parts of, a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SubjectRow {
    /// The number as participant; none for somebody whom parts are only about.
    pub(super) participant: Option<u32>,
}

impl SubjectRow {
    pub(super) fn key(kid: &Kid, conversation: &ConversationId) -> Vec<u8> {
        table::key(table::SUBJECT, &[kid.as_bytes(), conversation.as_bytes()])
    }

    pub(super) fn encode(self) -> Vec<u8> {
        let mut e = Encoder::with_capacity(8);
        e.u8(FORMAT)
            .varint(self.participant.map_or(0, |number| u64::from(number) + 1));
        e.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes);
        known_format(&mut d)?;
        let number = d.varint_u32()?;
        d.finish()?;
        Ok(Self {
            participant: number.checked_sub(1),
        })
    }
}
