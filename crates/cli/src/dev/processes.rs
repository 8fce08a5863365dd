//! Which processes belong to the cluster. A process is known by its id, its start time and the machine's boot, so
//! that nobody else's process is ever taken for ours after its id was used again.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::layout::Layout;
use crate::failure::Failure;
use crate::files;

const LOCK_TRIES: u32 = 200;
const POLL: Duration = Duration::from_millis(50);

/// A process that was started, and may have ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    pub(super) pid: u32,
    /// Clock ticks from the machine's boot to the process's start.
    start_ticks: u64,
    /// Which boot.
    boot: String,
}

/// The processes of one cluster, kept in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Processes {
    /// The `eunoe dev` that serves in the foreground or is starting nodes.
    pub(super) supervisor: Option<Process>,
    /// By node id.
    pub(super) nodes: BTreeMap<u64, Process>,
}

impl Process {
    /// The process that has this id now.
    pub(super) fn of(pid: u32) -> Result<Self, Failure> {
        let (_, start_ticks) =
            stat(pid).ok_or_else(|| Failure::local(format!("process {pid} has ended already")))?;
        let boot = boot()?;
        Ok(Self {
            pid,
            start_ticks,
            boot,
        })
    }

    /// Whether it still runs; one that has ended and was not waited for does not.
    pub(super) fn is_alive(&self) -> bool {
        let same_boot = boot().is_ok_and(|boot| boot == self.boot);
        same_boot && stat(self.pid).is_some_and(|(alive, start)| alive && start == self.start_ticks)
    }

    /// Sends a signal, if it still runs.
    pub(super) fn signal(&self, signal: Signal) -> Result<(), Failure> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| Failure::local(format!("{} is no process id", self.pid)))?;
        // The handle is opened before the identity is checked: what it points to cannot change any more.
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else {
            return Ok(());
        };
        if !self.is_alive() {
            return Ok(());
        }
        match pidfd_send_signal(&handle, signal) {
            Err(error) if error != rustix::io::Errno::SRCH => {
                Err(Failure::io(&format!("signal process {}", self.pid), &error))
            }
            _ => Ok(()),
        }
    }
}

impl Processes {
    pub(super) fn read(layout: &Layout) -> Result<Self, Failure> {
        let path = layout.processes_file();
        match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map_err(|error| Failure::file("read", &path, &error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Failure::file("read", &path, &error)),
        }
    }

    /// Changes the file while nobody else does.
    pub(super) async fn update<T>(
        layout: &Layout,
        change: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let path = layout.lock_file();
        let unlockable = |error: &dyn std::fmt::Display| Failure::file("lock", &path, error);
        let lock = OpenOptions::new().create(true).append(true).open(&path);
        let lock = lock.map_err(|error| unlockable(&error))?;
        let mut tries = 0;
        while let Err(error) = flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            tries += 1;
            if error != rustix::io::Errno::WOULDBLOCK || tries == LOCK_TRIES {
                return Err(unlockable(&error));
            }
            tokio::time::sleep(POLL).await;
        }
        let mut processes = Self::read(layout)?;
        let result = change(&mut processes)?;
        let text = serde_json::to_string(&processes).map_err(|error| unlockable(&error))?;
        files::write(&layout.processes_file(), &text, files::Access::Public)?;
        Ok(result)
    }

    /// Notes who runs a node.
    pub(super) async fn note(layout: &Layout, id: u64, process: &Process) -> Result<(), Failure> {
        Self::update(layout, |processes| {
            processes.nodes.insert(id, process.clone());
            Ok(())
        })
        .await
    }

    /// The nodes that run.
    pub(super) fn alive_nodes(&self) -> Vec<(u64, Process)> {
        let nodes = self.nodes.iter().filter(|(_, process)| process.is_alive());
        nodes.map(|(id, process)| (*id, process.clone())).collect()
    }
}

/// Waits until none of them runs; returns those that still do when the time is over.
pub(super) async fn wait_ended(mut processes: Vec<(u64, Process)>, time: Duration) -> Vec<(u64, Process)> {
    let until = Instant::now() + time;
    loop {
        processes.retain(|(_, process)| process.is_alive());
        if processes.is_empty() || Instant::now() >= until {
            return processes;
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Whether the process has not ended, and when it started; nothing when there is none.
fn stat(pid: u32) -> Option<(bool, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in brackets, and may hold blanks and brackets itself.
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    // The start is field 22; the state was field 3.
    let start = fields.nth(18)?.parse().ok()?;
    Some((!matches!(state, "Z" | "X"), start))
}

fn boot() -> Result<String, Failure> {
    let path = std::path::Path::new("/proc/sys/kernel/random/boot_id");
    Ok(files::read(path)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    fn sleeper() -> Child {
        Command::new("sleep").arg("600").spawn().unwrap()
    }

    #[tokio::test]
    async fn a_process_is_ours_until_it_ends() {
        let mut child = sleeper();
        let process = Process::of(child.id()).unwrap();
        assert!(process.is_alive());
        process.signal(Signal::TERM).unwrap();
        // It has not been waited for, so its id is still taken; it counts as ended all the same.
        let left = wait_ended(vec![(1, process.clone())], Duration::from_secs(60)).await;
        assert_eq!(left, []);
        child.wait().unwrap();
        assert!(!process.is_alive());
        process.signal(Signal::KILL).unwrap();
    }

    #[test]
    fn a_process_with_the_same_id_and_another_start_is_left_alone() {
        let mut child = sleeper();
        let ours = Process::of(child.id()).unwrap();
        let other_start = Process {
            start_ticks: ours.start_ticks - 1,
            ..ours.clone()
        };
        let other_boot = Process {
            boot: "another".to_owned(),
            ..ours
        };
        for stranger in [other_start, other_boot] {
            assert!(!stranger.is_alive());
            stranger.signal(Signal::KILL).unwrap();
        }
        assert!(ours.is_alive());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[tokio::test]
    async fn the_file_survives_and_can_be_changed_by_many() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::at(folder.path()).unwrap();
        let me = Process::of(std::process::id()).unwrap();
        let changes = (1..=8).map(|id| {
            let (layout, me) = (layout.clone(), me.clone());
            tokio::spawn(async move { Processes::note(&layout, id, &me).await.unwrap() })
        });
        for change in changes.collect::<Vec<_>>() {
            change.await.unwrap();
        }
        let processes = Processes::read(&layout).unwrap();
        assert_eq!(processes.alive_nodes().len(), 8);
    }
}
