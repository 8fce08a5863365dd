//! Runs seeds and says what they found.
#![expect(clippy::print_stdout, reason = "what it found is what the program is for")]

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;
use eunoe_sim::world::coverage::Coverage;
use eunoe_sim::world::{Options, Report, run};

/// Simulates clusters, one per seed, and checks what clients saw of them.
#[derive(Parser)]
struct Arguments {
    /// Seeds to run.
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// How long things go wrong in each, in ms of its own clock.
    #[arg(long, default_value_t = Options::default().safety_ms)]
    safety_ms: u64,
    /// Seeds at the same time.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Prints the trace of each, and what its clients saw.
    #[arg(long)]
    trace: bool,
    /// Ends with an error if a kind of event never happened.
    #[arg(long)]
    demand_coverage: bool,
    /// Nodes also end at steps of the protocol.
    #[cfg(feature = "failpoints")]
    #[arg(long)]
    failpoints: bool,
    /// Goes on after a violation.
    #[arg(long)]
    keep_going: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = Options {
        safety_ms: arguments.safety_ms,
        keeps_trace: arguments.trace,
        #[cfg(feature = "failpoints")]
        failpoints: arguments.failpoints,
        ..Options::default()
    };
    let (next, end) = (AtomicU64::new(arguments.first), arguments.first + arguments.seeds);
    let failed = Mutex::new(BTreeSet::new());
    let (coverage, begun) = (Coverage::default(), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let mut failed_so_far = failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    if seed >= end || (!failed_so_far.is_empty() && !arguments.keep_going) {
                        return;
                    }
                    drop(failed_so_far);
                    let report = run(seed, options);
                    coverage.add(&report.coverage);
                    if !report.violations.is_empty() {
                        failed_so_far = failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                        failed_so_far.insert(seed);
                    }
                    tell(seed, &report, arguments.trace);
                }
            });
        }
    });
    let failed = failed
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let missing = coverage.missing();
    let seconds = begun.elapsed().as_secs_f64();
    let ran = next.load(Ordering::Relaxed).min(end) - arguments.first;
    println!("{coverage}");
    println!(
        "{ran} seeds, {:.3} s each on {} threads; with violations: {failed:?}",
        seconds / ran.max(1) as f64 * arguments.threads as f64,
        arguments.threads
    );
    if arguments.demand_coverage && !missing.is_empty() {
        println!("never happened: {missing:?}");
        return ExitCode::FAILURE;
    }
    match failed.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn tell(seed: u64, report: &Report, trace: bool) {
    if trace {
        for line in &report.trace {
            println!("{line}");
        }
        println!(
            "seed {seed}: digest {:016x}, {} calls, {} ms",
            report.digest,
            report.history.calls().len(),
            report.lasted_ms
        );
    }
    for violation in &report.violations {
        println!("seed {seed}: {violation}");
    }
}
