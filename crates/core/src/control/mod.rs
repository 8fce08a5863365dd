//! The machine of the control group: what genesis fixed, nodes, sealed key trees, the transparency log's events.
//!
//! It knows keys only by random names and holds their records sealed; it never sees a message.

mod apply;
mod cancel;
#[cfg(test)]
mod codec_test;
mod command;
mod epoch;
mod erase;
mod erasure_command;
mod erasure_query;
mod erasure_row;
mod event;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod holder;
mod invariant;
mod placement;
mod query;
mod reply;
mod row;

pub use apply::ControlMachine;
pub use command::{Command, Genesis, NewKey, NewRow, Page, PageName};
pub use epoch::chunk_digest;
pub use erasure_command::{
    AttestDestroyed, BeginEpoch, CancelErasure, EpochChunk, EpochRowOf, RequestErasure, SwitchEpoch,
};
pub use erasure_query::{
    FencedKey, LeafRow, destruction_is_due, erasure, erasures_of, expanding, fenced, holders,
    keys_of_erasure, leaf_rows, missing_holders, pending_epoch, returned, sweep_is_due, under_way,
};
pub use erasure_row::{
    EpochRow, ErasureRow, ErasureState, HOLDS_NONE, HolderRow, PendingEpoch, PendingRow, ReturnedRow, Stage,
};
pub(crate) use invariant::check_row;
pub use placement::placement_policy;
pub use query::{
    cluster_version, epoch, event, event_count, genesis, key_state, leaf_row, node, nodes, page,
    page_generation, was_granted,
};
pub use reply::{KeyOutcome, Rejection, Reply};
pub use row::{GenesisRow, KeyState, KeyStateRow, NodeRow, NodeState};
