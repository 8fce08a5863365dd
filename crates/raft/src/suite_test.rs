//! openraft's own suite over our log and state machine, on every engine.

use std::path::Path;
use std::sync::Arc;

use eunoe_core::{Applied, Machine, Txn};
use eunoe_store::{
    LogEngine, MemLog, MemStates, RocksOptions, RocksStates, SegmentLog, SegmentLogOptions, StateFactory,
};
use eunoe_types::{Fault, GroupId, LogPosition};
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::{OptionalSend, StorageError};
use tempfile::TempDir;

use crate::Blocking;
use crate::alive::alive;
use crate::log_store::LogStore;
use crate::state::{GroupState, Slot, Snapshots, StateMachine};
use crate::types::TypeConfig;

const GROUP: GroupId = GroupId(1);

/// The suite's entries carry no commands.
struct NoCommands;

impl Machine for NoCommands {
    fn apply(&self, _: &mut Txn<'_>, _: LogPosition, _: &[u8]) -> Result<Applied, Fault> {
        Err(Fault::broken("the suite proposes nothing"))
    }
}

/// Opens new engines in a new directory for each of the suite's tests.
struct Engines<L, F> {
    log: fn(&Path) -> L,
    states: fn(&Path) -> F,
}

impl<L: LogEngine, F: StateFactory> StoreBuilder<TypeConfig, LogStore<L>, StateMachine, TempDir>
    for Engines<L, F>
{
    async fn build(&self) -> Result<(TempDir, LogStore<L>, StateMachine), StorageError<TypeConfig>> {
        let dir = TempDir::new().expect("a temporary directory");
        let (alive, _) = alive();
        let log = LogStore::new(GROUP, (self.log)(&dir.path().join("log")), alive.clone());
        let states = Arc::new((self.states)(&dir.path().join("state")));
        let slot: Arc<dyn GroupState> = Arc::new(Slot::open(GROUP, states).expect("the state opens"));
        let snapshots =
            Arc::new(Snapshots::open(slot.snapshot_dir(), Blocking::Pool).expect("the snapshots open"));
        let observer = Arc::new(|_: GroupId, _: &[eunoe_core::Effect]| {});
        let machine = StateMachine::new(GROUP, Arc::new(NoCommands), slot, snapshots, observer, alive);
        Ok((dir, log, machine.expect("the state is readable").0))
    }
}

async fn run<L: LogEngine, F: StateFactory + OptionalSend>(log: fn(&Path) -> L, states: fn(&Path) -> F) {
    let suite = Suite::test_all(Engines { log, states });
    suite.await.expect("the suite passes");
}

fn segments(dir: &Path) -> SegmentLog {
    SegmentLog::open(dir, &SegmentLogOptions::default()).expect("the log opens")
}

fn in_memory(dir: &Path) -> MemStates {
    MemStates::new(dir.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_memory_engines_pass_the_suite() {
    run(|_| MemLog::new(), in_memory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_engines_on_disk_pass_the_suite() {
    run(segments, |dir| {
        RocksStates::new(dir, &RocksOptions::default()).expect("the directory can be made")
    })
    .await;
}
