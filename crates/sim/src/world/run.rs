//! One seed from its beginning to its verdict: a realm begins, things go wrong while clients do as they do, faults end,
//! and then everything must be as promised.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use eunoe_core::control::ControlMachine;
use eunoe_core::data::DataMachine;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::asking::Asker;
use super::broken::{Broken, Unstable};
use super::clients::{Habit, look_around};
use super::coverage::Coverage;
use super::ledger::Ledger;
use super::nemesis::{MS, Plan};
use super::net::{FAIR, Micros, Net};
use super::node::Machines;
use super::trace::Trace;
use super::{Shape, World, clock, failpoints, settings, states};
use crate::history::{Client, History, Node as Asked, Outcome, Reply, Step};
use crate::oracle;

/// A realm begins in this time, or it is not live.
const BEGIN_MAX: Micros = 60_000 * MS;
/// All nodes serve again in this time after all faults are over.
const RECOVER_MAX: Micros = 90_000 * MS;
/// What was under way has ended this long after all faults are over: a node gives a command up after 15 s.
const SETTLE: Micros = 20_000 * MS;
/// Clients that live at the same time.
const CLIENTS: u32 = 4;

/// How a world is run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long things go wrong, in ms of the world.
    pub safety_ms: u64,
    /// Whether the trace's lines are kept.
    pub keeps_trace: bool,
    /// A fault on purpose.
    pub broken: Option<Broken>,
    /// A fault on purpose in the code of nodes.
    #[cfg(feature = "sabotage")]
    pub sabotage: Option<eunoe_types::sabotage::Sabotage>,
    /// Whether nodes end at steps of the protocol, too.
    #[cfg(feature = "failpoints")]
    pub failpoints: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            safety_ms: 12_000,
            keeps_trace: false,
            broken: None,
            #[cfg(feature = "sabotage")]
            sabotage: None,
            #[cfg(feature = "failpoints")]
            failpoints: false,
        }
    }
}

/// What became of a seed.
pub struct Report {
    /// What was promised and not kept. Empty: all is well.
    pub violations: Vec<String>,
    /// What happened.
    pub coverage: Coverage,
    /// How often nodes ended at which step.
    pub ended_at: BTreeMap<failpoints::Place, u64>,
    /// The digest of the trace and of what clients saw.
    pub digest: u64,
    /// The trace, if it was kept.
    pub trace: Vec<String>,
    /// What clients saw.
    pub history: History,
    /// How long the world lasted, in ms of its clock.
    pub lasted_ms: u64,
}

/// Runs a seed on a thread of its own: whatever a thread remembers must not tell one seed of another.
pub fn run(seed: u64, options: Options) -> Report {
    let thread = std::thread::Builder::new().name(format!("seed-{seed}"));
    let running = thread.spawn(move || World::new(seed, options).live(options));
    match running.map(std::thread::JoinHandle::join) {
        Ok(Ok(report)) => report,
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(error) => panic!("no thread for a seed: {error}"),
    }
}

