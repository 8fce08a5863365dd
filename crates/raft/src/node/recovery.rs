//! What a power failure can leave behind that openraft does not expect.
//!
//! Entries are applied when they are committed, which a majority that this node is not part of may have seen to. So the
//! state that was flushed may be ahead of the log that was synced. openraft then purges the log up to the state, but
//! relies on two things: that the log does not hold other entries where the state has gone past them, and that there is a
//! snapshot of all that is purged.

use std::io;

use eunoe_store::LogEngine;
use eunoe_types::Fault;
use openraft::storage::RaftLogStorage as _;

use crate::log_store::LogStore;
use crate::state::StateMachine;
use crate::types::LogId;

/// Makes log, state and snapshot of a group fit each other, before openraft sees them.
pub(super) async fn settle<L: LogEngine>(log: &mut LogStore<L>, machine: &StateMachine) -> Result<(), Fault> {
    let Some(applied) = machine.last_applied()? else {
        return Ok(());
    };
    let ends = log.get_log_state().await.map_err(unreadable)?;
    let last = ends.last_log_id.as_ref();
    if last.is_some_and(|last| is_overtaken(last, &applied)) {
        log.truncate_before(applied.index).await.map_err(unreadable)?;
    }
    let purged = if last < Some(&applied) {
        Some(applied)
    } else {
        ends.last_purged_log_id
    };
    if machine.last_snapshot() < purged {
        machine.make_snapshot().await?;
    }
    Ok(())
}

fn unreadable(error: io::Error) -> Fault {
    Fault::io("making a log fit its state", error)
}

/// Whether a log that ends so holds entries of an older term where other ones were committed and applied.
fn is_overtaken(last: &LogId, applied: &LogId) -> bool {
    last < applied && last.index >= applied.index
}
