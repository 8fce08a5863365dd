//! `eunoe dev`: starts all nodes, tells how to talk to them, and serves until it is asked to stop.

use std::path::Path;
use std::time::Duration;

use serde_json::to_value;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::health::Probe;
use super::layout::{Cluster, Layout, Node, Wanted};
use super::processes::{Process, Processes};
use super::published::{self, Ready};
use super::spawn::Children;
use super::stop::stop_nodes;
use crate::failure::Failure;
use crate::files;
use crate::output::{self, Output};

/// Starts the cluster; in the foreground returns when it has been stopped.
pub(super) async fn run(
    output: Output,
    dir: &Path,
    wanted: &Wanted,
    detach: bool,
    timeout: Duration,
) -> Result<(), Failure> {
    let layout = Layout::at(dir)?;
    claim(&layout).await?;
    let outcome = start_and_serve(output, &layout, wanted, detach, timeout).await;
    if detach && outcome.is_ok() {
        return Processes::update(&layout, |processes| {
            processes.supervisor = None;
            Ok(())
        })
        .await;
    }
    let stopped = stop_nodes(&layout).await;
    outcome.and(stopped)
}

async fn start_and_serve(
    output: Output,
    layout: &Layout,
    wanted: &Wanted,
    detach: bool,
    timeout: Duration,
) -> Result<(), Failure> {
    let mut stop_asked = StopSignals::new()?;
    let mut cluster = Cluster::open_or_make(layout, wanted)?;
    cluster.set_pace(layout, wanted.epoch_period_s, wanted.lease_s)?;
    let mut children = Children::default();
    tokio::select! {
        started = start(layout, &cluster, &mut children, timeout) => started?,
        () = stop_asked.next() => return Err(Failure::local("stopped before the nodes served")),
    }
    let ready = published::write(layout, &cluster)?;
    announce(output, layout, &ready, detach)?;
    if detach {
        return Ok(());
    }
    loop {
        tokio::select! {
            exit = children.next_exit() => output::note(&format!(
                "{}; its log is {}; `eunoe dev start-node {} --dir {}` starts it again",
                exit.describe(),
                layout.log_file(exit.id).display(),
                exit.id,
                layout.root().display()
            )),
            () = stop_asked.next() => return Ok(()),
        }
    }
}

/// Makes this process the one that starts and stops the nodes of the folder.
async fn claim(layout: &Layout) -> Result<(), Failure> {
    let me = Process::of(std::process::id())?;
    Processes::update(layout, |processes| {
        let supervised = processes.supervisor.as_ref().is_some_and(Process::is_alive);
        if supervised || !processes.alive_nodes().is_empty() {
            let dir = layout.root().display();
            return Err(Failure::local(format!(
                "a cluster runs in {dir} already; `eunoe dev stop --dir {dir}` stops it"
            )));
        }
        processes.nodes.clear();
        processes.supervisor = Some(me);
        Ok(())
    })
    .await?;
    files::remove(&layout.ready_file())
}

async fn start(
    layout: &Layout,
    cluster: &Cluster,
    children: &mut Children,
    timeout: Duration,
) -> Result<(), Failure> {
    let nodes: Vec<Node> = cluster.admitted().cloned().collect();
    for node in &nodes {
        children.start(layout, cluster, node).await?;
    }
    children.wait_until(layout, &nodes, Probe::Ready, timeout).await
}

fn announce(output: Output, layout: &Layout, ready: &Ready, detach: bool) -> Result<(), Failure> {
    let json = to_value(ready).map_err(|error| Failure::io("print what was started", &error))?;
    output::result(output, &json, || {
        let dir = layout.root().display();
        let stop = if detach {
            format!("`eunoe dev stop --dir {dir}` stops them.")
        } else {
            "Ctrl-C stops them.".to_owned()
        };
        let pids: Vec<_> = ready.pids.iter().map(u32::to_string).collect();
        format!(
            "{count} nodes serve from {dir} (pids {pids}). {stop}\n\n  \
             export EUNOE_CONTEXT={context}\n  \
             eunoe cluster status\n  \
             eunoe conversation create --tenant demo --ref hello --visitor visitor/1\n  \
             eunoe append --tenant demo --ref hello --from visitor --text 'Guten Tag!'\n  \
             eunoe read --tenant demo --ref hello",
            count = ready.pids.len(),
            pids = pids.join(" "),
            context = layout.context_file().display(),
        )
    })
}

/// SIGTERM and SIGINT.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn new() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::io("listen to signals", &error));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
