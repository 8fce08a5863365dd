//! One node: a process with a runtime and a clock of its own, over a disk that outlives it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use eunoe_core::Machine;
use eunoe_server::config::Config;
use eunoe_server::node::{Core, CoreParts, SigningSeeds};
use eunoe_server::peer::Peers;
use eunoe_server::tls::PeerDirectory;
use eunoe_types::NodeId;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::disk::{Crash, Disk};
use super::links::Links;
use super::net::{Host, Micros, Net, Process};
use super::settings;

/// A node, running or not.
pub(super) struct Node {
    /// Its id.
    pub(super) id: NodeId,
    /// Its configuration.
    pub(super) config: Config,
    /// What outlives its processes.
    pub(super) disk: Disk,
    /// Until when it stands still.
    pub(super) paused: Option<Micros>,
    life: Option<Life>,
    /// How far behind the world its runtime is.
    behind: Micros,
}

struct Life {
    runtime: Runtime,
    core: Core,
    process: Process,
    unfit: Arc<Mutex<Option<String>>>,
}

/// What nodes are made of beside their disk.
#[derive(Clone)]
pub(super) struct Machines {
    /// Of the control group.
    pub(super) control: Arc<dyn Machine>,
    /// Of data groups.
    pub(super) data: Arc<dyn Machine>,
}

impl Node {
    /// A node that never ran.
    pub(super) fn new(config: Config, disk: Disk) -> Self {
        Self {
            id: config.node_id,
            config,
            disk,
            paused: None,
            life: None,
            behind: 0,
        }
    }

    /// Where it is.
    pub(super) fn host(&self) -> Host {
        Host(self.id.0)
    }

    /// Whether a process runs.
    pub(super) fn is_up(&self) -> bool {
        self.life.is_some()
    }

    /// The node in the process that runs.
    pub(super) fn core(&self) -> Option<&Core> {
        self.life.as_ref().map(|life| &life.core)
    }

    /// Whether it serves clients.
    pub(super) fn serves(&self) -> bool {
        self.life
            .as_ref()
            .is_some_and(|life| lock(&life.process.edge).is_some())
    }

    /// How far the process is, for people.
    pub(super) fn health(&self) -> Option<String> {
        Some(format!("{:?}", self.core()?.health()))
    }

    /// Why the process must not go on, if it says so.
    pub(super) fn unfit(&self) -> Option<String> {
        lock(&self.life.as_ref()?.unfit).clone()
    }

    /// Starts a process. Why it does not start is what [`Node::unfit`] says then.
    pub(super) fn start(&mut self, net: &Net, machines: &Machines) {
        let runtime = settings::runtime();
        let links = Arc::new(Links::new(net.clone(), self.id));
        let claimed = Arc::clone(&self.disk.claimed);
        let claim = (!self.disk.is_claimed()).then(|| {
            Box::new(move || {
                claimed.store(true, Ordering::Relaxed);
                Ok(())
            }) as eunoe_server::node::Claim
        });
        let config = self.config.clone();
        let parts = CoreParts {
            directory: PeerDirectory::new(config.placement, config.peer_entries()),
            config,
            raft: settings::raft(),
            log: self.disk.log.clone(),
            states: Arc::clone(&self.disk.states),
            machines: (Arc::clone(&machines.control), Arc::clone(&machines.data)),
            vault: Arc::clone(&self.disk.vault) as Arc<dyn eunoe_vault::ErasableVault>,
            transport: links.clone(),
            peers: links as Peers,
            blocking: eunoe_raft::Blocking::Inline,
            seeds: SigningSeeds::new(&self.id.0.to_be_bytes()),
            claim,
        };
        let core = {
            let _within = runtime.enter();
            Core::new(parts).expect("a simulated node is put together")
        };
        let (edge, unfit) = (Arc::default(), Arc::default());
        let process = Process {
            runtime: runtime.handle().clone(),
            core: Some(core.clone()),
            edge: Arc::clone(&edge),
        };
        let life = Life {
            runtime,
            core,
            process: process.clone(),
            unfit,
        };
        life.run(edge);
        self.life = Some(life);
        self.behind = 0;
        net.set_process(self.host(), Some(process));
    }

    /// Ends the process, at once. Says how many calls to its log were lost.
    pub(super) fn crash(&mut self, net: &Net, how: Crash, random: &mut rand::rngs::SmallRng) -> usize {
        net.set_process(self.host(), None);
        self.paused = None;
        let lost = self.disk.crash(how, random);
        // Tasks are dropped where they wait.
        drop(self.life.take());
        lost
    }

    /// Runs for a step of the world's time, unless it stands still.
    pub(super) fn step(&mut self, now: Micros, step: Micros) {
        let Some(life) = &self.life else { return };
        if self.paused.is_some_and(|until| now < until) {
            self.behind += step;
            return;
        }
        self.paused = None;
        let jump = std::mem::take(&mut self.behind);
        life.runtime.block_on(async {
            if jump > 0 {
                tokio::time::advance(Duration::from_micros(jump)).await;
            }
            tokio::time::sleep(Duration::from_micros(step)).await;
        });
    }

    /// Lets its disk end and begin what is due.
    pub(super) fn sync(&mut self, now: Micros, random: &mut rand::rngs::SmallRng) {
        let _within = self.life.as_ref().map(|life| life.runtime.enter());
        self.disk.step(now, random);
    }

    /// Where its runtime's tasks may be spawned.
    pub(super) fn enter(&self) -> Option<tokio::runtime::EnterGuard<'_>> {
        self.life.as_ref().map(|life| life.runtime.enter())
    }
}

impl Life {
    fn run(&self, edge: Arc<Mutex<Option<eunoe_server::edge::Edge>>>) {
        let (core, unfit) = (self.core.clone(), Arc::clone(&self.unfit));
        self.runtime.spawn(async move {
            let started = match core.start().await {
                Ok(()) => core.edge(CancellationToken::new()),
                Err(error) => Err(error),
            };
            match started {
                Ok(serving) => *lock(&edge) = Some(serving),
                Err(error) => *lock(&unfit) = Some(error.to_string()),
            }
        });
        let (core, unfit) = (self.core.clone(), Arc::clone(&self.unfit));
        self.runtime.spawn(async move {
            let error = core.unfit().await;
            *lock(&unfit) = Some(error.to_string());
        });
    }
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
