//! What a disk shows, and what is left of it when its power fails: data since the last sync of a file and names since
//! the last sync of their directory are gone, or some of them are.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::time::SystemTime;

use rustix::io::Errno;

use super::file::{Change, File};
use crate::random::Random;

/// The number of the root directory.
pub(super) const ROOT: u64 = 1;
/// What a file takes is a multiple of this.
const BLOCK_BYTES: u64 = 4096;

type Answer<T> = Result<T, Errno>;

/// What the disk does that a good one would not.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// It says that it has synced, and has not.
    pub(super) ignores_sync: bool,
    /// So many syncs fail; what they were for is never durable, even if a later one succeeds.
    pub(super) failing_syncs: u64,
    /// Bytes of all files together; a write beyond finds no space.
    pub(super) bytes_max: Option<u64>,
}

/// A name in a directory gets another meaning.
#[derive(Debug)]
struct Naming {
    dir: u64,
    name: OsString,
    to: Option<u64>,
}

/// A file's bytes, or a directory's names.
#[derive(Debug)]
pub(super) enum Content {
    File(File),
    Dir(Dir),
}

#[derive(Debug, Default)]
pub(super) struct Dir {
    live: BTreeMap<OsString, u64>,
    durable: BTreeMap<OsString, u64>,
}

#[derive(Debug)]
pub(super) struct Inode {
    pub(super) content: Content,
    pub(super) mode: u32,
    pub(super) links: u32,
    pub(super) modified: SystemTime,
    handles: u32,
}

impl Inode {
    /// Bytes of a file; a directory has none.
    pub(super) fn bytes(&self) -> u64 {
        match &self.content {
            Content::File(file) => file.bytes().len() as u64,
            Content::Dir(_) => 0,
        }
    }

    pub(super) fn is_dir(&self) -> bool {
        matches!(self.content, Content::Dir(_))
    }
}

/// The disk.
#[derive(Debug)]
pub(super) struct Model {
    inodes: BTreeMap<u64, Inode>,
    next: u64,
    /// Changes of names since the last syncs of their directories, in order; each happens as a whole.
    namings: Vec<Vec<Naming>>,
    pub(super) faults: Faults,
}

impl Model {
    pub(super) fn new() -> Self {
        let mut model = Self {
            inodes: BTreeMap::new(),
            next: ROOT,
            namings: Vec::new(),
            faults: Faults::default(),
        };
        model.insert(Content::Dir(Dir::default()), 0o700);
        model
    }

    fn insert(&mut self, content: Content, mode: u32) -> u64 {
        let number = self.next;
        self.next += 1;
        let inode = Inode {
            content,
            mode,
            links: 1,
            modified: SystemTime::now(),
            handles: 0,
        };
        self.inodes.insert(number, inode);
        number
    }

    pub(super) fn inode(&self, number: u64) -> Answer<&Inode> {
        self.inodes.get(&number).ok_or(Errno::STALE)
    }

    pub(super) fn inode_mut(&mut self, number: u64) -> Answer<&mut Inode> {
        self.inodes.get_mut(&number).ok_or(Errno::STALE)
    }

    fn file_mut(&mut self, number: u64) -> Answer<&mut File> {
        match &mut self.inode_mut(number)?.content {
            Content::File(file) => Ok(file),
            Content::Dir(_) => Err(Errno::ISDIR),
        }
    }

    fn dir(&self, number: u64) -> Answer<&Dir> {
        match &self.inode(number)?.content {
            Content::Dir(dir) => Ok(dir),
            Content::File(_) => Err(Errno::NOTDIR),
        }
    }

    fn dir_mut(&mut self, number: u64) -> Answer<&mut Dir> {
        match &mut self.inode_mut(number)?.content {
            Content::Dir(dir) => Ok(dir),
            Content::File(_) => Err(Errno::NOTDIR),
        }
    }

    pub(super) fn find(&self, dir: u64, name: &OsStr) -> Answer<u64> {
        self.dir(dir)?.live.get(name).copied().ok_or(Errno::NOENT)
    }

    /// Names and numbers in a directory.
    pub(super) fn entries(&self, dir: u64) -> Answer<&BTreeMap<OsString, u64>> {
        Ok(&self.dir(dir)?.live)
    }

    pub(super) fn create(&mut self, dir: u64, name: &OsStr, content: Content, mode: u32) -> Answer<u64> {
        if self.dir(dir)?.live.contains_key(name) {
            return Err(Errno::EXIST);
        }
        self.check_space(BLOCK_BYTES)?;
        let number = self.insert(content, mode);
        self.name(vec![(dir, name, Some(number))])?;
        Ok(number)
    }

