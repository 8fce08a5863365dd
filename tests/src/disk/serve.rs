//! The program that serves a disk: it mounts it, does what it is told on its standard input, a word a line, and
//! unmounts it when that ends, which it also does when who started it is killed.

use std::io::{self, BufRead as _, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use fuser::{Config, MountOption};

use super::fuse::{Served, State};
use super::{DONE, detach};
use crate::random::Random;

/// Serves a disk at `mount_point` until standard input ends.
///
/// # Errors
///
/// If it cannot be mounted, or is told what it does not know.
pub fn serve(mount_point: &Path) -> io::Result<()> {
    let state = Arc::new(Mutex::new(State::new()));
    let mut config = Config::default();
    config.mount_options = vec![MountOption::FSName("eunoe-test-disk".into())];
    let session = fuser::spawn_mount(Served(state.clone()), mount_point, &config)?;
    let told = obey(&state);
    // Nothing may wait for this process for ever; its end cuts off whoever still uses the disk.
    detach(mount_point);
    drop(session);
    told
}

fn obey(state: &Mutex<State>) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{DONE}")?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let (word, number) = line.split_once(' ').unwrap_or((&line, ""));
        let number: Option<u64> = number.parse().ok();
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        match (word, number) {
            ("crash", some) => state.model.crash(some.map(Random::from_seed)),
            ("ignore-syncs", None) => state.model.faults.ignores_sync = true,
            ("fail-syncs", Some(count)) => state.model.faults.failing_syncs = count,
            ("leave-free", bytes) => {
                let used = state.model.bytes();
                state.model.faults.bytes_max = bytes.map(|free| used + free);
            }
            ("freeze", None) => state.freeze(),
            ("thaw", None) => state.thaw(),
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, line)),
        }
        drop(state);
        writeln!(out, "{DONE}")?;
    }
    Ok(())
}
