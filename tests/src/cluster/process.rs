//! A process that may have ended, and whose id may be somebody else's by now.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// A process, known by its id and its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pid: i32,
    start_ticks: u64,
}

impl Process {
    /// The process that has this id now, if there is one and its command line names `folder`: an id in a file may
    /// be a stranger's by now.
    pub fn of(pid: i32, folder: &Path) -> Option<Self> {
        let (_, start_ticks) = stat(pid)?;
        let command_line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let ours = String::from_utf8_lossy(&command_line).contains(folder.to_str()?);
        ours.then_some(Self { pid, start_ticks })
    }

    /// A child of this process that was not waited for: its id is nobody else's, whether it runs or has ended already.
    pub fn of_child(pid: i32) -> Option<Self> {
        let (_, start_ticks) = stat(pid)?;
        Some(Self { pid, start_ticks })
    }

    /// Its id.
    pub fn id(&self) -> i32 {
        self.pid
    }

    /// Whether it stands still after a signal.
    pub fn is_stopped(&self) -> bool {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        let after_name = text.rsplit_once(')').map(|(_, rest)| rest.trim_start());
        self.is_alive() && after_name.is_some_and(|rest| rest.starts_with('T'))
    }

    /// Whether it runs; one that ended and was not waited for does not.
    pub fn is_alive(&self) -> bool {
        stat(self.pid).is_some_and(|(runs, start)| runs && start == self.start_ticks)
    }

    /// Whether nothing of it is left: a thread that waits for a disk outlives the process that it was of.
    pub fn is_gone(&self) -> bool {
        let others = |tasks: fs::ReadDir| tasks.count() > 1;
        let is_held = || fs::read_dir(format!("/proc/{}/task", self.pid)).is_ok_and(others);
        !(self.is_alive() || stat(self.pid).is_some_and(|(_, start)| start == self.start_ticks) && is_held())
    }

    /// Everything that the process can write to and has for itself: heap, stacks, memory for keys. Pages that no core
    /// dump would have are in it.
    ///
    /// # Panics
    ///
    /// If the process has ended, or the system does not show its memory to whoever runs this.
    pub fn memory(&self) -> Vec<u8> {
        let maps =
            fs::read_to_string(format!("/proc/{}/maps", self.pid)).expect("a process that runs has maps");
        let memory = fs::File::open(format!("/proc/{}/mem", self.pid)).expect("a tester may read memory");
        let mut bytes = Vec::new();
        for line in maps.lines() {
            let mut fields = line.split_ascii_whitespace();
            let (range, rights) = (
                fields.next().unwrap_or_default(),
                fields.next().unwrap_or_default(),
            );
            let Some((from, to)) = range.split_once('-').filter(|_| rights == "rw-p") else {
                continue;
            };
            let number = |text| u64::from_str_radix(text, 16).expect("a map is between two addresses");
            let (from, to) = (number(from), number(to));
            let mut part = vec![0; usize::try_from(to - from).expect("a map fits into memory")];
            // What was unmapped meanwhile is no memory of the process any more.
            if memory.read_exact_at(&mut part, from).is_ok() {
                bytes.extend(part);
            }
        }
        assert!(self.is_alive(), "the process has ended");
        bytes
    }

    /// Sends a signal, unless the process has ended.
    ///
    /// # Panics
    ///
    /// If the system refuses it.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid).expect("a process id is positive");
        // The handle comes before the check of whose it is: what it points to cannot change any more.
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else {
            return;
        };
        if self.is_alive() {
            let sent = pidfd_send_signal(&handle, signal);
            assert!(sent.is_ok() || !self.is_alive(), "a signal was refused: {sent:?}");
        }
    }
}

/// Whether the process runs, and when it started.
fn stat(pid: i32) -> Option<(bool, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in brackets, and may hold blanks and brackets itself.
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    let start = fields.nth(18)?.parse().ok()?;
    Some((!matches!(state, "Z" | "X"), start))
}
