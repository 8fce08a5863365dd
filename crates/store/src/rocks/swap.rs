//! Putting a snapshot in the place of a group's state, atomic over crashes.
//!
//! One rename decides: once the snapshot stands beside the state as `state.new`, the new state has won and
//! whoever opens the group finishes the rest; before, nothing happened. Every step may be repeated.

use std::path::{Path, PathBuf};

use eunoe_types::Fault;

use crate::disk;

/// The directories of a replacement.
pub(super) struct Swap {
    state: PathBuf,
    new: PathBuf,
    old: PathBuf,
}

pub(super) type Step = fn(&Swap) -> Result<(), Fault>;

/// What is left to do after the deciding rename, in order.
pub(super) const STEPS: [Step; 3] = [Swap::set_old_aside, Swap::put_new_in_place, Swap::remove_old];

impl Swap {
    /// The replacement of `<group_dir>/state`.
    pub(super) fn new(group_dir: &Path) -> Self {
        let beside = |name: &str| group_dir.join(name);
        Self {
            state: beside("state"),
            new: beside("state.new"),
            old: beside("state.old"),
        }
    }

    /// Decides for the snapshot in `from`, after making sure that all of it is durable.
    pub(super) fn decide(&self, from: &Path) -> Result<(), Fault> {
        for path in disk::list(from)? {
            disk::sync_file(&path)?;
        }
        disk::sync_dir(from)?;
        disk::rename(from, &self.new)
    }

    /// Finishes what was decided; does nothing if nothing was.
    pub(super) fn finish(&self) -> Result<(), Fault> {
        STEPS.iter().try_for_each(|step| step(self))
    }

    /// While `state.new` exists, `state` is the old one.
    fn set_old_aside(&self) -> Result<(), Fault> {
        if self.new.is_dir() && self.state.is_dir() {
            disk::remove_dir(&self.old)?;
            disk::rename(&self.state, &self.old)?;
        }
        Ok(())
    }

    fn put_new_in_place(&self) -> Result<(), Fault> {
        if self.new.is_dir() {
            disk::rename(&self.new, &self.state)
        } else {
            Ok(())
        }
    }

    fn remove_old(&self) -> Result<(), Fault> {
        disk::remove_dir(&self.old)
    }
}

/// Whether a replacement was decided in a group's directory and is not finished.
pub(crate) fn is_unfinished(group_dir: &Path) -> bool {
    let Swap { new, old, .. } = Swap::new(group_dir);
    new.is_dir() || old.is_dir()
}

#[cfg(test)]
#[path = "swap_test.rs"]
mod tests;
