//! What clients asked, when, and what they were told. Everything is named by small numbers that the world chose, so that
//! a history holds no content and reads the same for the same seed.
//!
//! A [`Tick`] is of one clock that the whole world shares. A call comes before another only if it ended on an earlier tick
//! than the other began on; on the same tick they count as concurrent.

mod answer;
mod operation;
mod show;

use std::fmt;

pub use answer::{
    Appended, Erasure, Outcome, Page, Refusal, Reply, Row, Shown, Step, TailEnd, TailEvent, TailLog,
};
pub use operation::{Append, Create, Erase, Operation, Profile, TailStart, Target};

/// A moment of the world's clock.
pub type Tick = u64;

/// A place in a conversation, from 1.
pub type Seq = u64;

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident $word:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($word, " {}"), self.0)
            }
        }
    )*};
}

numbers! {
    /// Who calls.
    Client "client";
    /// The node that was asked.
    Node "node";
    /// A controller.
    Tenant "tenant";
    /// A name of a person. Somebody who comes back after an erasure may have the same one.
    Person "person";
    /// A conversation.
    Chat "chat";
    /// A request id, chosen by a caller.
    Request "request";
    /// A text. The world uses each for one request of one conversation.
    Text "text";
    /// An erasure, by the id that the server gave it.
    ErasureNo "erasure";
}

/// A call by its place in the history.
pub type CallId = usize;

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its place in the history.
    pub id: CallId,
    /// Who called.
    pub client: Client,
    /// The node that was asked.
    pub node: Node,
    /// When it was sent.
    pub begun: Tick,
    /// When its answer arrived; a tail's, when it was accepted.
    pub ended: Option<Tick>,
    /// What was asked.
    pub operation: Operation,
    /// What was answered.
    pub outcome: Outcome,
    /// What a tail told.
    pub tail: TailLog,
}

impl Call {
    /// The reply, if there is one.
    pub fn reply(&self) -> Option<&Reply> {
        match &self.outcome {
            Outcome::Ok(reply) => Some(reply),
            Outcome::Pending | Outcome::Refused(_) | Outcome::Unknown => None,
        }
    }

    /// Whether it had no effect for sure.
    pub fn is_refused(&self) -> bool {
        matches!(self.outcome, Outcome::Refused(_))
    }

    /// When it took effect at the latest: for ever open, if nobody was told.
    pub fn answered(&self) -> Tick {
        match self.outcome {
            Outcome::Ok(_) | Outcome::Refused(_) => self.ended.unwrap_or(Tick::MAX),
            Outcome::Pending | Outcome::Unknown => Tick::MAX,
        }
    }
}

/// All calls, in the order in which they were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    calls: Vec<Call>,
}

impl History {
    /// A call was sent.
    pub fn begin(&mut self, at: Tick, client: Client, node: Node, operation: Operation) -> CallId {
        let id = self.calls.len();
        self.calls.push(Call {
            id,
            client,
            node,
            begun: at,
            ended: None,
            operation,
            outcome: Outcome::Pending,
            tail: TailLog::default(),
        });
        id
    }

    /// Its answer arrived. A call without one stays [`Outcome::Pending`].
    ///
    /// # Panics
    /// If there is no such call.
    pub fn end(&mut self, call: CallId, at: Tick, outcome: Outcome) {
        let call = &mut self.calls[call];
        call.ended = Some(at);
        call.outcome = outcome;
    }

    /// A tail told something.
    ///
    /// # Panics
    /// If there is no such call.
    pub fn tail_event(&mut self, call: CallId, at: Tick, event: TailEvent) {
        self.calls[call].tail.events.push((at, event));
    }

    /// A tail ended.
    ///
    /// # Panics
    /// If there is no such call.
    pub fn tail_end(&mut self, call: CallId, at: Tick, end: TailEnd) {
        self.calls[call].tail.end = Some((at, end));
    }

    /// All calls.
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// All calls, to change what was written down.
    pub fn calls_mut(&mut self) -> &mut [Call] {
        &mut self.calls
    }
}
