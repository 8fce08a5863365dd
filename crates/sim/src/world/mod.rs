//! A cluster in one thread: real nodes over a simulated network, disks and clocks. One seed says everything that
//! happens; the same seed gives the same trace.
//!
//! Every node has a runtime of its own, whose clock only goes when the world says so. All are stepped in turn, a
//! millisecond at a time; what they send arrives between steps. A crash drops a runtime with all of its tasks.

mod asking;
mod broken;
mod calls;
mod clients;
mod clock;
pub mod coverage;
mod disk;
pub mod failpoints;
mod ledger;
mod links;
mod membership;
mod names;
mod nemesis;
mod net;
mod node;
mod roots;
mod run;
mod settings;
mod states;
mod trace;
mod vault;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use eunoe_server::peer::PeerHandler as _;
use eunoe_types::NodeId;
use rand::rngs::SmallRng;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use coverage::{Coverage, Event};
use disk::{Crash, Disk};
use ledger::{Ledger, TICK};
use nemesis::{MS, Plan};
use net::{CLIENTS, Host, Micros, Net, Process};
use node::{Machines, Node};
use trace::Trace;

pub use broken::Broken;
pub use run::{Options, Report, run};

/// Nodes that a world begins with.
const FOUNDERS: u64 = 3;

/// A lease, and a moment for the call that it was asked with.
const LEASE_MAX: Micros = settings::LEASE_S as Micros * 1_000 * MS + 50 * MS;

/// How the cluster's membership stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Founded,
    Growing,
    Grown,
    Shrinking,
    Shrunk,
}

/// A world.
struct World {
    now: Micros,
    random: SmallRng,
    net: Net,
    clocks: clock::Installed,
    nodes: Vec<Node>,
    machines: Machines,
    clients: Runtime,
    ledger: Ledger,
    plan: Plan,
    coverage: Coverage,
    trace: Trace,
    shape: Arc<AtomicU8>,
    /// The node that is being removed or was, or 0.
    removed: Arc<AtomicU64>,
    directory: TempDir,
    unfit: Vec<(NodeId, String)>,
    broken: Option<Broken>,
    /// Since when nodes cannot reach any other.
    isolated: BTreeMap<NodeId, Micros>,
    roots: roots::Roots,
    roots_noted: Option<eunoe_vault::Slot>,
    /// Steps at which nodes end.
    failpoints: Option<failpoints::Shared>,
    /// What was seen to be wrong on the way.
    seen: BTreeSet<String>,
}

impl World {
    fn disk_of(&self, id: NodeId) -> Disk {
        let directory: PathBuf = self.directory.path().join(format!("node-{id}"));
        let disk = Disk::new(&directory);
        disk.log.lose_syncs(self.broken == Some(Broken::SkippedSync));
        disk.states
            .lose_flushes(self.broken == Some(Broken::UnflushedSnapshot));
        disk
    }

    /// Puts up the nodes that the cluster begins with.
    fn found(&mut self) {
        let founders: Vec<NodeId> = (1..=FOUNDERS).map(NodeId).collect();
        for id in &founders {
            let disk = self.disk_of(*id);
            self.nodes.push(Node::new(settings::node(*id, &founders), disk));
        }
        let clients = Process {
            runtime: self.clients.handle().clone(),
            core: None,
            edge: Arc::default(),
        };
        self.net.set_process(CLIENTS, Some(clients));
        for node in 0..self.nodes.len() {
            self.start(node);
        }
    }

    /// Puts up a node that is to join.
    fn join(&mut self) -> NodeId {
        let founders: Vec<NodeId> = (1..=FOUNDERS).map(NodeId).collect();
        let id = NodeId(self.nodes.len() as u64 + 1);
        let disk = self.disk_of(id);
        self.nodes.push(Node::new(settings::node(id, &founders), disk));
        self.start(self.nodes.len() - 1);
        id
    }

