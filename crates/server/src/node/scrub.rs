//! Looks at what this node has applied, slowly and for ever: whether every rule holds that holds in every state. What is
//! broken is counted and logged by the rule's name; nothing is repaired, and no id is told.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use eunoe_core::invariant::{Invariant, Pass, Progress};
use eunoe_raft::GroupHandle;
use eunoe_types::{Fault, GroupId};

use super::{NodeError, Shared};
use crate::telemetry::{Attribute, count, metrics};

/// Time between two looks at each group.
const PAUSE: Duration = Duration::from_millis(100);
/// Rows of one look: with the pause, at most 250 a second of each group, and half a millisecond of work at a time.
const ROWS: usize = 25;
/// Looks that are left out after a pass: a minute.
const REST: u32 = 600;

/// The walk over one group.
struct Scrub {
    group: GroupHandle,
    pass: Pass,
    /// Rules that this pass has found broken.
    told: BTreeSet<Invariant>,
    /// Looks to leave out.
    rest: u32,
}

/// Walks over all groups until the node ends.
pub(super) async fn scrub(shared: Arc<Shared>) -> Result<(), NodeError> {
    let mut scrubs: Vec<Scrub> = shared.groups()?.all().cloned().map(Scrub::new).collect();
    loop {
        tokio::time::sleep(PAUSE).await;
        for scrub in &mut scrubs {
            scrub.look()?;
            tokio::task::yield_now().await;
        }
    }
}

impl Scrub {
    fn new(group: GroupHandle) -> Self {
        Self {
            pass: Pass::new(group.id()),
            group,
            told: BTreeSet::new(),
            rest: 0,
        }
    }

    fn look(&mut self) -> Result<(), Fault> {
        if self.rest > 0 {
            self.rest -= 1;
            return Ok(());
        }
        let pass = &mut self.pass;
        let progress = self.group.with_view(|view| pass.step(view, ROWS))??;
        self.tell(&progress);
        if progress.is_over {
            count(&metrics::SCRUB_PASSES, 1, &[Attribute::Group(self.group.id())]);
            *self = Self {
                rest: REST,
                ..Self::new(self.group.clone())
            };
        }
        Ok(())
    }

    fn tell(&mut self, progress: &Progress) {
        let group: GroupId = self.group.id();
        for invariant in &progress.broken {
            let labels = [Attribute::Group(group), Attribute::Invariant(*invariant)];
            count(&metrics::INVARIANT_VIOLATIONS, 1, &labels);
            if self.told.insert(*invariant) {
                tracing::error!(%group, %invariant, "stored rows break a rule: the state of this node is damaged or a bug made it");
            }
        }
    }
}
