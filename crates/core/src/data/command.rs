//! What can be proposed to a data group. Everything in it is sealed, random or public.

use eunoe_types::{
    ConversationId, Day, DecodeError, Decoder, Encoder, Kid, MessageId, RequestMac, TimeMs, limits,
};

use super::row::{ParticipantKind, Profile};
use crate::FORMAT;

/// One operation of a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation<'a> {
    /// Creates a conversation, or finds it.
    Create(CreateConversation<'a>),
    /// Appends a message, or finds it.
    Append(Append<'a>),
    /// Ends a conversation: it can be read and refuses appends.
    Close {
        /// Which.
        conversation: ConversationId,
        /// When, as the edge saw it.
        time: TimeMs,
    },
}

/// A new conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateConversation<'a> {
    /// Its id, which is the kid of its key.
    pub id: ConversationId,
    /// Whose keys its parts need.
    pub profile: Profile,
    /// The kid of the principal (SUPPORT) or of the conversation (PEER).
    pub principal: Kid,
    /// The kid of the tenant's key.
    pub tenant: Kid,
    /// When, as the edge saw it.
    pub time: TimeMs,
    /// Names of purposes: the tenant's own words for its processing, not personal data.
    pub purposes: Vec<&'a str>,
    /// Title and external reference, sealed.
    pub sealed: &'a [u8],
    /// The first is the principal of a SUPPORT conversation.
    pub participants: Vec<NewParticipant<'a>>,
}

/// Somebody who takes part for the first time.
#[derive(Clone, Debug, PartialEq)]
pub struct NewParticipant<'a> {
    /// The kid of the person's key.
    pub kid: Kid,
    /// The role.
    pub kind: ParticipantKind,
    /// The person's reference, sealed under the person's own key.
    pub sealed: &'a [u8],
}

/// A message to append.
#[derive(Clone, Debug, PartialEq)]
pub struct Append<'a> {
    /// To which conversation.
    pub conversation: ConversationId,
    /// A MAC of the request id, or random.
    pub id: MessageId,
    /// MAC of the request's body.
    pub mac: RequestMac,
    /// When, as the edge saw it; made monotone by apply.
    pub time: TimeMs,
    /// Who writes.
    pub author: ParticipantRef<'a>,
    /// Number of the purpose among the conversation's.
    pub purpose: u8,
    /// Sealed content.
    pub sections: Vec<Section<'a>>,
    /// A message that must be in the conversation before this one: the one in front of it in a stream whose ack
    /// is still open. It keeps a stream in order over retries and leader changes.
    pub after: Option<MessageId>,
}

/// Who writes.
#[derive(Clone, Debug, PartialEq)]
pub enum ParticipantRef<'a> {
    /// A participant that the proposer knows by number.
    Number(u32),
    /// Somebody who may be new; one that takes part already keeps the number.
    New(NewParticipant<'a>),
}

/// Parts of a message that need the same keys, sealed together.
#[derive(Clone, Debug, PartialEq)]
pub struct Section<'a> {
    /// The keys that they need.
    pub keys: KeySetRef<'a>,
    /// The envelope.
    pub envelope: &'a [u8],
}

/// The keys of a section: storage only; the expanded list entered the key derivation (erasure.md R11).
#[derive(Clone, Debug, PartialEq)]
pub enum KeySetRef<'a> {
    /// A set that the conversation has already.
    Number(u32),
    /// A set that may be new.
    Inline {
        /// The day of its bucket.
        day: Day,
        /// The ordered key refs, as the crypto crate encodes them.
        refs: &'a [u8],
        /// The kids of the owners among them, for the index.
        owners: Vec<Kid>,
    },
}

/// Encodes one operation; commands are put together from these without decoding them again.
pub fn encode_operation(operation: &Operation<'_>) -> Vec<u8> {
    let mut e = Encoder::with_capacity(256);
    match operation {
        Operation::Create(create) => create.encode(e.u8(1)),
        Operation::Append(append) => append.encode(e.u8(2)),
        Operation::Close { conversation, time } => {
            e.u8(3).fixed(conversation.as_bytes()).varint(time.0);
        }
    }
    e.finish()
}

/// Puts encoded operations together to a command.
pub fn encode_command<'a>(operations: impl ExactSizeIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut e = Encoder::new();
    e.u8(FORMAT).varint(operations.len() as u64);
    operations.for_each(|operation| {
        e.fixed(operation);
    });
    e.finish()
}

/// Reads the operations of a command, in their order.
///
/// # Errors
///
/// If the bytes are not a command.
pub fn decode_command(command: &[u8]) -> Result<Vec<Operation<'_>>, DecodeError> {
    let mut d = Decoder::new(command);
    crate::known_format(&mut d)?;
    let count = d.count(limits::COMMAND_OPERATIONS_MAX)?;
    let operations = (0..count)
        .map(|_| Operation::decode(&mut d))
        .collect::<Result<_, _>>()?;
    d.finish()?;
    Ok(operations)
}

