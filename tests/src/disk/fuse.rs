//! The disk as the system sees it. Nothing is cached between the two, so that a crash leaves nothing behind.

use std::ffi::OsStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use rustix::fs::{FallocateFlags, OFlags};

use super::file::File;
use super::model::{Content, Dir, Inode, Model};

/// How long the system may remember a name or a size.
const NOT_AT_ALL: Duration = Duration::ZERO;
const BLOCK_BYTES: u32 = 4096;
const SECTOR_BYTES: u64 = 512;
const NAME_BYTES_MAX: u32 = 255;
/// What is said of the size of a disk that has no end.
const ENDLESS_BYTES: u64 = 1 << 40;

type Job = Box<dyn FnOnce(&mut Model) + Send>;

/// The disk, and the changes that wait while it is frozen.
pub(super) struct State {
    pub(super) model: Model,
    frozen: Option<Vec<Job>>,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            model: Model::new(),
            frozen: None,
        }
    }

    /// From now on no change ends.
    pub(super) fn freeze(&mut self) {
        self.frozen.get_or_insert_default();
    }

    /// What waited happens, in its order.
    pub(super) fn thaw(&mut self) {
        for job in self.frozen.take().unwrap_or_default() {
            job(&mut self.model);
        }
    }
}

/// Serves one disk.
pub(super) struct Served(pub(super) Arc<Mutex<State>>);

impl Served {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A change; it waits while the disk is frozen.
    fn change(&self, job: impl FnOnce(&mut Model) + Send + 'static) {
        let mut state = self.lock();
        match &mut state.frozen {
            Some(waiting) => waiting.push(Box::new(job)),
            None => job(&mut state.model),
        }
    }
}

fn errno(error: rustix::io::Errno) -> Errno {
    Errno::from_i32(error.raw_os_error())
}

fn attributes(number: u64, inode: &Inode) -> FileAttr {
    let bytes = inode.bytes();
    FileAttr {
        ino: INodeNo(number),
        size: bytes,
        blocks: bytes.next_multiple_of(u64::from(BLOCK_BYTES)) / SECTOR_BYTES,
        atime: inode.modified,
        mtime: inode.modified,
        ctime: inode.modified,
        crtime: inode.modified,
        kind: kind(inode),
        perm: (inode.mode & 0o7777) as u16,
        nlink: inode.links,
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
        rdev: 0,
        blksize: BLOCK_BYTES,
        flags: 0,
    }
}

fn kind(inode: &Inode) -> FileType {
    if inode.is_dir() {
        FileType::Directory
    } else {
        FileType::RegularFile
    }
}

fn answer(reply: ReplyEmpty, result: Result<(), rustix::io::Errno>) {
    match result {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(errno(error)),
    }
}

fn answer_entry(model: &Model, reply: ReplyEntry, found: Result<u64, rustix::io::Errno>) {
    let found = found.and_then(|number| Ok((number, model.inode(number)?)));
    match found {
        Ok((number, inode)) => reply.entry(&NOT_AT_ALL, &attributes(number, inode), Generation(0)),
        Err(error) => reply.error(errno(error)),
    }
}

fn answer_attributes(model: &Model, reply: ReplyAttr, number: u64) {
    match model.inode(number) {
        Ok(inode) => reply.attr(&NOT_AT_ALL, &attributes(number, inode)),
        Err(error) => reply.error(errno(error)),
    }
}

impl Filesystem for Served {
    fn lookup(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let model = &self.lock().model;
        answer_entry(model, reply, model.find(parent.0, name));
    }

    fn getattr(&self, _req: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        answer_attributes(&self.lock().model, reply, ino.0);
    }

    fn setattr(
        &self,
        _req: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _fh: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        self.change(move |model| {
            let changed = size.map_or(Ok(()), |size| model.set_len(ino.0, size));
            let changed = changed.and_then(|()| {
                let inode = model.inode_mut(ino.0)?;
                inode.mode = mode.unwrap_or(inode.mode);
                Ok(())
            });
            match changed {
                Ok(()) => answer_attributes(model, reply, ino.0),
                Err(error) => reply.error(errno(error)),
            }
        });
    }

    fn mkdir(&self, _req: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, reply: ReplyEntry) {
        let name = name.to_owned();
        self.change(move |model| {
            let made = model.create(parent.0, &name, Content::Dir(Dir::default()), mode & !umask);
            answer_entry(model, reply, made);
        });
    }

