//! State in RocksDB, one database per group: no write-ahead log, one column family, the applied position in
//! the same batch as the changes it covers.
//!
//! With one column family the memtables are flushed in the order in which they were filled, so that what a
//! crash leaves is a prefix of the commits (with several, `atomic_flush` would be needed). The Raft log
//! replays the rest. Values are ciphertext: nothing is compressed.
//!
//! Only this module may name `rocksdb`.

mod engine;
mod factory;
mod options;
mod swap;

pub(crate) use engine::check as fsck_database;
pub use engine::{RocksState, RocksView};
pub use factory::RocksStates;
pub(crate) use factory::{STATE_DIR, check_format};
pub use options::RocksOptions;
pub(crate) use swap::is_unfinished as is_replacement_unfinished;

use eunoe_types::{Fault, GroupId};

/// RocksDB's messages name files and never content, so they may be shown.
fn fault(action: &str, group: GroupId, error: &rocksdb::Error) -> Fault {
    Fault::broken(format!("cannot {action} the state of group {group}: {error}"))
}

#[cfg(test)]
#[path = "rocks_test.rs"]
mod tests;
