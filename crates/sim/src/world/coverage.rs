//! What happened: a run that met no fault proves nothing about faults.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident $word:literal;)*) => {
        /// Something that happened in a world.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Event {
            $($(#[$doc])* $name,)*
        }

        impl Event {
            /// All of them.
            pub const ALL: &[Event] = &[$(Event::$name),*];

            fn word(self) -> &'static str {
                match self {
                    $(Event::$name => $word,)*
                }
            }
        }
    };
}

events! {
    /// Links of a node were cut both ways.
    NodeCutOff "a node cut off";
    /// A link was cut one way.
    OneWayCut "a link cut one way";
    /// The cluster was cut in two.
    Partition "a partition";
    /// Links were clogged one by one and opened in another order.
    Swizzle "links clogged and opened in another order";
    /// A parcel was lost.
    ParcelLost "parcels lost";
    /// A parcel took very long, and was overtaken.
    ParcelLate "parcels late and overtaken";
    /// A process was killed; what it wrote was kept.
    ProcessKilled "a process killed";
    /// A machine lost its power, and with it what was not synced.
    PowerLost "a machine without power";
    /// Writes were lost by that.
    WritesLost "unsynced writes lost";
    /// All machines lost their power at once.
    AllPowerLost "all machines without power";
    /// A process stood still.
    ProcessPaused "a process stopped for a while";
    /// A process stood still for longer than its lease.
    PausedBeyondLease "a process stopped for longer than its lease";
    /// The time of day jumped.
    TimeJumped "the time of day jumped";
    /// The time of day jumped by up to a day.
    DayJumped "the time of day jumped by up to a day";
    /// A disk was slow.
    DiskSlow "a slow disk";
    /// A sync failed.
    SyncFailed "a failed sync";
    /// Commits of the state failed.
    CommitFailed "failed commits";
    /// Reads of the disk failed.
    ReadFailed "failed reads";
    /// A flush of the state failed.
    FlushFailed "failed flushes";
    /// A vault did not answer.
    VaultFailed "a failed vault";
    /// A vault lost its share of the current root.
    ShareLost "a lost share of the current root";
    /// A root counts that no erasure asked for: its holders changed, or one lost its share.
    Refreshed "the root shared anew without an erasure";
    /// An erasure was destroyed while a holder was silent.
    DestroyedByMost "an erasure destroyed by enough holders";
    /// A node found itself unfit and ended.
    NodeUnfit "a node that ended itself";
    /// A node was added.
    NodeAdded "a node added";
    /// A node was removed.
    NodeRemoved "a node removed";
    /// A leader was asked to hand over.
    LeaderMoved "a leader moved";
    /// Another node leads a group than before.
    LeaderChanged "a change of leaders";
    /// A snapshot was installed on another node.
    SnapshotSent "a snapshot sent and installed";
    /// An erasure was fenced.
    Fenced "an erasure fenced";
    /// An erasure was rekeyed.
    Rekeyed "an erasure rekeyed";
    /// An erasure was destroyed on all nodes.
    Destroyed "an erasure destroyed in full";
    /// A tail was reset by an erasure.
    TailReset "a tail reset by an erasure";
    /// A node refused because it had no keys, or no lease on them.
    WithoutKeys "a call refused for want of keys or of a lease";
    /// A call's outcome was unknown and it was sent again.
    SentAgain "a call sent again with its request id";
    /// And was answered as a repetition.
    Replay "a repeated call answered as the first";
    /// A read showed an erased message in its place.
    ErasedShown "an erased message shown in its place";
}

/// Counts events. Clones count together.
#[derive(Clone, Default)]
pub struct Coverage(Arc<Mutex<BTreeMap<Event, u64>>>);

impl Coverage {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Event, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It happened.
    pub fn count(&self, event: Event) {
        *self.lock().entry(event).or_default() += 1;
    }

    /// How often it happened.
    pub fn times(&self, event: Event) -> u64 {
        self.lock().get(&event).copied().unwrap_or_default()
    }

    /// Adds another's counts.
    pub fn add(&self, other: &Coverage) {
        let other = other.lock().clone();
        let mut own = self.lock();
        for (event, times) in other {
            *own.entry(event).or_default() += times;
        }
    }

    /// What never happened.
    pub fn missing(&self) -> Vec<Event> {
        Event::ALL
            .iter()
            .copied()
            .filter(|event| self.times(*event) == 0)
            .collect()
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for event in Event::ALL {
            writeln!(f, "{:>10}  {event}", self.times(*event))?;
        }
        Ok(())
    }
}