    fn start(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        let is_gone = self.removed.load(Ordering::Relaxed) == node.id.0
            && self.shape.load(Ordering::Relaxed) == Shape::Shrunk as u8;
        if node.is_up() || is_gone {
            return;
        }
        self.clocks.turn(node.host(), self.now);
        node.start(&self.net, &self.machines);
        self.trace.note(self.now, format_args!("node {} starts", node.id));
    }

    fn crash(&mut self, at: usize, how: Crash) {
        // What it alone has applied is known from here on: its vault may be ahead of what the others know.
        self.look_at_roots();
        let node = &mut self.nodes[at];
        let lost = node.crash(&self.net, how, &mut self.random);
        if lost > 0 {
            self.coverage.count(Event::WritesLost);
        }
        node.disk.log.lose_syncs(self.broken == Some(Broken::SkippedSync));
        if self.broken == Some(Broken::ReusedNodeId) && how == Crash::Power {
            let (id, claimed) = (node.id, Arc::clone(&node.disk.claimed));
            self.nodes[at].disk = self.disk_of(id);
            self.nodes[at].disk.claimed = claimed;
        }
        if self.broken == Some(Broken::UnflushedSnapshot) && how == Crash::Power {
            let directory = self.directory.path().join(format!("node-{}", self.nodes[at].id));
            // There may be none yet.
            let _gone = std::fs::remove_dir_all(directory);
        }
        let node = &self.nodes[at];
        self.trace.note(
            self.now,
            format_args!("node {} ends: {how:?}, {lost} lost", node.id),
        );
    }

    /// Lets a millisecond pass.
    fn step(&mut self) {
        self.now += TICK;
        self.fate();
        self.clocks.turn(CLIENTS, self.now);
        self.net.advance(self.now);
        for at in 0..self.nodes.len() {
            self.turn_failpoints(at);
            let node = &mut self.nodes[at];
            self.clocks.turn(node.host(), self.now);
            node.sync(self.now, &mut self.random);
            node.step(self.now, TICK);
            self.look_at_failpoints(at);
        }
        self.clocks.turn(CLIENTS, self.now);
        let step = std::time::Duration::from_micros(TICK);
        self.clients.block_on(async { tokio::time::sleep(step).await });
        self.look_after_nodes();
        if self.now.is_multiple_of(20 * TICK) {
            self.look_at_leases();
            self.look_at_roots();
        }
        self.trace.look(self.now, &self.nodes, &self.coverage);
    }

    /// A node that reaches nobody has no key that may be used once its lease is over (erasure.md R3).
    fn look_at_leases(&mut self) {
        let hosts: Vec<Host> = self.nodes.iter().map(Node::host).collect();
        for node in &self.nodes {
            let (host, now) = (node.host(), self.now);
            let Some(core) = node
                .core()
                .filter(|_| self.net.is_isolated(host, hosts.iter().copied()))
            else {
                self.isolated.remove(&node.id);
                continue;
            };
            let since = *self.isolated.entry(node.id).or_insert(now);
            self.clocks.turn(host, now);
            if now > since + LEASE_MAX && core.handler().state(node.id).unsealed {
                self.seen.insert(format!(
                    "node {} uses keys {} ms after it was cut off from all others",
                    node.id,
                    (now - since) / MS
                ));
            }
        }
    }

    /// A node that says it is unfit has ended; whoever runs it starts it again.
    fn look_after_nodes(&mut self) {
        for at in 0..self.nodes.len() {
            if let Some(why) = self.nodes[at].unfit() {
                self.coverage.count(Event::NodeUnfit);
                self.unfit.push((self.nodes[at].id, why));
                self.crash(at, Crash::Killed);
                self.restart_soon(at);
            }
            let is_gone = self.removed.load(Ordering::Relaxed) == self.nodes[at].id.0;
            if is_gone && self.shape.load(Ordering::Relaxed) == Shape::Shrunk as u8 && self.nodes[at].is_up()
            {
                self.crash(at, Crash::Killed);
            }
        }
    }
}