    pub(super) fn link(&mut self, number: u64, dir: u64, name: &OsStr) -> Answer<()> {
        if self.dir(dir)?.live.contains_key(name) {
            return Err(Errno::EXIST);
        }
        self.inode_mut(number)?.links += 1;
        self.name(vec![(dir, name, Some(number))])
    }

    /// Takes a name away; a directory must be empty.
    pub(super) fn remove(&mut self, dir: u64, name: &OsStr) -> Answer<()> {
        let number = self.find(dir, name)?;
        self.check_empty(number)?;
        self.name(vec![(dir, name, None)])?;
        self.unlink(number)
    }

    pub(super) fn rename(&mut self, from: (u64, &OsStr), to: (u64, &OsStr), replace: bool) -> Answer<()> {
        let number = self.find(from.0, from.1)?;
        let replaced = self.dir(to.0)?.live.get(to.1).copied();
        match replaced {
            Some(_) if !replace => return Err(Errno::EXIST),
            // Two names of one file: the system wants nothing to happen.
            Some(replaced) if replaced == number => return Ok(()),
            Some(replaced) => self.check_empty(replaced)?,
            None => {}
        }
        self.name(vec![(from.0, from.1, None), (to.0, to.1, Some(number))])?;
        replaced.map_or(Ok(()), |replaced| self.unlink(replaced))
    }

    fn check_empty(&self, number: u64) -> Answer<()> {
        match &self.inode(number)?.content {
            Content::Dir(dir) if !dir.live.is_empty() => Err(Errno::NOTEMPTY),
            Content::Dir(_) | Content::File(_) => Ok(()),
        }
    }

    fn name(&mut self, namings: Vec<(u64, &OsStr, Option<u64>)>) -> Answer<()> {
        let namings = namings.into_iter().map(|(dir, name, to)| Naming {
            dir,
            name: name.to_owned(),
            to,
        });
        let namings: Vec<_> = namings.collect();
        for naming in &namings {
            naming.apply(&mut self.dir_mut(naming.dir)?.live);
        }
        self.namings.push(namings);
        Ok(())
    }

    fn unlink(&mut self, number: u64) -> Answer<()> {
        let inode = self.inode_mut(number)?;
        inode.links = inode.links.saturating_sub(1);
        self.forget_unreachable();
        Ok(())
    }

    pub(super) fn open(&mut self, number: u64) -> Answer<()> {
        self.inode_mut(number)?.handles += 1;
        Ok(())
    }

    pub(super) fn close(&mut self, number: u64) {
        if let Some(inode) = self.inodes.get_mut(&number) {
            inode.handles = inode.handles.saturating_sub(1);
            self.forget_unreachable();
        }
    }

    pub(super) fn read(&self, number: u64, offset: u64, bytes: usize) -> Answer<&[u8]> {
        let Content::File(file) = &self.inode(number)?.content else {
            return Err(Errno::ISDIR);
        };
        let live = file.bytes();
        let from = place(offset)?.min(live.len());
        let to = from.saturating_add(bytes).min(live.len());
        Ok(&live[from..to])
    }

    pub(super) fn write(&mut self, number: u64, offset: u64, bytes: Vec<u8>) -> Answer<()> {
        let offset = place(offset)?;
        self.grow(number, offset + bytes.len())?;
        self.change(number, Change::Write { offset, bytes })
    }

    pub(super) fn set_len(&mut self, number: u64, bytes: u64) -> Answer<()> {
        let length = place(bytes)?;
        self.grow(number, length)?;
        self.change(number, Change::Length(length))
    }

    /// Makes a file at least so long.
    pub(super) fn allocate(&mut self, number: u64, bytes: u64) -> Answer<()> {
        if self.inode(number)?.bytes() >= bytes {
            return Ok(());
        }
        self.set_len(number, bytes)
    }

    fn change(&mut self, number: u64, change: Change) -> Answer<()> {
        self.file_mut(number)?.change(change);
        self.inode_mut(number)?.modified = SystemTime::now();
        Ok(())
    }

    fn grow(&self, number: u64, length: usize) -> Answer<()> {
        let (before, after) = (self.inode(number)?.bytes(), length as u64);
        let more = blocks(after).saturating_sub(blocks(before));
        if more == 0 { Ok(()) } else { self.check_space(more) }
    }

    fn check_space(&self, more: u64) -> Answer<()> {
        match self.faults.bytes_max {
            Some(max) if self.bytes() + more > max => Err(Errno::NOSPC),
            _ => Ok(()),
        }
    }

    /// Bytes that all files take.
    pub(super) fn bytes(&self) -> u64 {
        self.inodes.values().map(|inode| blocks(inode.bytes())).sum()
    }

