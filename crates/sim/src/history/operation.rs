//! What is asked.

use super::{Chat, ErasureNo, Person, Request, Seq, Tenant, Text, Tick};

/// A call's request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Opens a conversation.
    Create(Create),
    /// Ends one.
    Close(Chat),
    /// Adds a message.
    Append(Append),
    /// One page of messages. However it was asked for, it is written down in ascending order.
    Read(Chat),
    /// Follows a conversation.
    Tail {
        /// Which.
        chat: Chat,
        /// From where.
        start: TailStart,
    },
    /// Asks for an erasure.
    Erase(Erase),
    /// Looks at one.
    Look(ErasureNo),
}

/// Whose keys a conversation needs beside its own and the tenant's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// The principal's, for everything.
    Support(Person),
    /// The author's.
    Peer,
}

/// Opens a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Create {
    /// The conversation.
    pub chat: Chat,
    /// Its tenant.
    pub tenant: Tenant,
    /// Who owns what.
    pub profile: Profile,
}

/// Adds a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// Where.
    pub chat: Chat,
    /// Who writes.
    pub author: Person,
    /// Whom else it is about.
    pub about: Vec<Person>,
    /// The request id.
    pub request: Request,
    /// The body.
    pub text: Text,
}

/// Where a tail begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TailStart {
    /// After what is there.
    Now,
    /// After this message.
    After(Seq),
    /// After a position token.
    Position {
        /// The message that it stands behind.
        seq: Seq,
        /// When the answer that it came with arrived.
        given: Tick,
    },
}

impl TailStart {
    /// The message that it begins behind, where that is known.
    pub fn seq(self) -> Option<Seq> {
        match self {
            Self::Now => None,
            Self::After(seq) | Self::Position { seq, .. } => Some(seq),
        }
    }
}

/// What is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A person, with the SUPPORT conversations whose principal it is.
    Person(Tenant, Person),
    /// One conversation.
    Chat(Chat),
    /// A controller with everything.
    Tenant(Tenant),
}

/// Asks for an erasure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erase {
    /// Of what.
    pub target: Target,
    /// The request id, where one was sent.
    pub request: Option<Request>,
}
