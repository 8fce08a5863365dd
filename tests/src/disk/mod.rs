//! A disk that fails when it is told to: it forgets what was not synced, lies about a sync or fails it, is full, or
//! does not answer. A process of its own serves it in memory through FUSE, so that it outlives the nodes on it, and is
//! unmounted however the test ends.

mod file;
mod fuse;
mod model;
mod serve;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub use serve::serve;
use tempfile::TempDir;

use crate::cluster::programs;

/// What the serving process says when it has done what it was told.
const DONE: &str = "done";

/// A mounted disk, empty at first.
pub struct Disk {
    folder: TempDir,
    process: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Disk {
    /// Mounts one.
    ///
    /// # Panics
    ///
    /// If it cannot: FUSE is needed (`/dev/fuse`, and root or `fusermount3`).
    pub fn mount() -> Self {
        let folder = tempfile::Builder::new().prefix("eunoe-disk-").tempdir();
        let folder = folder.expect("a folder is made");
        let mut process = Command::new(programs::disk())
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program that serves disks starts");
        let commands = process.stdin.take();
        let answers = process.stdout.take().expect("its output is a pipe");
        let mut disk = Self {
            folder,
            process,
            commands,
            answers: BufReader::new(answers),
        };
        disk.expect_done("mount (is there /dev/fuse, and root or fusermount3?)");
        disk
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// The power fails: all that was not synced is gone. Nothing may run on the disk.
    pub fn lose_unsynced(&mut self) {
        self.tell("crash");
    }

    /// The power fails, and an arbitrary part of what was not synced is there all the same.
    pub fn lose_some(&mut self, seed: u64) {
        self.tell(&format!("crash {seed}"));
    }

    /// From now on it says that it has synced, and does not.
    pub fn ignore_syncs(&mut self) {
        self.tell("ignore-syncs");
    }

    /// The next `count` syncs fail, and what they were for will never be durable.
    pub fn fail_syncs(&mut self, count: u64) {
        self.tell(&format!("fail-syncs {count}"));
    }

    /// From now on so many bytes more find space.
    pub fn leave_free(&mut self, bytes: u64) {
        self.tell(&format!("leave-free {bytes}"));
    }

    /// It is never full again.
    pub fn make_space(&mut self) {
        self.tell("leave-free");
    }

    /// From now on no change of it and no sync ends; it can be read.
    pub fn freeze(&mut self) {
        self.tell("freeze");
    }

    /// Ends what [`Self::freeze`] began; what waited happens.
    pub fn thaw(&mut self) {
        self.tell("thaw");
    }

    fn tell(&mut self, command: &str) {
        let commands = self.commands.as_mut().expect("the disk is mounted");
        writeln!(commands, "{command}").expect("the disk is told what to do");
        self.expect_done(command);
    }

    fn expect_done(&mut self, what: &str) {
        let mut answer = String::new();
        let read = self.answers.read_line(&mut answer);
        read.expect("the disk answers");
        assert_eq!(answer.trim(), DONE, "the disk does not {what}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The end of its input makes the process unmount and end; if it died before, nobody else unmounts.
        drop(self.commands.take());
        let _ended = self.process.wait();
        detach(self.folder.path());
    }
}

/// Unmounts even if somebody still uses the disk.
fn detach(mount_point: &Path) {
    let quietly = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).arg(mount_point).stdin(Stdio::null());
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    // Who is not root may unmount what is theirs through the second.
    let _unmounted = quietly("umount", &["-l"]) || quietly("fusermount3", &["-u", "-z"]);
}
