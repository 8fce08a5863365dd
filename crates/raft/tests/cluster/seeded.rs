//! The same seed gives the same run, to the millisecond: on one thread, with a clock that only the timers move, over
//! engines without threads.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eunoe_core::Effect;
use eunoe_raft::{Blocking, GroupHandle, NodeParts, RaftConfig, RaftNode, seed_elections};
use eunoe_store::{MemLog, MemStates};
use eunoe_types::{GroupId, NodeId};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::support::ledger::{self, Ledger};
use crate::support::net::{Link, Net};
use crate::support::{PATIENCE, command, eventually, peer};

const GROUPS: [GroupId; 2] = [GroupId(1), GroupId(2)];
const NODES: [u64; 3] = [1, 2, 3];
/// Calls to the log and commits of states that a crash takes back.
const KEPT: usize = 1;

/// What happened, one line each: when, in which group, on which node, and what.
#[derive(Clone)]
struct Trace {
    begun: Instant,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Trace {
    fn note(&self, group: GroupId, node: u64, what: impl std::fmt::Debug) {
        let at = self.begun.elapsed().as_millis();
        self.lines
            .lock()
            .unwrap()
            .push(format!("{at} group {group} node {node}: {what:?}"));
    }

    /// Notes every change of `group` on `node` until it stops.
    fn follow(&self, node: u64, group: &GroupHandle) {
        let (trace, id) = (self.clone(), group.id());
        let (mut applied, mut leadership) = (group.watch_applied(), group.watch_leadership());
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    // In this order, so that what changed at the same time is noted in the same order.
                    biased;
                    Ok(()) = applied.changed() => {
                        let at = *applied.borrow_and_update();
                        trace.note(id, node, at);
                    }
                    Ok(()) = leadership.changed() => {
                        let now = leadership.borrow_and_update().clone();
                        trace.note(id, node, (now.term, now.leader, now.is_leader));
                    }
                    else => return,
                }
            }
        });
    }
}

struct Seeded {
    net: Arc<Net>,
    trace: Trace,
    running: BTreeMap<u64, RaftNode>,
    disks: BTreeMap<u64, (MemLog, MemStates)>,
    _dir: TempDir,
}

impl Seeded {
    async fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let disks = NODES.map(|id| {
            let states = MemStates::new(dir.path().join(format!("node-{id}")));
            (id, (MemLog::new(), states))
        });
        let trace = Trace {
            begun: Instant::now(),
            lines: Arc::default(),
        };
        let mut cluster = Self {
            net: Arc::default(),
            trace,
            running: BTreeMap::new(),
            disks: disks.into(),
            _dir: dir,
        };
        for id in NODES {
            cluster.open(id).await;
        }
        for group in GROUPS {
            let members = NODES.map(|id| (NodeId(id), peer(id))).into();
            cluster.group(1, group).initialize(members).await.unwrap();
        }
        cluster
    }

    async fn open(&mut self, id: u64) {
        let (log, states) = self.disks[&id].clone();
        let parts = NodeParts {
            id: NodeId(id),
            config: RaftConfig {
                snapshot_log_bytes: 64 << 10,
                log_tail_bytes: 16 << 10,
                snapshot_chunk_bytes: 10_000,
                ..RaftConfig::fast()
            },
            log,
            states: Arc::new(states),
            transport: Arc::new(Link {
                from: id,
                net: Arc::clone(&self.net),
            }),
            observer: Arc::new(|_: GroupId, _: &[Effect]| {}),
            blocking: Blocking::Inline,
        };
        let raft = RaftNode::new(parts).unwrap();
        for group in GROUPS {
            let group = raft.start_group(group, Arc::new(Ledger)).await.unwrap();
            self.trace.follow(id, &group);
        }
        self.net.plug(id, raft.clone());
        self.running.insert(id, raft);
    }

    async fn crash(&mut self, id: u64) {
        self.net.unplug(id);
        let raft = self.running.remove(&id).unwrap();
        raft.shutdown().await;
        let (log, states) = self.disks.get_mut(&id).unwrap();
        *log = log.crash(KEPT);
        states.crash(KEPT);
    }

    fn group(&self, id: u64, group: GroupId) -> GroupHandle {
        self.running[&id].group(group).unwrap()
    }

    /// The node of `among` that leads `group`, as soon as one does.
    async fn leader(&self, group: GroupId, among: &[u64]) -> u64 {
        let leads = |id: &u64| self.group(*id, group).leadership().is_leader;
        eventually("a leader", || among.iter().any(leads)).await;
        among.iter().copied().find(leads).unwrap()
    }

    /// Proposes `number` in all groups until it is acknowledged.
    async fn acknowledge(&self, among: &[u64], number: u64) {
        for group in GROUPS {
            loop {
                let leader = self.leader(group, among).await;
                let outcome = self.group(leader, group).propose(command(number, 10_000)).await;
                self.trace.note(group, leader, (number, &outcome));
                if outcome.is_ok() {
                    break;
                }
                sleep(Duration::from_millis(5)).await;
            }
        }
    }

    /// Everybody shows `numbers` in all groups, each once.
    async fn all_show(&self, numbers: u64) {
        for group in GROUPS {
            for id in NODES {
                let group = self.group(id, group);
                let barrier = group.read_barrier(PATIENCE).await;
                self.trace.note(group.id(), id, barrier.unwrap());
                let mut shown = ledger::read(&group);
                shown.sort_unstable();
                assert_eq!(shown, (0..numbers).collect::<Vec<_>>(), "node {id}");
            }
        }
    }
}

