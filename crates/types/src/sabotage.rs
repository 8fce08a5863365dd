//! Faults that are put in on purpose, so that a search for violations can prove that it would find them.
//!
//! Each names a promise and the one place where it can be broken. Without the feature `sabotage`, which no build of
//! a node has, [`is`] is false where it is compiled, and nothing of a fault is left.

/// A promise that is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// A leader answers a proposal before it is committed.
    AckBeforeCommit,
    /// A read of a data group is served from what this node has, without asking a leader.
    StaleRead,
    /// The same of the control group, whose word says which keys may still be used.
    SkipControlBarrier,
    /// A key lease is granted or kept without a round of the voters.
    LeaseWithoutRound,
    /// What follows from a fence is done when its entry is seen, and never for one that the state has already: after a
    /// start, or with a snapshot.
    EffectOnEntry,
    /// A holder says that it keeps its share of a new root, and does not.
    UnkeptShareCounts,
    /// Keys count as destroyed by the word of one holder.
    DestroyedEarly,
    /// A node says that it destroyed its share before it did.
    WordBeforeDeed,
}

/// Whether `fault` was selected. Constantly false without the feature.
#[cfg(not(feature = "sabotage"))]
#[inline(always)]
pub const fn is(_fault: Sabotage) -> bool {
    false
}

#[cfg(feature = "sabotage")]
pub use selected::{is, select};

#[cfg(feature = "sabotage")]
mod selected {
    use std::cell::Cell;

    use super::Sabotage;

    thread_local! {
        static SELECTED: Cell<Option<Sabotage>> = const { Cell::new(None) };
    }

    /// From now on everything that runs on this thread has `fault`, or none.
    pub fn select(fault: Option<Sabotage>) {
        SELECTED.set(fault);
    }

    /// Whether `fault` was selected on this thread.
    pub fn is(fault: Sabotage) -> bool {
        SELECTED.get() == Some(fault)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn one_fault_at_a_time_and_none_at_first() {
            assert!(!is(Sabotage::StaleRead));
            select(Some(Sabotage::StaleRead));
            assert!(is(Sabotage::StaleRead) && !is(Sabotage::EffectOnEntry));
            select(None);
            assert!(!is(Sabotage::StaleRead));
        }
    }
}
