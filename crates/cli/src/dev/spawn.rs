//! Starts `eunoed`, and waits until it serves.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::health::{self, Probe};
use super::layout::{Cluster, Layout, Node};
use super::node_config;
use super::processes::{Process, Processes};
use crate::failure::Failure;
use crate::files;

/// Names the program to run in place of the `eunoed` beside this one.
const EUNOED: &str = "EUNOE_EUNOED";
const POLL: Duration = Duration::from_millis(100);
/// Lines of a failed node's log that are shown.
const LOG_LINES_SHOWN: usize = 5;

/// Nodes that this process started and waits for.
#[derive(Default)]
pub(super) struct Children {
    exits: JoinSet<Exit>,
}

/// A node that ended.
pub(super) struct Exit {
    pub(super) id: u64,
    pub(super) pid: u32,
    /// Absent when the system would not say.
    status: Option<ExitStatus>,
}

impl Exit {
    pub(super) fn describe(&self) -> String {
        let status = self
            .status
            .map_or_else(|| "unknown".to_owned(), |status| status.to_string());
        format!("node {} (pid {}) ended: {status}", self.id, self.pid)
    }
}

impl Children {
    /// Starts a node in a process group of its own: an interrupt on the terminal is ours to handle.
    pub(super) async fn start(
        &mut self,
        layout: &Layout,
        cluster: &Cluster,
        node: &Node,
    ) -> Result<(), Failure> {
        node_config::write(layout, cluster, node)?;
        files::make_folder(&layout.data_dir(node.id))?;
        let mut child = spawn(layout, node.id)?;
        let pid = child.id().ok_or_else(|| Failure::local("a node ended at once"))?;
        Processes::note(layout, node.id, &Process::of(pid)?).await?;
        let id = node.id;
        self.exits.spawn(async move {
            let status = child.wait().await.ok();
            Exit { id, pid, status }
        });
        Ok(())
    }

    /// The next node that ends; waits for ever when none is left.
    pub(super) async fn next_exit(&mut self) -> Exit {
        loop {
            match self.exits.join_next().await {
                Some(Ok(exit)) => return exit,
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Waits until all of `nodes` pass; fails as soon as one of our children ends.
    pub(super) async fn wait_until(
        &mut self,
        layout: &Layout,
        nodes: &[Node],
        probe: Probe,
        time: Duration,
    ) -> Result<(), Failure> {
        let until = Instant::now() + time;
        let mut waiting: Vec<&Node> = nodes.iter().collect();
        loop {
            let mut still = Vec::new();
            for node in waiting {
                if !health::passes(&node.admin, probe).await {
                    still.push(node);
                }
            }
            waiting = still;
            if waiting.is_empty() {
                return Ok(());
            }
            if Instant::now() >= until {
                let ids: Vec<_> = waiting.iter().map(|node| node.id.to_string()).collect();
                let log = last_lines(&layout.log_file(waiting[0].id));
                return Err(Failure::local(format!(
                    "not serving after {} s: node {}{log}",
                    time.as_secs(),
                    ids.join(", ")
                )));
            }
            tokio::select! {
                exit = self.next_exit() => {
                    let log = last_lines(&layout.log_file(exit.id));
                    return Err(Failure::local(format!("{} before it served{log}", exit.describe())));
                }
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }
}

fn spawn(layout: &Layout, id: u64) -> Result<Child, Failure> {
    let (program, log_path) = (program()?, layout.log_file(id));
    let log = OpenOptions::new().create(true).append(true).open(&log_path);
    let log = log.and_then(|log| Ok((log.try_clone()?, log)));
    let (out, err) = log.map_err(|error| Failure::file("open", &log_path, &error))?;
    Command::new(&program)
        .arg("--config")
        .arg(layout.config_file(id))
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .process_group(0)
        .spawn()
        .map_err(|error| Failure::file("start", &program, &error))
}

/// The `eunoed` to run.
fn program() -> Result<PathBuf, Failure> {
    let program = match std::env::var_os(EUNOED) {
        Some(program) => PathBuf::from(program),
        None => std::env::current_exe()
            .map_err(|error| Failure::io("find this program's own file", &error))?
            .with_file_name("eunoed"),
    };
    if program.is_file() {
        return Ok(program);
    }
    let program = program.display();
    Err(Failure::local(format!(
        "there is no {program}: build eunoed, or name it in {EUNOED}"
    )))
}

/// The end of a log, as something to add to an error.
fn last_lines(path: &Path) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().rev().take(LOG_LINES_SHOWN).collect();
    let mut end = format!("; the end of {}:", path.display());
    for line in lines.iter().rev() {
        end.push_str("\n  ");
        end.push_str(&crate::output::printable(line));
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_the_end_of_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let lines: Vec<_> = (1..=9).map(|n| format!("line {n}")).collect();
        std::fs::write(&path, lines.join("\n")).unwrap();
        let expected = format!(
            "; the end of {}:\n  line 5\n  line 6\n  line 7\n  line 8\n  line 9",
            path.display()
        );
        assert_eq!(last_lines(&path), expected);
    }
}
