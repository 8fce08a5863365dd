//! A cluster in one process: real Raft, real logs on disk, state in memory or in RocksDB, connections that can be cut.

pub(crate) mod ledger;
pub(crate) mod net;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use eunoe_core::Effect;
use eunoe_raft::{Blocking, GroupHandle, Node, NodeParts, ProposeError, RaftConfig, RaftNode, StateObserver};
use eunoe_store::{MemStates, RocksOptions, RocksStates, SegmentLog, SegmentLogOptions, StateFactory};
use eunoe_types::{GroupId, NodeId};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use ledger::Ledger;
use net::{Link, Net};

pub(crate) const GROUP: GroupId = GroupId(1);
/// Long enough for the slowest machine; nothing waits so long unless it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);

/// Times that keep leaders stable on a busy machine.
pub(crate) fn config() -> RaftConfig {
    RaftConfig {
        heartbeat_interval: Duration::from_millis(100),
        election_timeout_min: Duration::from_millis(1_000),
        election_timeout_max: Duration::from_millis(2_000),
        ..RaftConfig::fast()
    }
}

/// Counts the snapshots that replaced the state.
#[derive(Default)]
pub(crate) struct Observer {
    pub(crate) replacing: AtomicU64,
    pub(crate) replaced: AtomicU64,
}

impl StateObserver for Observer {
    fn applied(&self, _group: GroupId, _effects: &[Effect]) {}

    fn replacing(&self, _group: GroupId) {
        self.replacing.fetch_add(1, Ordering::SeqCst);
    }

    fn replaced(&self, _group: GroupId) {
        self.replaced.fetch_add(1, Ordering::SeqCst);
    }
}

pub(crate) struct Member {
    pub(crate) raft: RaftNode,
    pub(crate) group: GroupHandle,
    pub(crate) observer: Arc<Observer>,
}

/// State stores of one node.
pub(crate) trait States: StateFactory + Sized {
    fn at(dir: &Path) -> Self;

    /// What a crash does to them, after the node has stopped.
    fn crash(&self);
}

impl States for MemStates {
    fn at(dir: &Path) -> Self {
        MemStates::new(dir.to_owned())
    }

    /// Nothing that was not flushed is left.
    fn crash(&self) {
        MemStates::crash(self, 0);
    }
}

impl States for RocksStates {
    fn at(dir: &Path) -> Self {
        RocksStates::new(dir, &RocksOptions::default()).unwrap()
    }

    /// RocksDB flushes when it is closed.
    fn crash(&self) {}
}

/// A cluster with state in memory.
pub(crate) type MemCluster = Cluster<MemStates>;

pub(crate) struct Cluster<S> {
    pub(crate) net: Arc<Net>,
    pub(crate) config: RaftConfig,
    members: BTreeMap<u64, Member>,
    states: BTreeMap<u64, Arc<S>>,
    dir: TempDir,
}

pub(crate) fn peer(id: u64) -> Node {
    Node {
        address: format!("node-{id}:1"),
        spki_sha256: [u8::try_from(id).unwrap(); 32],
    }
}

/// A command: the number by which the ledger knows it, then `bytes` of anything.
pub(crate) fn command(number: u64, bytes: usize) -> Bytes {
    let mut command = number.to_be_bytes().to_vec();
    command.resize(8 + bytes, 0xAB);
    command.into()
}

/// Waits until `is_so`; the test fails if it never is.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let waited = timeout(PATIENCE, async {
        while !is_so() {
            sleep(POLL).await;
        }
    });
    assert!(waited.await.is_ok(), "never happened: {what}");
}

/// What must end in bounded time.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("never ended: {what}"))
}

/// Opens a log that a call of another node may still hold for a moment.
async fn open_log(path: &Path) -> SegmentLog {
    let options = SegmentLogOptions {
        segment_bytes: 64 << 10,
        ..SegmentLogOptions::default()
    };
    within("the log's release", async {
        loop {
            match SegmentLog::open(path, &options) {
                Ok(log) => return log,
                Err(fault) if fault.to_string().contains("lock") => sleep(POLL).await,
                Err(fault) => panic!("{fault}"),
            }
        }
    })
    .await
}

impl<S: States> Cluster<S> {
    /// A cluster whose voters are 1 to `count`, with a leader.
    pub(crate) async fn start(count: u64, config: RaftConfig) -> Self {
        let mut cluster = Self::empty(config);
        for id in 1..=count {
            cluster.open(id).await;
        }
        let members = (1..=count).map(|id| (NodeId(id), peer(id))).collect();
        cluster.group(1).initialize(members).await.unwrap();
        cluster.leader().await;
        cluster
    }