    fn create(
        &self,
        _req: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        let name = name.to_owned();
        self.change(move |model| {
            let made = model.create(parent.0, &name, Content::File(File::default()), mode & !umask);
            let opened = made.and_then(|number| {
                model.open(number)?;
                Ok((number, model.inode(number)?))
            });
            match opened {
                Ok((number, inode)) => reply.created(
                    &NOT_AT_ALL,
                    &attributes(number, inode),
                    Generation(0),
                    FileHandle(0),
                    FopenFlags::FOPEN_DIRECT_IO,
                ),
                Err(error) => reply.error(errno(error)),
            }
        });
    }

    fn unlink(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let name = name.to_owned();
        self.change(move |model| answer(reply, model.remove(parent.0, &name)));
    }

    fn rmdir(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let name = name.to_owned();
        self.change(move |model| answer(reply, model.remove(parent.0, &name)));
    }

    fn rename(
        &self,
        _req: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let (name, newname) = (name.to_owned(), newname.to_owned());
        let replace = match flags {
            RenameFlags::RENAME_NOREPLACE => false,
            flags if flags.is_empty() => true,
            _ => return reply.error(Errno::EINVAL),
        };
        self.change(move |model| {
            answer(
                reply,
                model.rename((parent.0, &name), (newparent.0, &newname), replace),
            )
        });
    }

    fn link(&self, _req: &Request, ino: INodeNo, newparent: INodeNo, newname: &OsStr, reply: ReplyEntry) {
        let name = newname.to_owned();
        self.change(move |model| {
            let linked = model.link(ino.0, newparent.0, &name).map(|()| ino.0);
            answer_entry(model, reply, linked);
        });
    }

    fn open(&self, _req: &Request, ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        match self.lock().model.open(ino.0) {
            Ok(()) => reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO),
            Err(error) => reply.error(errno(error)),
        }
    }

    fn release(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        self.lock().model.close(ino.0);
        reply.ok();
    }

    fn read(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.lock().model.read(ino.0, offset, size as usize) {
            Ok(bytes) => reply.data(bytes),
            Err(error) => reply.error(errno(error)),
        }
    }

    fn write(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let (bytes, size) = (data.to_vec(), data.len() as u32);
        let opened = OFlags::from_bits_retain(flags.0.cast_unsigned());
        self.change(move |model| {
            let mut written = model.write(ino.0, offset, bytes);
            if opened.intersects(OFlags::DSYNC | OFlags::SYNC) {
                written = written.and_then(|()| model.sync(ino.0));
            }
            match written {
                Ok(()) => reply.written(size),
                Err(error) => reply.error(errno(error)),
            }
        });
    }

    fn flush(&self, _req: &Request, _ino: INodeNo, _fh: FileHandle, _owner: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _req: &Request, ino: INodeNo, _fh: FileHandle, _datasync: bool, reply: ReplyEmpty) {
        self.change(move |model| answer(reply, model.sync(ino.0)));
    }

    fn fsyncdir(&self, _req: &Request, ino: INodeNo, _fh: FileHandle, _datasync: bool, reply: ReplyEmpty) {
        self.change(move |model| answer(reply, model.sync(ino.0)));
    }

    fn fallocate(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let flags = FallocateFlags::from_bits_retain(mode.cast_unsigned());
        match flags {
            // What stands behind the end is not counted.
            FallocateFlags::KEEP_SIZE => reply.ok(),
            flags if flags.is_empty() => {
                self.change(move |model| answer(reply, model.allocate(ino.0, offset + length)));
            }
            _ => reply.error(Errno::EOPNOTSUPP),
        }
    }

    fn readdir(&self, _req: &Request, ino: INodeNo, _fh: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let model = &self.lock().model;
        let entries = match model.entries(ino.0) {
            Ok(entries) => entries,
            Err(error) => return reply.error(errno(error)),
        };
        for ((name, number), next) in entries.iter().zip(1..).skip(offset as usize) {
            let kind = model.inode(*number).map_or(FileType::RegularFile, kind);
            if reply.add(INodeNo(*number), next, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _req: &Request, _ino: INodeNo, reply: ReplyStatfs) {
        let model = &self.lock().model;
        let size = model.faults.bytes_max.unwrap_or(ENDLESS_BYTES);
        let free = size.saturating_sub(model.bytes()) / u64::from(BLOCK_BYTES);
        let blocks = size / u64::from(BLOCK_BYTES);
        reply.statfs(blocks, free, free, 0, 0, BLOCK_BYTES, NAME_BYTES_MAX, BLOCK_BYTES);
    }
}
