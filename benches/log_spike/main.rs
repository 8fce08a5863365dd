//! Which log, and is a body stored once or twice? One replica appends and applies, the ways one after another,
//! several rounds, medians. Run with `cargo bench -p eunoe-benches --bench log_spike`; `-- --quick` for a smoke run,
//! `-- --batch=256` for one size of batches.
//!
//! Every way flushes the state and purges the log four times per round, as a node does that makes snapshots.
//! Read the ratios; raw figures belong to the machine of that moment. `docs/adr/0002-log-engine.md` draws on it.
#![allow(clippy::print_stdout)] // It is what a benchmark is for.

mod logs;
mod replica;

use std::error::Error;
use std::path::Path;

use eunoe_benches::{Cost, Meter, median};
use eunoe_types::GroupId;
use replica::Replica;

type Outcome<T> = Result<T, Box<dyn Error>>;

const GROUP: GroupId = GroupId(1);
const ROUNDS: usize = 3;
const PURGES: u64 = 4;
const BODY_BYTES: [usize; 2] = [64, 512];
/// Entries per sync, and how many entries a round of it appends.
const BATCHES: [(u64, u64); 3] = [(1, 4_000), (64, 128_000), (256, 256_000)];

/// Where the body of an entry is kept.
#[derive(Clone, Copy)]
enum Body {
    /// In the log and in the state.
    Twice,
    /// In the log only, which is never purged.
    InLog,
    /// In the log, until its purge moves it into the state.
    MovedAtPurge,
}

#[derive(Clone, Copy)]
struct Variant {
    name: &'static str,
    log_in_rocks: bool,
    body: Body,
}

const VARIANTS: [Variant; 4] = [
    Variant {
        name: "RocksDB log, body twice",
        log_in_rocks: true,
        body: Body::Twice,
    },
    Variant {
        name: "segment log, body twice",
        log_in_rocks: false,
        body: Body::Twice,
    },
    Variant {
        name: "segment log, body in log only",
        log_in_rocks: false,
        body: Body::InLog,
    },
    Variant {
        name: "segment log, body moved at purge",
        log_in_rocks: false,
        body: Body::MovedAtPurge,
    },
];

/// Medians of one way in one case.
struct Row {
    appends_per_second: f64,
    cpu_us: f64,
    syncs: f64,
    written_bytes: f64,
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let is_quick = arguments.iter().any(|argument| argument == "--quick");
    let only = arguments
        .iter()
        .find_map(|argument| argument.strip_prefix("--batch="));
    println!("| body | batch | way | appends/s | CPU µs/entry | log syncs/entry | bytes written/entry |");
    println!("|---|---|---|---|---|---|---|");
    for body_bytes in BODY_BYTES {
        let chosen = |(batch, _): &(u64, u64)| only.is_none_or(|only| only == batch.to_string());
        for (batch, entries) in BATCHES.into_iter().filter(chosen) {
            let entries = if is_quick { batch * 8 } else { entries };
            report(body_bytes, batch, &measure(body_bytes, batch, entries)?);
        }
    }
    Ok(())
}

/// The ways take turns, so that a slow moment of the machine does not hit one of them alone.
fn measure(body_bytes: usize, batch: u64, entries: u64) -> Outcome<Vec<Row>> {
    let mut runs: Vec<Vec<(Cost, u64)>> = vec![Vec::new(); VARIANTS.len()];
    for _ in 0..ROUNDS {
        for (variant, runs) in VARIANTS.iter().zip(&mut runs) {
            let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
            runs.push(run(*variant, dir.path(), body_bytes, batch, entries)?);
        }
    }
    Ok(runs.iter().map(|runs| row(runs, entries)).collect())
}

fn run(variant: Variant, dir: &Path, body_bytes: usize, batch: u64, entries: u64) -> Outcome<(Cost, u64)> {
    let pool = noise(body_bytes + 4096);
    let mut replica = Replica::open(variant, dir)?;
    let meter = Meter::start()?;
    let release_every = (entries / batch / PURGES).max(1);
    for at in 0..entries / batch {
        let first = at * batch + 1;
        let bodies: Vec<&[u8]> = (first..first + batch)
            .map(|index| &pool[index as usize % 4096..][..body_bytes])
            .collect();
        replica.append(first, &bodies)?;
        if (at + 1) % release_every == 0 {
            replica.release(first + batch - 1)?;
        }
    }
    Ok((meter.stop()?, replica.log.syncs()))
}

/// Bytes that do not compress, the same in every run.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..bytes).map(|_| next()).collect()
}

fn row(runs: &[(Cost, u64)], entries: u64) -> Row {
    let per_entry =
        |value: fn(&(Cost, u64)) -> f64| median(runs.iter().map(value).collect()) / entries as f64;
    Row {
        appends_per_second: 1.0 / per_entry(|(cost, _)| cost.wall.as_secs_f64()),
        cpu_us: per_entry(|(cost, _)| cost.cpu.as_secs_f64() * 1e6),
        syncs: per_entry(|(_, syncs)| *syncs as f64),
        written_bytes: per_entry(|(cost, _)| cost.written_bytes as f64),
    }
}

fn report(body_bytes: usize, batch: u64, rows: &[Row]) {
    let Some(base) = rows.first() else { return };
    for (variant, row) in VARIANTS.iter().zip(rows) {
        println!(
            "| {body_bytes} | {batch} | {} | {:.0} ({:.2}×) | {:.2} ({:.2}×) | {:.4} | {:.0} ({:.2}×) |",
            variant.name,
            row.appends_per_second,
            row.appends_per_second / base.appends_per_second,
            row.cpu_us,
            row.cpu_us / base.cpu_us,
            row.syncs,
            row.written_bytes,
            row.written_bytes / base.written_bytes,
        );
    }
}
