//! What goes wrong, when, and for how long. The seed says all of it.

use rand::RngExt as _;

use super::coverage::Event;
use super::disk::Crash;
use super::net::{CLIENTS, FAIR, Host, Link, Micros, Weather};
use super::settings::LEASE_S;
use super::{World, membership};

/// A millisecond of the world's clock.
pub(super) const MS: Micros = 1_000;
/// Pauses between one fault and the next.
const PAUSE: std::ops::Range<Micros> = 200 * MS..1_500 * MS;
/// How long most faults last.
const LAST: std::ops::Range<Micros> = 200 * MS..3_000 * MS;

/// How far the time of day jumps, in ms; one time in four it is up to a day.
const JUMP_MS: i64 = 90_000;
const DAY_MS: i64 = 86_400_000;

/// How long faults last that must outlast a lease.
const BEYOND_LEASE: std::ops::Range<Micros> = 6_000 * MS..9_000 * MS;

/// What ends a fault.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cure {
    /// A link opens.
    Open(Host, Host),
    /// The weather is fair again.
    Calm,
    /// A node's process starts again.
    Start(usize),
    /// A disk and a vault answer well again.
    Disk(usize),
}

/// What will happen.
pub(super) struct Plan {
    next: Micros,
    cures: Vec<(Micros, Cure)>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            next: Micros::MAX,
            cures: Vec::new(),
        }
    }
}

impl Plan {
    fn cure_at(&mut self, at: Micros, cure: Cure) {
        self.cures.push((at, cure));
    }

    /// Things go wrong from `now` on.
    pub(super) fn begin(&mut self, now: Micros) {
        self.next = now;
    }

    /// Forgets everything that is to come.
    pub(super) fn end(&mut self) {
        self.cures.clear();
        self.next = Micros::MAX;
    }
}

impl World {
    /// Lets happen what is due.
    pub(super) fn fate(&mut self) {
        let now = self.now;
        let (due, later) = std::mem::take(&mut self.plan.cures)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        self.plan.cures = later;
        let due: Vec<(Micros, Cure)> = due;
        for (_, cure) in due {
            self.cure(cure);
        }
        if now >= self.plan.next {
            self.plan.next = now + self.random.random_range(PAUSE);
            self.strike();
        }
    }

    fn cure(&mut self, cure: Cure) {
        match cure {
            Cure::Open(from, to) => self.net.set_link(from, to, Link::Open),
            Cure::Calm => self.net.set_weather(FAIR),
            Cure::Start(node) => self.start(node),
            Cure::Disk(node) => self.nodes[node].disk.recover(),
        }
    }

    fn strike(&mut self) {
        let node = self.random.random_range(0..self.nodes.len());
        let lasts = self.random.random_range(LAST);
        match self.random.random_range(0..23) {
            0 | 1 => self.crash_for(node, Crash::Killed, lasts),
            2 | 3 => self.crash_for(node, Crash::Power, lasts),
            4 => {
                self.coverage.count(Event::AllPowerLost);
                for node in 0..self.nodes.len() {
                    let lasts = self.random.random_range(0..600 * MS);
                    self.crash_for(node, Crash::Power, lasts);
                }
            }
            5 => self.cut_off(node, lasts),
            6 => {
                let lasts = self.random.random_range(BEYOND_LEASE);
                self.cut_off(node, lasts);
            }
            7 => self.cut_one_way(node, lasts),
            8 => self.partition(lasts),
            9 => self.swizzle(),
            10 => self.storm(lasts),
            11 | 12 => self.pause(node),
            13 => self.jump(node),
            14 => self.slow_disk(node, lasts),
            15..18 => self.break_disk(node, lasts),
            18 => self.break_vault(node, lasts),
            19 => membership::move_leader(self),
            20 => membership::add(self),
            21 => self.lose_share(node),
            _ => membership::remove(self),
        }
    }

    pub(super) fn crash_for(&mut self, node: usize, how: Crash, lasts: Micros) {
        if !self.nodes[node].is_up() {
            return;
        }
        self.coverage.count(match how {
            Crash::Killed => Event::ProcessKilled,
            Crash::Power => Event::PowerLost,
        });
        self.crash(node, how);
        self.plan.cure_at(self.now + lasts, Cure::Start(node));
    }

    /// Starts a node again some time later.
    pub(super) fn restart_soon(&mut self, node: usize) {
        let lasts = self.random.random_range(LAST);
        self.plan.cure_at(self.now + lasts, Cure::Start(node));
    }

    fn cut(&mut self, from: Host, to: Host, link: Link, lasts: Micros) {
        self.net.set_link(from, to, link);
        self.plan.cure_at(self.now + lasts, Cure::Open(from, to));
    }

