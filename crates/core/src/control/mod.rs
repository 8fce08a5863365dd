//! The machine of the control group: what genesis fixed, nodes, sealed key trees, the transparency log's events.
//!
//! It knows keys only by random names and holds their records sealed; it never sees a message.

mod apply;
mod cancel;
#[cfg(test)]
mod codec_test;
mod command;
mod epoch;
mod epoch_command;
mod erase;
mod erasure_command;
mod erasure_query;
mod erasure_row;
mod event;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod holder;
mod invariant;
mod log_query;
mod placement;
mod query;
mod reply;
mod root_row;
mod row;
mod seal;
mod signing;
mod standing;

pub use apply::ControlMachine;
pub use command::{Command, Genesis, NewKey, NewRow, Page, PageName};
pub use epoch::chunk_digest;
pub use epoch_command::{
    AttestDestroyed, BeginEpoch, Decommission, EpochChunk, EpochRowOf, LeaseOver, RegisterKeys, ShareEpoch,
    SwitchEpoch, VaultRolledBack, VerifyEpoch,
};
pub use erasure_command::{CancelErasure, RequestErasure, requester};
pub use erasure_query::{
    FencedKey, LeafRow, current_root, destruction_is_due, erasure, erasures_of, expanding, fenced, holder,
    holders, keys_of_erasure, leaf_rows, missing_holders, pending_epoch, pending_root, returned, root, roots,
    shares_root, sweep_is_due, under_way,
};
pub use erasure_row::{EpochRow, ErasureRow, ErasureState, PendingEpoch, PendingRow, ReturnedRow, Stage};
pub(crate) use invariant::check_row;
pub use log_query::{LogTree, cluster_events, epoch_event, event, event_count, frontier, summary};
pub use placement::placement_policy;
pub use query::{
    cluster_version, epoch, genesis, is_admitted, key_state, leaf_row, node, nodes, page, page_generation,
    staged_page, staged_pages, was_granted,
};
pub use reply::{KeyOutcome, Rejection, Reply};
pub use root_row::{HOLDS_NONE, HolderRow, MadeRoot, RootRow, Sharing, SummaryRow};
pub use row::{GenesisRow, KeyState, KeyStateRow, NodeRow, NodeState};
pub use seal::is_sealed;
pub use signing::{NodeKeys, keys_of, signers};
pub use standing::Standing;
