//! Log lines, and what a panic leaves behind.

use std::panic::PanicHookInfo;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::LogConfig;

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
#[error("the process logs already")]
pub struct LogError;

/// Logs as JSON lines to the standard error from here on, and makes a panic end the process. Once a process.
pub fn init(config: &LogConfig) -> Result<(), LogError> {
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_writer(std::io::stderr);
    tracing_subscriber::registry()
        .with(filter(config.level))
        .with(lines)
        .try_init()
        .map_err(|_| LogError)?;
    std::panic::set_hook(Box::new(die));
    Ok(())
}

/// Where openraft tells of each attempt to reach a peer that cannot be reached: several lines a second for as long as it is
/// away. That it is away, and that it is back, is said once by what connects to it.
const PER_ATTEMPT: [&str; 3] = [
    "openraft::replication",
    "openraft::engine::handler::replication_handler",
    "openraft::core::heartbeat",
];

/// openraft tells each vote and each lost connection at INFO: of interest to its developers.
fn filter(level: LevelFilter) -> Targets {
    let unless_debugging = |most| {
        if level >= LevelFilter::DEBUG {
            level
        } else {
            level.min(most)
        }
    };
    Targets::new()
        .with_default(level)
        .with_target("openraft", unless_debugging(LevelFilter::WARN))
        .with_targets(PER_ATTEMPT.map(|target| (target, unless_debugging(LevelFilter::ERROR))))
        .with_target("opentelemetry", level.min(LevelFilter::WARN))
}

/// A broken invariant must not serve on. The message is left out: it may hold what the code held.
fn die(panic: &PanicHookInfo<'_>) {
    let (file, line) = panic
        .location()
        .map_or(("unknown", 0), |location| (location.file(), location.line()));
    tracing::error!(file, line, "panic: the process ends");
    std::process::abort();
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn attempts_to_reach_a_peer_are_told_to_developers_only() {
        for target in ["openraft::replication", "openraft::core::heartbeat::worker"] {
            assert!(!filter(LevelFilter::INFO).would_enable(target, &Level::WARN));
            assert!(filter(LevelFilter::INFO).would_enable(target, &Level::ERROR));
            assert!(filter(LevelFilter::DEBUG).would_enable(target, &Level::WARN));
        }
        assert!(filter(LevelFilter::INFO).would_enable("openraft::core::raft_core", &Level::WARN));
    }
}
