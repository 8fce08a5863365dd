//! When the root is to be shared anew although nothing is erased: because the voters are other nodes than its holders, or
//! because a holder lost its share (erasure.md §4.5, §4.9). Each day without it is a day on which fewer lost vaults end
//! all data.

use std::sync::Arc;
use std::time::Duration;

use eunoe_core::control;
use eunoe_types::NodeId;
use futures::future::join_all;
use tokio::time::Instant;

use super::epochs::may_keep_share;
use super::{NodeError, Shared};

/// How often holders are compared with voters.
const INTERVAL: Duration = Duration::from_secs(2);

/// When holders were compared last.
#[derive(Default)]
pub(super) struct Refresh {
    looked: Option<Instant>,
}

/// Whether the root should be shared anew, and can be: a voter that answers keeps no share of it that counts, or somebody
/// keeps one who does not vote any more. A holder that does not answer is waited for.
pub(super) async fn is_due(shared: &Arc<Shared>, refresh: &mut Refresh) -> Result<bool, NodeError> {
    let now = Instant::now();
    if refresh.looked.is_some_and(|looked| now < looked + INTERVAL) || shared.keyring.unsealed().is_err() {
        return Ok(false);
    }
    refresh.looked = Some(now);
    let control = shared.groups()?.control().clone();
    let root = control.with_view(control::root)??;
    let Some(made) = root.and_then(|root| root.made) else {
        return Ok(false);
    };
    let sharers = control.with_view(may_keep_share)??;
    let voters: Vec<NodeId> = control.leadership().members.voters;
    let wanted: Vec<NodeId> = voters.into_iter().filter(|id| sharers.contains(id)).collect();
    if made.kept.iter().any(|id| !wanted.contains(id)) {
        return Ok(true);
    }
    let own = shared.config.node_id;
    // One that ended before it could say that its vault has a share does not count as a holder, whatever it has.
    let counts = |id: &NodeId| made.kept.contains(id);
    let lacks = join_all(wanted.iter().map(async |id| {
        if *id == own {
            return !counts(id) || !shared.keeps_share();
        }
        let state = shared.peers.ping(*id).await;
        let answers = state
            .ok()
            .filter(|state| state.started && state.lease_left_ms > 0);
        answers.is_some_and(|state| !counts(id) || !state.share_kept)
    }));
    Ok(lacks.await.contains(&true))
}
