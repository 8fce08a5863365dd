//! `eunoe import`: conversations from a file, many at a time, each in its order, none twice.

mod chat;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod pipeline;
mod source;
mod tally;

use std::sync::Arc;
use std::time::Instant;

use eunoe_client::Client;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::args::{Global, ImportArgs};
use crate::context;
use crate::failure::Failure;
use crate::output;
use pipeline::Pipeline;
use source::Source;
use tally::Tally;

/// Lines that are read ahead of the cluster.
const LINES_AHEAD: usize = 256;

/// Imports the file and prints what was added.
pub(crate) async fn run(global: &Global, arguments: ImportArgs) -> Result<(), Failure> {
    let started = Instant::now();
    let mut context = context::for_tenant(global)?;
    context.timeouts.call = arguments.patience;
    let source = Source::open(&arguments.file, arguments.skip_bad)?;
    let client = Client::connect(context).await?;
    let bar = progress_bar(source.size_bytes());
    let tally = Arc::new(Tally::default());

    let (sender, lines) = tokio::sync::mpsc::channel(LINES_AHEAD);
    let reading = {
        let (tally, bar) = (Arc::clone(&tally), bar.clone());
        let most = arguments.conversations.unwrap_or(u64::MAX);
        tokio::task::spawn_blocking(move || source.feed(&sender, most, &tally, &bar))
    };
    let pipeline = Pipeline::new(client, global.purpose.clone(), Arc::clone(&tally));
    // What stands in front of a malformed line is imported to the end; then the line is refused.
    let imported = pipeline.run(lines).await;
    let read = reading
        .await
        .map_err(|error| Failure::io("read the file to its end", &error))?;
    bar.finish_and_clear();
    imported.and(read)?;
    print(global, &tally, started.elapsed().as_secs_f64())
}

fn print(global: &Global, tally: &Tally, seconds: f64) -> Result<(), Failure> {
    let counts = tally.counts();
    let json = json!({
        "conversations": counts.conversations,
        "messages": counts.messages,
        "skipped": counts.skipped,
        "already_stored": counts.already_stored,
        // Milliseconds are as exact as the figure is.
        "seconds": (seconds * 1_000.0).round() / 1_000.0,
    });
    output::result(global.output, &json, || {
        format!(
            "{} conversations and {} messages added in {seconds:.1} s; {} messages were stored already, {} lines skipped",
            counts.conversations, counts.messages, counts.already_stored, counts.skipped
        )
    })
}

/// Shows itself on a terminal only.
fn progress_bar(size_bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(size_bytes);
    let style = ProgressStyle::with_template("{wide_bar} {bytes} of {total_bytes}, {elapsed} (left {eta})");
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