    pub(crate) fn empty(config: RaftConfig) -> Self {
        Self {
            net: Arc::default(),
            config,
            members: BTreeMap::new(),
            states: BTreeMap::new(),
            dir: TempDir::new().unwrap(),
        }
    }

    fn node_dir(&self, id: u64) -> PathBuf {
        self.dir.path().join(format!("node-{id}"))
    }

    /// The log of a node that is not running.
    pub(crate) async fn log_of(&self, id: u64) -> SegmentLog {
        open_log(&self.node_dir(id).join("log")).await
    }

    /// Starts node `id` with what its disk holds.
    pub(crate) async fn open(&mut self, id: u64) {
        let path = self.node_dir(id);
        let states = self
            .states
            .entry(id)
            .or_insert_with(|| Arc::new(S::at(&path.join("state"))));
        let observer = Arc::new(Observer::default());
        let parts = NodeParts {
            id: NodeId(id),
            config: self.config.clone(),
            log: open_log(&path.join("log")).await,
            states: Arc::clone(states),
            transport: Arc::new(Link {
                from: id,
                net: Arc::clone(&self.net),
            }),
            observer: observer.clone(),
            blocking: Blocking::Pool,
        };
        let raft = RaftNode::new(parts).unwrap();
        let group = raft.start_group(GROUP, Arc::new(Ledger)).await.unwrap();
        self.net.plug(id, raft.clone());
        self.members.insert(
            id,
            Member {
                raft,
                group,
                observer,
            },
        );
    }

    /// Stops node `id` and loses what its state did not flush.
    pub(crate) async fn crash(&mut self, id: u64) {
        self.net.unplug(id);
        let member = self.members.remove(&id).unwrap();
        within("shutdown", member.raft.shutdown()).await;
        drop(member);
        self.states[&id].crash();
    }

    pub(crate) fn group(&self, id: u64) -> GroupHandle {
        self.members[&id].group.clone()
    }

    pub(crate) fn member(&self, id: u64) -> &Member {
        &self.members[&id]
    }

    pub(crate) fn ids(&self) -> Vec<u64> {
        self.members.keys().copied().collect()
    }

    /// Cuts `id` off from all others, both ways.
    pub(crate) fn isolate(&self, id: u64) {
        self.net
            .isolate(id, self.ids().into_iter().filter(|other| *other != id));
    }

    /// The leader that all nodes agree on.
    pub(crate) async fn leader(&self) -> u64 {
        self.leader_among(&self.ids()).await
    }

    /// The leader that `ids` agree on, one of them.
    pub(crate) async fn leader_among(&self, ids: &[u64]) -> u64 {
        let mut found = 0;
        eventually("a leader", || {
            let known: BTreeSet<_> = ids.iter().map(|id| self.group(*id).leadership().leader).collect();
            match (known.len(), known.first()) {
                (1, Some(Some(leader))) if ids.contains(&leader.0) => {
                    found = leader.0;
                    self.group(found).leadership().is_leader
                }
                _ => false,
            }
        })
        .await;
        found
    }

    /// Proposes `number` until it is acknowledged by one of `ids`.
    pub(crate) async fn acknowledge(&self, ids: &[u64], number: u64, bytes: usize) {
        within("an acknowledgement", async {
            loop {
                let leader = self.leader_among(ids).await;
                match self.group(leader).propose(command(number, bytes)).await {
                    Ok(_) => return,
                    Err(
                        ProposeError::Unknown | ProposeError::NotLeader { .. } | ProposeError::Overloaded,
                    ) => {
                        sleep(POLL).await;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        })
        .await;
    }

    /// What node `id` shows to a reader who comes now.
    pub(crate) async fn read(&self, id: u64) -> Vec<u64> {
        self.group(id).read_barrier(PATIENCE).await.expect("a barrier");
        ledger::read(&self.group(id))
    }

    /// All nodes show the same, and all of `numbers`.
    pub(crate) async fn all_show(&self, numbers: impl IntoIterator<Item = u64>) {
        let first = self.read(self.ids()[0]).await;
        for id in self.ids() {
            assert_eq!(self.read(id).await, first, "node {id} shows something else");
        }
        let shown: BTreeSet<u64> = first.iter().copied().collect();
        assert_eq!(shown.len(), first.len(), "something is there twice");
        for number in numbers {
            assert!(shown.contains(&number), "{number} is lost");
        }
    }

    pub(crate) async fn shutdown(mut self) {
        for id in self.ids() {
            self.net.unplug(id);
        }
        while let Some((_, member)) = self.members.pop_first() {
            within("shutdown", member.raft.shutdown()).await;
        }
    }
}