/// Elections, proposals, a crash of each leader, and a snapshot for a node that was away.
async fn life() -> Vec<String> {
    let mut cluster = Seeded::start().await;
    let mut next = 0;
    for round in 0..4 {
        for _ in 0..4 {
            cluster.acknowledge(&NODES, next).await;
            next += 1;
        }
        let leader = cluster.leader(GROUPS[round % 2], &NODES).await;
        cluster.crash(leader).await;
        let others: Vec<u64> = NODES.into_iter().filter(|id| *id != leader).collect();
        cluster.acknowledge(&others, next).await;
        next += 1;
        cluster.open(leader).await;
    }
    let away = 1 + cluster.leader(GROUPS[0], &NODES).await % 3;
    let others: Vec<u64> = NODES.into_iter().filter(|id| *id != away).collect();
    let had = GROUPS.map(|group| cluster.group(away, group).status().last_log);
    cluster.net.isolate(away, others.iter().copied());
    for _ in 0..30 {
        cluster.acknowledge(&others, next).await;
        next += 1;
    }
    for (group, had) in GROUPS.into_iter().zip(had) {
        let leader = cluster.leader(group, &others).await;
        let leader = cluster.group(leader, group);
        eventually("a purge beyond what the node has", || {
            leader.status().purged.map(|at| at.index) > had
        })
        .await;
    }
    cluster.net.heal();
    cluster.all_show(next).await;
    assert!(cluster.net.snapshots(away, true) >= 2, "it needed snapshots");
    for id in NODES {
        cluster.net.unplug(id);
        cluster.running.remove(&id).unwrap().shutdown().await;
    }
    std::mem::take(&mut cluster.trace.lines.lock().unwrap())
}

fn run(seed: u64) -> Vec<String> {
    seed_elections(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(life())
}

#[test]
fn the_same_seed_gives_the_same_run_and_others_give_others() {
    let runs: Vec<_> = (0..4).map(run).collect();
    for (seed, first) in (0..).zip(&runs) {
        let second = run(seed);
        let differs = first.iter().zip(&second).find(|(a, b)| a != b);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(first.len(), second.len(), "seed {seed}");
    }
    for (seed, other) in runs.iter().enumerate().skip(1) {
        assert_ne!(runs[0], *other, "seeds 0 and {seed}");
    }
}
