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

/// openraft tells each vote and each lost connection at INFO: of interest to its developers.
fn filter(level: LevelFilter) -> Targets {
    let openraft = if level >= LevelFilter::DEBUG {
        level
    } else {
        level.min(LevelFilter::WARN)
    };
    Targets::new()
        .with_default(level)
        .with_target("openraft", openraft)
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
