//! The databases of a node: `<root>/group-<id>/` holds `FORMAT`, `state/` and `snapshots/` of one group.

use std::path::{Path, PathBuf};

use eunoe_types::{Fault, GroupId};
use rocksdb::Options;

use super::{RocksOptions, RocksState, swap::Swap};
use crate::{StateFactory, disk};

/// The directory of the database in a group's directory.
pub(crate) const STATE_DIR: &str = "state";

const FORMAT_FILE: &str = "FORMAT";
const FORMAT: &[u8] = b"eunoe state 1\n";
const FORMAT_BYTES_MAX: u64 = 64;
const DOOMED: &str = "removed-";

/// Opens the state of groups below one directory, sharing caches and limits.
pub struct RocksStates {
    root: PathBuf,
    options: Options,
}

impl RocksStates {
    /// Databases below `root`, which is created if need be.
    pub fn new(root: &Path, options: &RocksOptions) -> Result<Self, Fault> {
        disk::create_dir(root)?;
        for path in disk::list(root)?
            .iter()
            .filter(|path| disk::name(path).starts_with(DOOMED))
        {
            disk::remove_dir(path)?;
        }
        Ok(Self {
            root: root.to_owned(),
            options: options.build()?,
        })
    }

    fn group_dir(&self, group: GroupId) -> PathBuf {
        self.root.join(format!("group-{group}"))
    }

    fn open_database(&self, group: GroupId) -> Result<RocksState, Fault> {
        let state = self.group_dir(group).join(STATE_DIR);
        let opened = RocksState::open(&self.options, group, &state)?;
        disk::sync_dir(&self.group_dir(group))?;
        Ok(opened)
    }
}

/// Checks the format of a group's directory. `false` means that the directory is new.
pub(crate) fn check_format(group_dir: &Path) -> Result<bool, Fault> {
    let path = group_dir.join(FORMAT_FILE);
    match disk::read_small(&path, FORMAT_BYTES_MAX)?.as_deref() {
        Some(FORMAT) => Ok(true),
        Some(_) => Err(Fault::broken(format!(
            "{} names a format that this release does not know",
            path.display()
        ))),
        None if group_dir.join(STATE_DIR).exists() => Err(Fault::broken(format!(
            "{} is missing beside a state",
            path.display()
        ))),
        None => Ok(false),
    }
}

impl StateFactory for RocksStates {
    type Engine = RocksState;

    fn open(&self, group: GroupId) -> Result<RocksState, Fault> {
        let dir = self.group_dir(group);
        disk::create_dir(&dir)?;
        if !check_format(&dir)? {
            disk::write_whole(&dir.join(FORMAT_FILE), FORMAT)?;
        }
        Swap::new(&dir).finish()?;
        self.open_database(group)
    }

    fn replace(&self, group: GroupId, old: RocksState, from: &Path) -> Result<RocksState, Fault> {
        drop(old);
        let swap = Swap::new(&self.group_dir(group));
        swap.decide(from)?;
        swap.finish()?;
        self.open_database(group)
    }

    fn snapshot_dir(&self, group: GroupId) -> PathBuf {
        self.group_dir(group).join("snapshots")
    }

    /// The directory loses its name first: a crash must not leave half a state to be opened.
    fn remove(&self, group: GroupId) -> Result<(), Fault> {
        let dir = self.group_dir(group);
        if !dir.is_dir() {
            return Ok(());
        }
        let doomed = self.root.join(format!("{DOOMED}{group}"));
        disk::remove_dir(&doomed)?;
        disk::rename(&dir, &doomed)?;
        disk::remove_dir(&doomed)
    }
}
