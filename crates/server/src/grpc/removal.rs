//! Removal in order: the node that leaves says that it destroyed its keys before its admission ends, and only when the
//! others hold the root without it.

use std::time::Duration;

use eunoe_core::control;
use eunoe_types::{NodeId, Retry};
use futures::future::join_all;
use tokio::time::Instant;

use super::cluster::{CHANGE_TIMEOUT, Operator};
use crate::edge::{ApiError, ApiResult};

/// How long the others may take to share the root without the node that leaves.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(30);
const REFRESH_PAUSE: Duration = Duration::from_millis(100);

/// Whether a node may be removed in order, as far as can be known before anything is changed.
///
/// # Errors
///
/// FAILED_PRECONDITION with the reason: its word is needed and it does not answer (`NODE_SILENT`), or the others do not
/// hold the root (`TOO_FEW_HOLDERS`). UNAVAILABLE if another node has to be asked, because this is the one.
pub(super) async fn check(operator: &Operator, id: NodeId) -> ApiResult<()> {
    if !needs_word(operator, id)? {
        return Ok(());
    }
    if id == operator.groups.control().node_id() {
        return Err(ApiError {
            retry: Retry::OtherNode,
            ..ApiError::unavailable(
                "ASK_ANOTHER_NODE",
                "a node does not remove itself; ask another one",
            )
        });
    }
    if operator.peers.ping(id).await.is_err() {
        return Err(ApiError::precondition(
            "NODE_SILENT",
            "the node does not answer, so nothing says that it destroyed its share; start it, or remove it as lost: \
             then what is erased of its time is DESTROYED by the others' word, and never in full",
        ));
    }
    others_hold_the_root(operator, id).await
}

/// Makes a node that is out of every group destroy its roots and say so.
///
/// # Errors
///
/// As [`check`]; with an unknown outcome if it did not say so in time. Asking again is safe.
pub(super) async fn retire(operator: &Operator, id: NodeId) -> ApiResult<()> {
    // So that it is known here who votes without it, and what it said before.
    operator.groups.control().read_barrier(CHANGE_TIMEOUT).await?;
    if !needs_word(operator, id)? {
        return Ok(());
    }
    others_hold_the_root(operator, id).await?;
    if operator.peers.retire(id).await.is_err() {
        return Err(ApiError::unknown(
            "the node did not say yet that it destroyed its keys; asking again is safe",
        ));
    }
    Ok(())
}

/// Whether a node may hold roots, and has not said that it holds none.
fn needs_word(operator: &Operator, id: NodeId) -> ApiResult<bool> {
    let control = operator.groups.control();
    let row = control.with_view(|view| control::holder(view, id))??;
    Ok(row.is_some_and(|row| !row.retired))
}

/// Waits until the current root is shared among others than `id`: once it is out of the control group nobody reaches its
/// share, and then it destroys it. The leader of the control group sees to that for a node that is leaving.
///
/// # Errors
///
/// With an unknown outcome, if that takes too long. Asking again is safe.
pub(super) async fn await_refresh(operator: &Operator, id: NodeId) -> ApiResult<()> {
    let control = operator.groups.control();
    let deadline = Instant::now() + REFRESH_TIMEOUT;
    while control.with_view(|view| control::shares_root(view, id))?? {
        if Instant::now() >= deadline {
            return Err(ApiError::unknown(
                "the root is not shared among the others yet, so the node still has to keep its share; asking again is safe",
            ));
        }
        tokio::time::sleep(REFRESH_PAUSE).await;
    }
    Ok(())
}

/// Whether most of the voters without `id` hold the root, so that they can share it anew without it. Nodes leave the
/// control group one after the other, so that two of them never count on each other.
async fn others_hold_the_root(operator: &Operator, id: NodeId) -> ApiResult<()> {
    let control = operator.groups.control();
    let voters = control.leadership().members.voters.into_iter();
    let others: Vec<NodeId> = voters.filter(|voter| *voter != id).collect();
    let states = join_all(others.iter().map(async |voter| {
        if *voter == control.node_id() {
            return (operator.own)().unsealed;
        }
        let state = operator.peers.ping(*voter).await;
        state.is_ok_and(|state| state.unsealed)
    }));
    let unsealed = states.await.into_iter().filter(|unsealed| *unsealed).count();
    if 2 * unsealed <= others.len() {
        return Err(ApiError::precondition(
            "TOO_FEW_HOLDERS",
            "most of the other voters do not hold the root key now; without this node it could be lost",
        ));
    }
    Ok(())
}
