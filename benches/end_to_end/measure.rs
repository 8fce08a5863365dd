//! Figures of one case, and the table of all.

use std::time::Duration;

use crate::cluster::{Counters, NODES};

/// What a load did, as its clients saw it.
pub(crate) struct Load {
    /// Messages appended, or pages read.
    pub(crate) done: u64,
    /// How long it ran.
    pub(crate) wall: Duration,
    /// The time of each call, or of each message's ack.
    pub(crate) latencies: Vec<Duration>,
}

pub(crate) struct Figures {
    name: String,
    per_second: f64,
    p50: Duration,
    p99: Duration,
    cpu_us: f64,
    syncs_per_second: f64,
    per_sync: f64,
}

impl Figures {
    pub(crate) fn new(name: String, mut load: Load, spent: Counters) -> Self {
        load.latencies.sort_unstable();
        let at = |percent| percentile(&load.latencies, percent);
        let (done, seconds) = (load.done.max(1) as f64, load.wall.as_secs_f64());
        Self {
            name,
            per_second: done / seconds,
            p50: at(50),
            p99: at(99),
            cpu_us: spent.cpu.as_micros() as f64 / done,
            syncs_per_second: spent.syncs as f64 / seconds / NODES as f64,
            per_sync: done * NODES as f64 / spent.syncs.max(1) as f64,
        }
    }
}

/// What so many of a hundred are not above; `sorted` is in its order.
pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let last = sorted.len().saturating_sub(1);
    sorted.get(last * percent / 100).copied().unwrap_or_default()
}

/// All cases of one run.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Figures>,
}

impl Table {
    pub(crate) fn add(&mut self, figures: Figures) {
        eprintln!("{} done", figures.name);
        self.rows.push(figures);
    }

    /// The first row is what the others are compared with.
    #[expect(clippy::print_stdout, reason = "the table is what the program is for")]
    pub(crate) fn print(&self) {
        let base = self.rows.first().map_or(1.0, |row| row.per_second);
        println!(
            "| case | per second | × first | p50 ms | p99 ms | server CPU µs, 3 nodes | syncs/s and node | per sync |"
        );
        println!("|---|---|---|---|---|---|---|---|");
        for row in &self.rows {
            println!(
                "| {} | {:.0} | {:.1} | {:.2} | {:.2} | {:.0} | {:.0} | {:.1} |",
                row.name,
                row.per_second,
                row.per_second / base,
                row.p50.as_secs_f64() * 1e3,
                row.p99.as_secs_f64() * 1e3,
                row.cpu_us,
                row.syncs_per_second,
                row.per_sync
            );
        }
    }
}
