//! What can be wrong.

use std::fmt;

use crate::history::Call;

/// A broken promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The history contradicts itself: whoever wrote it down is at fault, not the cluster.
    Recording,
    /// A message that was acknowledged is not there.
    AcknowledgedLost,
    /// A read did not see what was acknowledged or read before it began.
    StaleRead,
    /// An order of calls that no single copy could have given.
    NotLinearizable,
    /// One place holds two messages, or two times.
    TwoInOnePlace,
    /// Times go back in a conversation.
    TimeWentBack,
    /// One request stands in two places, or was added twice.
    Twice,
    /// Places are missing between messages.
    Gap,
    /// Something was shown that nobody had written.
    FromNowhere,
    /// Two bodies were accepted under one request id.
    RequestReused,
    /// A message was added to a conversation after it was closed.
    AfterClose,
    /// A tail left out, repeated or reordered messages.
    TailOrder,
    /// A tail ended or told of something without a reason.
    TailEnd,
    /// A tail from a position before an erasure did not tell of it.
    ErasureUntold,
    /// A call was refused without a reason.
    RefusedWithoutReason,
    /// Something that was fenced was shown to a read that began later.
    ShownAfterFence,
    /// A message was accepted where everything is erased for good.
    AcceptedAfterFence,
    /// Something was shown as erased, and later not.
    Restored,
    /// Something was shown as erased that nobody erased.
    ErasedWithoutReason,
    /// An erasure went back, skipped what it needs, or said what is not true of its step.
    Ladder,
    /// A call of the liveness phase did not succeed.
    NotLive,
    /// Nodes do not answer the same.
    NodesDiffer,
}

impl Kind {
    fn sentence(self) -> &'static str {
        match self {
            Self::Recording => "the history contradicts itself",
            Self::AcknowledgedLost => "an acknowledged message is lost",
            Self::StaleRead => "a read did not see what was there before it began",
            Self::NotLinearizable => "no single copy could have answered so",
            Self::TwoInOnePlace => "one place holds two messages",
            Self::TimeWentBack => "time goes back in a conversation",
            Self::Twice => "one request was added twice",
            Self::Gap => "places are missing",
            Self::FromNowhere => "something was shown that nobody had written",
            Self::RequestReused => "two bodies were accepted under one request id",
            Self::AfterClose => "a closed conversation took a message",
            Self::TailOrder => "a tail left out, repeated or reordered messages",
            Self::TailEnd => "a tail ended without a reason",
            Self::ErasureUntold => "a tail did not tell of an erasure that it had missed",
            Self::RefusedWithoutReason => "a call was refused without a reason",
            Self::ShownAfterFence => "something fenced was shown to a later read",
            Self::AcceptedAfterFence => "a message was accepted where everything is erased",
            Self::Restored => "something erased was readable again",
            Self::ErasedWithoutReason => "something was shown as erased that nobody erased",
            Self::Ladder => "an erasure does not climb its ladder",
            Self::NotLive => "a call did not succeed although everything was in order",
            Self::NodesDiffer => "nodes do not answer the same",
        }
    }
}

/// A broken promise and its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which promise.
    pub kind: Kind,
    /// What exactly.
    pub what: String,
    /// The calls that contradict it or each other, in the order in which they were sent.
    pub calls: Vec<Call>,
}

impl Violation {
    pub(super) fn new(kind: Kind, what: impl Into<String>, calls: &[&Call]) -> Self {
        let mut calls: Vec<Call> = calls.iter().map(|call| (*call).clone()).collect();
        calls.sort_by_key(|call| call.id);
        calls.dedup_by_key(|call| call.id);
        Self {
            kind,
            what: what.into(),
            calls,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}: {}", self.kind, self.kind.sentence(), self.what)?;
        self.calls.iter().try_for_each(|call| write!(f, "\n    {call}"))
    }
}
