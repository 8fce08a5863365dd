//! What is answered.

use super::{ErasureNo, Person, Seq, Text, Tick};

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Not at all: it may have had its effect, or may still.
    Pending,
    /// With a reply.
    Ok(Reply),
    /// Without any effect.
    Refused(Refusal),
    /// With an error that leaves open whether it had an effect.
    Unknown,
}

/// Why a call had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A key that it needs is erased.
    Erased,
    /// There is nothing of this name.
    NotFound,
    /// The conversation is closed.
    Closed,
    /// The request id was used for another body.
    RequestReused,
    /// The node could not: no leader, no lease, overload, stopping. Says nothing about the state.
    Unavailable,
}

/// A reply. Each belongs to the operation of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The conversation is there.
    Created,
    /// The conversation is closed.
    Closed,
    /// The message is in its place.
    Appended(Appended),
    /// A page.
    Page(Page),
    /// A tail was accepted; what it tells is in the call's log.
    Tailing,
    /// An erasure, asked for or looked at.
    Erasure(Erasure),
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its place.
    pub seq: Seq,
    /// Its time.
    pub time: u64,
    /// Whether an earlier call had added it.
    pub replayed: bool,
    /// Whether it was said to be erased already.
    pub erased: bool,
}

/// A page of messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The first place that it shows, or would show.
    pub from: Seq,
    /// Messages, ascending.
    pub rows: Vec<Row>,
    /// Whether nothing was behind them.
    pub end: bool,
}

impl Page {
    /// The last place that it shows; the one before `from` if it is empty.
    pub fn last(&self) -> Seq {
        self.rows
            .last()
            .map_or(self.from.saturating_sub(1), |row| row.seq)
    }
}

/// A message as it was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its place.
    pub seq: Seq,
    /// Its time.
    pub time: u64,
    /// Its author, if the reference was readable.
    pub author: Option<Person>,
    /// Its content.
    pub shown: Shown,
}

/// Content as it was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Readable.
    Text(Text),
    /// A key it needs is gone.
    Erased,
}

impl Shown {
    /// The text, if it was readable.
    pub fn text(self) -> Option<Text> {
        match self {
            Self::Text(text) => Some(text),
            Self::Erased => None,
        }
    }
}

/// What a tail told, and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TailLog {
    /// Events with the ticks on which they arrived.
    pub events: Vec<(Tick, TailEvent)>,
    /// The end, if it had one.
    pub end: Option<(Tick, TailEnd)>,
}

/// An event of a tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TailEvent {
    /// The next message.
    Message(Row),
    /// Something was erased since the position that the tail began at.
    Erased,
    /// Nothing comes any more.
    Closed,
}

/// How a tail ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TailEnd {
    /// ABORTED `ERASED_MEANWHILE`.
    Reset,
    /// Without an error.
    Whole,
    /// The connection broke, the node stopped or could not go on. Says nothing about the state.
    Broken,
    /// The caller left.
    Left,
}

/// How far an erasure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Recorded.
    Requested,
    /// Nothing of it is read any more.
    Fenced,
    /// The current keys do not lead to it.
    Rekeyed,
    /// Destroyed by so many holders that the rest cannot put a root together.
    DestroyedByMost,
    /// Destroyed by every holder.
    Destroyed,
}

/// An erasure as it was shown. Times are the server's, in ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Which.
    pub id: ErasureNo,
    /// How far it is.
    pub step: Step,
    /// When it was fenced.
    pub fenced: Option<u64>,
    /// When it was rekeyed.
    pub rekeyed: Option<u64>,
    /// When it was destroyed.
    pub destroyed: Option<u64>,
    /// How many holders are still awaited.
    pub missing: u32,
}
