//! `eunoe dev start-node`: nodes that ended, on the data that they have.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::health::Probe;
use super::layout::{Layout, Node};
use super::processes::{Process, Processes};
use super::published;
use super::spawn::Children;
use crate::failure::Failure;
use crate::output::{self, Output};

/// Starts the nodes and leaves them running; without patience does not wait until they serve.
pub(super) async fn run(
    output: Output,
    dir: &Path,
    ids: &[u64],
    patience: Option<Duration>,
) -> Result<(), Failure> {
    let (layout, cluster) = Layout::existing(dir)?;
    let nodes: Vec<Node> = ids
        .iter()
        .map(|id| cluster.node(*id).cloned())
        .collect::<Result<_, _>>()?;
    let processes = Processes::read(&layout)?;
    let running = |node: &&Node| processes.nodes.get(&node.id).is_some_and(Process::is_alive);
    if let Some(node) = nodes.iter().find(running) {
        return Err(Failure::local(format!("node {} runs already", node.id)));
    }
    let mut children = Children::default();
    for node in &nodes {
        children.start(&layout, &cluster, node).await?;
    }
    if let Some(patience) = patience {
        children
            .wait_until(&layout, &nodes, Probe::Ready, patience)
            .await?;
    }
    let ready = published::write(&layout, &cluster)?;
    let pids = ready.ids.iter().zip(&ready.pids);
    let pids: Vec<u32> = pids
        .filter(|(id, _)| ids.contains(id))
        .map(|(_, pid)| *pid)
        .collect();
    output::result(output, &json!({"ids": ids, "pids": pids}), || {
        let started = ids.iter().zip(&pids);
        let lines: Vec<_> = started
            .map(|(id, pid)| format!("node {id} runs (pid {pid})"))
            .collect();
        lines.join("\n")
    })
}