    fn hosts(&self) -> Vec<Host> {
        self.nodes.iter().map(super::node::Node::host).collect()
    }

    fn cut_off(&mut self, node: usize, lasts: Micros) {
        self.coverage.count(Event::NodeCutOff);
        let own = self.nodes[node].host();
        for other in self.hosts().into_iter().filter(|other| *other != own) {
            self.cut(own, other, Link::Cut, lasts);
            self.cut(other, own, Link::Cut, lasts);
        }
    }

    fn cut_one_way(&mut self, node: usize, lasts: Micros) {
        self.coverage.count(Event::OneWayCut);
        let (own, deaf) = (self.nodes[node].host(), self.random.random_range(0..2) == 0);
        for other in self.hosts().into_iter().filter(|other| *other != own) {
            let (from, to) = if deaf { (other, own) } else { (own, other) };
            self.cut(from, to, Link::Cut, lasts);
        }
    }

    fn partition(&mut self, lasts: Micros) {
        self.coverage.count(Event::Partition);
        let hosts = self.hosts();
        let sides: Vec<bool> = hosts
            .iter()
            .map(|_| self.random.random_range(0..2) == 0)
            .collect();
        for (from, from_side) in hosts.iter().zip(&sides) {
            for (to, to_side) in hosts.iter().zip(&sides) {
                if from_side != to_side {
                    self.cut(*from, *to, Link::Cut, lasts);
                }
            }
        }
        if self.random.random_range(0..2) == 0 {
            self.cut(CLIENTS, hosts[0], Link::Cut, lasts);
        }
    }

    /// Clogs links one after the other and opens them in another order.
    fn swizzle(&mut self) {
        self.coverage.count(Event::Swizzle);
        let hosts = self.hosts();
        for from in &hosts {
            for to in hosts.iter().filter(|to| *to != from) {
                if self.random.random_range(0..2) == 0 {
                    let lasts = self.random.random_range(LAST);
                    self.cut(*from, *to, Link::Clogged, lasts);
                }
            }
        }
    }

    fn storm(&mut self, lasts: Micros) {
        let weather = Weather {
            delay_min: 100,
            delay_max: self.random.random_range(1_000..30_000),
            late_one_in: self.random.random_range(5..50),
            lost_one_in: self.random.random_range(5..100),
        };
        self.net.set_weather(weather);
        self.plan.cure_at(self.now + lasts, Cure::Calm);
    }

    fn pause(&mut self, node: usize) {
        let is_long = self.random.random_range(0..2) == 0;
        let longest = if is_long {
            2 * u64::from(LEASE_S) * 1_000 * MS
        } else {
            2_000 * MS
        };
        let lasts = self.random.random_range(50 * MS..longest);
        self.coverage.count(Event::ProcessPaused);
        if lasts > u64::from(LEASE_S) * 1_000 * MS {
            self.coverage.count(Event::PausedBeyondLease);
        }
        self.nodes[node].paused = Some(self.now + lasts);
    }

    fn jump(&mut self, node: usize) {
        self.coverage.count(Event::TimeJumped);
        let mut by = self.random.random_range(-JUMP_MS..JUMP_MS);
        if by % 4 == 0 {
            self.coverage.count(Event::DayJumped);
            by *= DAY_MS / JUMP_MS;
        }
        let host = self.nodes[node].host();
        self.clocks.jump(host, by);
    }

    fn slow_disk(&mut self, node: usize, lasts: Micros) {
        self.coverage.count(Event::DiskSlow);
        self.nodes[node].disk.slow = true;
        self.plan.cure_at(self.now + lasts, Cure::Disk(node));
    }

    fn break_disk(&mut self, node: usize, lasts: Micros) {
        let disk = &self.nodes[node].disk;
        let event = match self.random.random_range(0..5) {
            0 | 1 => {
                disk.log.fail_next_sync();
                Event::SyncFailed
            }
            2 => {
                disk.states.fail_commits(true);
                Event::CommitFailed
            }
            3 => {
                disk.states.fail_flushes(true);
                Event::FlushFailed
            }
            _ => {
                disk.log.fail_reads(true);
                disk.states.fail_reads(true);
                Event::ReadFailed
            }
        };
        self.coverage.count(event);
        self.plan.cure_at(self.now + lasts, Cure::Disk(node));
    }

    fn break_vault(&mut self, node: usize, lasts: Micros) {
        self.coverage.count(Event::VaultFailed);
        self.nodes[node].disk.vault.fail(true);
        self.plan.cure_at(self.now + lasts, Cure::Disk(node));
    }
}
