//! `eunoe dev stop`, and how nodes are stopped: asked first, killed when they take too long.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use super::layout::Layout;
use super::processes::{Process, Processes, wait_ended};
use crate::failure::Failure;
use crate::files;
use crate::output::{self, Output};

/// What a node has to drain.
const DRAIN_TIME: Duration = Duration::from_secs(20);
/// What the system has to end a killed process.
const KILL_TIME: Duration = Duration::from_secs(10);

/// Stops whatever runs in the folder.
pub(super) async fn run(output: Output, dir: &Path) -> Result<(), Failure> {
    let (layout, _) = Layout::existing(dir)?;
    let processes = Processes::read(&layout)?;
    let running: Vec<u64> = processes.alive_nodes().iter().map(|(id, _)| *id).collect();
    if let Some(supervisor) = processes.supervisor.filter(Process::is_alive) {
        supervisor.signal(Signal::TERM)?;
        // It stops the nodes itself, in this time or less.
        let time = DRAIN_TIME + KILL_TIME + KILL_TIME;
        for (_, supervisor) in wait_ended(vec![(0, supervisor)], time).await {
            output::note(&format!(
                "eunoe dev (pid {}) did not stop in time",
                supervisor.pid
            ));
        }
    }
    stop_nodes(&layout).await?;
    output::result(output, &json!({"stopped": running}), || match running.len() {
        0 => "nothing was running".to_owned(),
        count => format!("{count} nodes stopped; their data is kept"),
    })
}

/// Stops all nodes, whoever started them, and withdraws `ready.json`.
pub(super) async fn stop_nodes(layout: &Layout) -> Result<(), Failure> {
    files::remove(&layout.ready_file())?;
    let alive = Processes::read(layout)?.alive_nodes();
    stop_processes(alive).await?;
    Processes::update(layout, |processes| {
        *processes = Processes::default();
        Ok(())
    })
    .await
}

/// Stops these nodes; returns once none of them runs.
pub(super) async fn stop_processes(nodes: Vec<(u64, Process)>) -> Result<(), Failure> {
    for (_, process) in &nodes {
        process.signal(Signal::TERM)?;
    }
    let late = wait_ended(nodes, DRAIN_TIME).await;
    for (id, process) in &late {
        output::note(&format!(
            "node {id} (pid {}) did not stop within {} s and is killed",
            process.pid,
            DRAIN_TIME.as_secs()
        ));
        process.signal(Signal::KILL)?;
    }
    match wait_ended(late, KILL_TIME).await.first() {
        Some((id, process)) => Err(Failure::local(format!(
            "node {id} (pid {}) cannot be stopped",
            process.pid
        ))),
        None => Ok(()),
    }
}