impl World {
    fn new(seed: u64, options: Options) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        #[cfg(feature = "sabotage")]
        eunoe_types::sabotage::select(options.sabotage);
        eunoe_raft::seed_elections(random.random());
        let clocks = clock::Clocks::begin(random.random());
        let coverage = Coverage::default();
        let net = Net::new(random.random(), coverage.clone());
        let machines = Machines {
            control: Arc::new(ControlMachine),
            data: match options.broken {
                Some(Broken::UnstableApply) => Arc::new(Unstable::new(Arc::new(DataMachine))),
                _ => Arc::new(DataMachine),
            },
        };
        let memory = std::path::Path::new("/dev/shm");
        let directory = match memory.is_dir() {
            true => tempfile::tempdir_in(memory),
            false => tempfile::tempdir(),
        };
        Self {
            now: 0,
            random,
            ledger: Ledger::new(net.clone()),
            net,
            clocks,
            nodes: Vec::new(),
            machines,
            clients: settings::runtime(),
            plan: Plan::default(),
            coverage,
            trace: Trace::new(options.keeps_trace),
            shape: Arc::new(AtomicU8::new(Shape::Founded as u8)),
            removed: Arc::default(),
            directory: directory.expect("a directory for snapshots"),
            unfit: Vec::new(),
            broken: options.broken,
            isolated: BTreeMap::new(),
            roots: super::roots::Roots::default(),
            roots_noted: None,
            #[cfg(feature = "failpoints")]
            failpoints: options.failpoints.then(|| failpoints::install(seed as usize)),
            #[cfg(not(feature = "failpoints"))]
            failpoints: None,
            seen: BTreeSet::new(),
        }
    }

    fn live(mut self, options: Options) -> Report {
        let mut violations = Vec::new();
        self.found();
        if !self.pass_until(BEGIN_MAX, World::all_serve) {
            violations.push(format!("the realm did not begin: {}", self.who_is_late()));
            return self.report(violations);
        }
        let stop = self.begin_clients();
        let end = self.now + options.safety_ms * MS;
        self.plan.begin(self.now);
        while self.now < end {
            self.arm_failpoints(Some(end));
            self.step();
        }
        self.arm_failpoints(None);
        stop.store(true, Ordering::Relaxed);
        self.heal();
        if !self.pass_until(RECOVER_MAX, World::all_serve) {
            violations.push(format!("not all nodes serve again: {}", self.who_is_late()));
            return self.report(violations);
        }
        self.rest(&mut violations);
        self.report(violations)
    }

    fn pass_until(&mut self, most: Micros, holds: fn(&World) -> bool) -> bool {
        let end = self.now + most;
        while self.now < end {
            if holds(self) {
                return true;
            }
            self.step();
        }
        false
    }

    fn all_serve(&self) -> bool {
        self.members().all(super::node::Node::serves)
    }

    /// Nodes that belong to the cluster for sure: not one that was removed, nor one whose joining was not finished.
    fn members(&self) -> impl Iterator<Item = &super::node::Node> {
        let shape = self.shape.load(Ordering::Relaxed);
        let (removed, joined) = (self.removed.load(Ordering::Relaxed), shape >= Shape::Grown as u8);
        let is_member = move |id: u64| id != removed && (id <= super::FOUNDERS || joined);
        self.nodes.iter().filter(move |node| is_member(node.id.0))
    }

    fn who_is_late(&self) -> String {
        let late = self.nodes.iter().filter(|node| !node.serves());
        let late: Vec<String> = late
            .map(|node| format!("node {} (up: {}, {:?})", node.id, node.is_up(), node.health()))
            .collect();
        let unfit: Vec<String> = self
            .unfit
            .iter()
            .map(|(node, why)| format!("node {node}: {why}"))
            .collect();
        format!("{}; unfit were [{}]", late.join(", "), unfit.join("; "))
    }

    fn asker(&self, client: u32) -> Asker {
        Asker {
            client: Client(client),
            net: self.net.clone(),
            ledger: self.ledger.clone(),
        }
    }

    fn asked(&self) -> Vec<Asked> {
        self.members()
            .map(|node| Asked(u32::try_from(node.id.0).unwrap_or(u32::MAX)))
            .collect()
    }

    fn begin_clients(&mut self) -> Arc<AtomicBool> {
        let stop = Arc::new(AtomicBool::new(false));
        let nodes = self.asked();
        for client in 0..=CLIENTS {
            let habit = Habit::new(
                self.asker(client),
                self.random.random(),
                nodes.clone(),
                Arc::clone(&stop),
            );
            match client {
                0 => self.clients.spawn(habit.begin()),
                _ => self.clients.spawn(habit.live()),
            };
        }
        stop
    }

    /// All faults are over.
    fn heal(&mut self) {
        self.plan.end();
        self.net.open_all();
        self.net.set_weather(FAIR);
        for at in 0..self.nodes.len() {
            self.nodes[at].paused = None;
            self.nodes[at].disk.recover();
            self.start(at);
        }
        self.trace.note(self.now, format_args!("all faults are over"));
    }

    /// Everything can be asked on every node, and erasures come to their end.
    fn rest(&mut self, violations: &mut Vec<String>) {
        let settled = self.now + SETTLE;
        while self.now < settled {
            self.step();
        }
        let erased = self.await_erasures();
        if let Some(late) = erased {
            violations.push(late);
        }
        let quiet = self.ledger.now() + 1;
        self.step();
        self.step();
        let (asker, nodes) = (self.asker(CLIENTS + 1), self.asked());
        let looking = self.clients.spawn(look_around(asker, nodes));
        let end = self.now + RECOVER_MAX;
        while !looking.is_finished() && self.now < end {
            self.step();
        }
        if !looking.is_finished() {
            violations.push("reads did not end after all faults were over".to_owned());
        }
        violations.extend(states::check(&self.nodes));
        let history = self.ledger.book().history.clone();
        violations.extend(
            oracle::check_deaf(&history, u64::from(settings::LEASE_S) * 1_000)
                .iter()
                .map(ToString::to_string),
        );
        violations.extend(
            oracle::liveness::all_agree(&history, quiet)
                .iter()
                .map(ToString::to_string),
        );
        for call in history.calls().iter().filter(|call| call.begun >= quiet) {
            use crate::history::Refusal::{Erased, NotFound};
            // What was erased as a whole may be unknown; everything else is answered.
            if !matches!(call.outcome, Outcome::Ok(_) | Outcome::Refused(Erased | NotFound)) {
                violations.push(format!("not answered after all faults were over: {call:?}"));
            }
        }
    }

    /// Waits until every erasure that was fenced is destroyed; says which is not.
    fn await_erasures(&mut self) -> Option<String> {
        let end = self.now + RECOVER_MAX;
        // A node that was not removed to the end, or not added to it, keeps what it held and is named for it.
        let shape = self.shape.load(Ordering::Relaxed);
        let lost = shape == Shape::Shrinking as u8 || shape == Shape::Growing as u8;
        let goal = if lost {
            Step::DestroyedByMost
        } else {
            Step::Destroyed
        };
        loop {
            let pending = self.unfinished(goal);
            if pending.is_empty() {
                return None;
            }
            if self.now >= end {
                return Some(format!("erasures did not come to their end: {pending:?}"));
            }
            let asker = self.asker(CLIENTS + 1);
            let (node, numbers) = (self.asked()[0], pending);
            let looking = self.clients.spawn(async move {
                for number in numbers {
                    let _written_down = asker.look(node, number).await;
                }
            });
            while !looking.is_finished() && self.now < end {
                self.step();
            }
            for _ in 0..200 {
                self.step();
            }
        }
    }

    /// Erasures that, as far as anybody was told, are fenced and not as far as `goal`.
    fn unfinished(&self, goal: Step) -> Vec<crate::history::ErasureNo> {
        let book = self.ledger.book();
        let mut steps = BTreeMap::new();
        for call in book.history.calls() {
            if let Some(Reply::Erasure(erasure)) = call.reply() {
                let step = steps.entry(erasure.id).or_insert(erasure.step);
                *step = (*step).max(erasure.step);
            }
        }
        steps.retain(|_, step| *step >= Step::Fenced && *step < goal);
        steps.into_keys().collect()
    }

    fn report(mut self, mut violations: Vec<String>) -> Report {
        violations.extend(std::mem::take(&mut self.seen));
        let history = self.ledger.book().history.clone();
        for call in history.calls() {
            self.trace.note(self.now, format_args!("{call:?}"));
        }
        Report {
            violations,
            coverage: self.coverage.clone(),
            ended_at: self.ended_at(),
            digest: self.trace.digest(),
            trace: self.trace.lines().to_vec(),
            history,
            lasted_ms: self.now / MS,
        }
    }
}
