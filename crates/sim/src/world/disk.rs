//! What of a node outlives its processes.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use eunoe_store::{MemLog, MemStates};
use rand::RngExt as _;
use rand::rngs::SmallRng;

use super::net::Micros;
use super::vault::MemVault;

/// A disk that answers well, in µs from the call to the sync that has it.
const SYNC_MAX: Micros = 3_000;
/// A slow one.
const SLOW_SYNC_MAX: Micros = 400_000;

/// The engines of one node.
pub(super) struct Disk {
    /// The log of all groups.
    pub(super) log: MemLog,
    /// Their states.
    pub(super) states: Arc<MemStates>,
    /// The vault.
    pub(super) vault: Arc<MemVault>,
    /// Whether the node ran here before.
    pub(super) claimed: Arc<AtomicBool>,
    /// Whether syncs take long.
    pub(super) slow: bool,
    /// When the sync under way ends, and how many calls it has.
    sync: Option<(Micros, usize)>,
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crash {
    /// It is killed: what it wrote is in the hands of the system.
    Killed,
    /// The machine loses its power: what was not synced may be lost, from the end.
    Power,
}

impl Disk {
    /// An empty disk; snapshots go to `directory`.
    pub(super) fn new(directory: &Path) -> Self {
        let log = MemLog::new();
        log.hold();
        Self {
            log,
            states: Arc::new(MemStates::new(directory.to_owned())),
            vault: Arc::default(),
            claimed: Arc::default(),
            slow: false,
            sync: None,
        }
    }

    /// Ends the sync that is due, and begins the next one.
    pub(super) fn step(&mut self, now: Micros, random: &mut SmallRng) {
        if let Some((_, calls)) = self.sync.take_if(|(due, _)| *due <= now) {
            self.log.sync(calls);
        }
        if self.sync.is_none() && self.log.waiting() > 0 {
            let longest = if self.slow { SLOW_SYNC_MAX } else { SYNC_MAX };
            self.sync = Some((now + random.random_range(0..=longest), self.log.waiting()));
        }
    }

    /// What is left when the process ends. Says how many calls to the log were lost.
    pub(super) fn crash(&mut self, how: Crash, random: &mut SmallRng) -> usize {
        let waiting = self.log.waiting();
        let kept = match how {
            Crash::Killed => waiting,
            Crash::Power => random.random_range(0..=waiting),
        };
        self.log = self.log.crash(kept);
        self.log.hold();
        // Rows are in the memory of the process until they are flushed, whoever ends it.
        self.states.crash(random.random_range(0..=2));
        self.recover();
        self.sync = None;
        waiting - kept
    }

    /// Faults are over.
    pub(super) fn recover(&mut self) {
        self.slow = false;
        self.log.fail_reads(false);
        self.states.fail_commits(false);
        self.states.fail_flushes(false);
        self.states.fail_reads(false);
        self.vault.fail(false);
    }

    /// Whether the node ran here before.
    pub(super) fn is_claimed(&self) -> bool {
        self.claimed.load(Ordering::Relaxed)
    }
}