impl<'a> Operation<'a> {
    fn decode(d: &mut Decoder<'a>) -> Result<Self, DecodeError> {
        match d.u8()? {
            1 => Ok(Self::Create(CreateConversation::decode(d)?)),
            2 => Ok(Self::Append(Append::decode(d)?)),
            3 => Ok(Self::Close {
                conversation: ConversationId(d.array()?),
                time: TimeMs(d.varint()?),
            }),
            unknown => Err(DecodeError::UnknownTag(unknown)),
        }
    }
}

impl<'a> CreateConversation<'a> {
    fn encode(&self, e: &mut Encoder) {
        e.fixed(self.id.as_bytes())
            .u8(self.profile as u8)
            .fixed(self.principal.as_bytes());
        e.fixed(self.tenant.as_bytes())
            .varint(self.time.0)
            .varint(self.purposes.len() as u64);
        self.purposes.iter().for_each(|purpose| {
            e.text(purpose);
        });
        e.bytes(self.sealed).varint(self.participants.len() as u64);
        self.participants
            .iter()
            .for_each(|participant| participant.encode(e));
    }

    fn decode(d: &mut Decoder<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: ConversationId(d.array()?),
            profile: Profile::from_tag(d.u8()?)?,
            principal: Kid(d.array()?),
            tenant: Kid(d.array()?),
            time: TimeMs(d.varint()?),
            purposes: (0..d.count(limits::PURPOSES_MAX)?)
                .map(|_| d.text())
                .collect::<Result<_, _>>()?,
            sealed: d.bytes()?,
            participants: (0..d.count(limits::PARTICIPANTS_MAX)?)
                .map(|_| NewParticipant::decode(d))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl<'a> NewParticipant<'a> {
    fn encode(&self, e: &mut Encoder) {
        e.fixed(self.kid.as_bytes())
            .u8(self.kind as u8)
            .bytes(self.sealed);
    }

    fn decode(d: &mut Decoder<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            kid: Kid(d.array()?),
            kind: ParticipantKind::from_tag(d.u8()?)?,
            sealed: d.bytes()?,
        })
    }
}

impl<'a> Append<'a> {
    fn encode(&self, e: &mut Encoder) {
        e.fixed(self.conversation.as_bytes())
            .fixed(self.id.as_bytes())
            .fixed(&self.mac.0)
            .varint(self.time.0);
        match &self.author {
            ParticipantRef::Number(number) => {
                e.u8(0).varint(u64::from(*number));
            }
            ParticipantRef::New(participant) => participant.encode(e.u8(1)),
        }
        e.u8(self.purpose).varint(self.sections.len() as u64);
        self.sections.iter().for_each(|section| section.encode(e));
        match self.after {
            None => e.u8(0),
            Some(after) => e.u8(1).fixed(after.as_bytes()),
        };
    }

    fn decode(d: &mut Decoder<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            conversation: ConversationId(d.array()?),
            id: MessageId(d.array()?),
            mac: RequestMac(d.array()?),
            time: TimeMs(d.varint()?),
            author: match d.u8()? {
                0 => ParticipantRef::Number(d.varint_u32()?),
                1 => ParticipantRef::New(NewParticipant::decode(d)?),
                unknown => return Err(DecodeError::UnknownTag(unknown)),
            },
            purpose: d.u8()?,
            sections: (0..d.count(limits::PARTS_MAX)?)
                .map(|_| Section::decode(d))
                .collect::<Result<_, _>>()?,
            after: match d.u8()? {
                0 => None,
                1 => Some(MessageId(d.array()?)),
                unknown => return Err(DecodeError::UnknownTag(unknown)),
            },
        })
    }
}

impl<'a> Section<'a> {
    fn encode(&self, e: &mut Encoder) {
        match &self.keys {
            KeySetRef::Number(number) => {
                e.u8(0).varint(u64::from(*number));
            }
            KeySetRef::Inline { day, refs, owners } => {
                e.u8(1)
                    .varint(u64::from(day.0))
                    .bytes(refs)
                    .varint(owners.len() as u64);
                owners.iter().for_each(|owner| {
                    e.fixed(owner.as_bytes());
                });
            }
        }
        e.bytes(self.envelope);
    }

    fn decode(d: &mut Decoder<'a>) -> Result<Self, DecodeError> {
        let keys = match d.u8()? {
            0 => KeySetRef::Number(d.varint_u32()?),
            1 => KeySetRef::Inline {
                day: Day(d.varint_u32()?),
                refs: d.bytes()?,
                owners: (0..d.count(limits::ABOUT_MAX + 1)?)
                    .map(|_| Ok(Kid(d.array()?)))
                    .collect::<Result<_, DecodeError>>()?,
            },
            unknown => return Err(DecodeError::UnknownTag(unknown)),
        };
        Ok(Self {
            keys,
            envelope: d.bytes()?,
        })
    }
}
