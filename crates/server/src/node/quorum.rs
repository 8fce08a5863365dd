//! Whether this node knows a quorum of each of its groups, and has a key lease: what makes it useful to a client, beside that
//! it runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use eunoe_raft::RaftConfig;
use eunoe_types::GroupId;
use tokio::time::Instant;

use super::{NodeError, Shared};

/// How often it is looked at.
const INTERVAL: Duration = Duration::from_millis(500);

/// When a quorum of each group was known last.
#[derive(Default)]
pub(super) struct Quorums(Mutex<BTreeMap<GroupId, Instant>>);

impl Quorums {
    /// Sees how long ago each group had a quorum as far as this node knows now; none if it knows of no quorum.
    fn look(&self, now: Instant, groups: impl Iterator<Item = (GroupId, Option<Duration>)>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (group, silence) in groups {
            // One that never had a quorum has none since it was looked at first.
            let before = *known.entry(group).or_insert(now);
            let heard = silence.and_then(|silence| now.checked_sub(silence));
            known.insert(group, heard.map_or(before, |heard| heard.max(before)));
        }
    }

    /// How long each group has had no quorum.
    pub(super) fn silences(&self, now: Instant) -> Vec<(GroupId, Duration)> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = |heard: &Instant| now.saturating_duration_since(*heard);
        known
            .iter()
            .map(|(group, heard)| (*group, since(heard)))
            .collect()
    }
}

/// How long a group may have no quorum before that is more than an election: two of them, because the first may be split.
fn election() -> Duration {
    2 * RaftConfig::default().election_timeout_max
}

/// Looks at the groups for as long as they run, and tells the probe what keeps the node from being of use.
pub(super) async fn watch(shared: Arc<Shared>) -> Result<(), NodeError> {
    let patience = election();
    loop {
        // None when the node ends.
        let Ok(groups) = shared.groups() else {
            return Ok(());
        };
        let now = Instant::now();
        let seen = groups.all().map(|group| (group.id(), group.quorum_silence()));
        shared.quorums.look(now, seen);
        drop(groups);
        let silent = shared
            .quorums
            .silences(now)
            .into_iter()
            .any(|(_, silence)| silence > patience);
        let why = if silent {
            Some("a group has no quorum that this node knows of")
        } else if shared.keyring.lease().left_ms() == 0 {
            Some("the lease of the node's keys is over")
        } else {
            None
        };
        if shared.health.impair(why)
            && let Some(why) = why
        {
            tracing::warn!(why, "the node is not ready");
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_grows_from_the_last_quorum_that_was_known() {
        let (quorums, begun) = (Quorums::default(), Instant::now());
        let at = |seconds| begun + Duration::from_secs(seconds);
        let (one, two) = (GroupId(1), GroupId(2));
        let silences = |seconds| {
            let silences = quorums.silences(at(seconds)).into_iter();
            silences
                .map(|(group, silence)| (group.0, silence.as_secs()))
                .collect::<Vec<_>>()
        };
        quorums.look(at(10), [(one, Some(Duration::ZERO)), (two, None)].into_iter());
        assert_eq!(silences(10), [(1, 0), (2, 0)]);
        quorums.look(
            at(15),
            [(one, Some(Duration::from_secs(3))), (two, None)].into_iter(),
        );
        assert_eq!(silences(15), [(1, 3), (2, 5)]);
        // It lost the leadership and knows no other leader: what it knew before counts.
        quorums.look(at(20), [(one, None), (two, Some(Duration::ZERO))].into_iter());
        assert_eq!(silences(21), [(1, 9), (2, 1)]);
    }
}