    /// Makes durable what was written to a file, or named in a directory.
    pub(super) fn sync(&mut self, number: u64) -> Answer<()> {
        let is_dir = self.inode(number)?.is_dir();
        if self.faults.ignores_sync {
            return Ok(());
        }
        if self.faults.failing_syncs > 0 {
            self.faults.failing_syncs -= 1;
            if !is_dir {
                self.file_mut(number)?.forget_pending();
            }
            return Err(Errno::IO);
        }
        if is_dir {
            return self.sync_names(number);
        }
        self.file_mut(number)?.sync();
        Ok(())
    }

    /// The names of one directory, and of those that a change of it also changed.
    fn sync_names(&mut self, dir: u64) -> Answer<()> {
        let mut dirs = BTreeSet::from([dir]);
        loop {
            let touched = self.namings.iter().filter(|change| touches(change, &dirs));
            let more: BTreeSet<u64> = touched.flatten().map(|naming| naming.dir).collect();
            if more.is_subset(&dirs) {
                break;
            }
            dirs.extend(more);
        }
        let (synced, left) = std::mem::take(&mut self.namings)
            .into_iter()
            .partition(|change| touches(change, &dirs));
        self.namings = left;
        self.make_durable(synced);
        self.forget_unreachable();
        Ok(())
    }

    fn make_durable(&mut self, namings: Vec<Vec<Naming>>) {
        for naming in namings.into_iter().flatten() {
            // A directory that is gone needs no names.
            if let Ok(dir) = self.dir_mut(naming.dir) {
                naming.apply(&mut dir.durable);
            }
        }
    }

    /// The power fails: what was not synced is gone, or, with `some`, an arbitrary part of it was written in time: the
    /// first changes of each file with any sectors of the next one, and the first changes of names.
    pub(super) fn crash(&mut self, mut some: Option<Random>) {
        let mut namings = std::mem::take(&mut self.namings);
        if let Some(random) = &mut some {
            let kept = random.below(namings.len() as u64 + 1) as usize;
            namings.truncate(kept);
            self.make_durable(namings);
        }
        for inode in self.inodes.values_mut() {
            inode.links = 0;
            inode.handles = 0;
            match &mut inode.content {
                Content::File(file) => file.crash(some.as_mut()),
                Content::Dir(dir) => dir.live = dir.durable.clone(),
            }
        }
        self.drop_lost_and_count_links();
    }

    fn drop_lost_and_count_links(&mut self) {
        let mut links: BTreeMap<u64, u32> = BTreeMap::from([(ROOT, 1)]);
        let mut dirs = vec![ROOT];
        while let Some(dir) = dirs.pop() {
            let names = self
                .dir(dir)
                .map(|dir| dir.live.values().copied().collect::<Vec<_>>());
            for number in names.unwrap_or_default() {
                *links.entry(number).or_default() += 1;
                if self.inode(number).is_ok_and(Inode::is_dir) {
                    dirs.push(number);
                }
            }
        }
        self.inodes.retain(|number, inode| {
            inode.links = links.get(number).copied().unwrap_or_default();
            inode.links > 0
        });
    }

    /// Lets go of what no name means any more, now or after a crash, and nobody has open.
    fn forget_unreachable(&mut self) {
        let is_candidate = |inode: &Inode| inode.links == 0 && inode.handles == 0;
        if !self.inodes.values().any(is_candidate) {
            return;
        }
        let pending = self.namings.iter().flatten().filter_map(|naming| naming.to);
        let durable = self.inodes.values().flat_map(|inode| match &inode.content {
            Content::Dir(dir) => dir.durable.values().copied().collect(),
            Content::File(_) => Vec::new(),
        });
        let named: BTreeSet<u64> = pending.chain(durable).collect();
        self.inodes
            .retain(|number, inode| !is_candidate(inode) || named.contains(number));
    }
}

impl Naming {
    fn apply(&self, names: &mut BTreeMap<OsString, u64>) {
        match self.to {
            Some(number) => names.insert(self.name.clone(), number),
            None => names.remove(&self.name),
        };
    }
}

fn touches(change: &[Naming], dirs: &BTreeSet<u64>) -> bool {
    change.iter().any(|naming| dirs.contains(&naming.dir))
}

fn place(offset: u64) -> Answer<usize> {
    usize::try_from(offset).map_err(|_| Errno::FBIG)
}

fn blocks(bytes: u64) -> u64 {
    bytes.next_multiple_of(BLOCK_BYTES)
}

#[cfg(test)]
#[path = "model_test.rs"]
mod tests;
