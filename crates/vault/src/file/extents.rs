//! Where on the disk a file lies. The only module of this crate with `unsafe`: it asks the kernel.
#![allow(unsafe_code)]

use std::fs::File;

use rustix::ioctl::{Opcode, Updater, ioctl, opcode};

use super::layout::FILE_BYTES;
use crate::VaultError;

/// A file of this size cannot be in more pieces of a block.
const EXTENTS_MAX: usize = 512;
const _: () = assert!(FILE_BYTES / 4096 < EXTENTS_MAX as u64);

// Documentation/filesystems/fiemap.rst
const FS_IOC_FIEMAP: Opcode = opcode::read_write::<Head>(b'f', 11);
const FLAG_SYNC: u32 = 0x1;
/// The disk has it only later, elsewhere, transformed, or for others too.
const NOT_IN_PLACE: [(u32, &str); 6] = [
    (0x2000, "is shared with another file (a reflink or snapshot)"),
    (0x0008, "is compressed or encrypted by the file system"),
    (0x0200, "lies among the file system's own"),
    (0x0800, "was never written"),
    (0x0004, "has no place on the disk yet"),
    (0x0002, "has no known place on the disk"),
];

#[repr(C)]
struct Head {
    start: u64,
    length: u64,
    flags: u32,
    mapped: u32,
    room: u32,
    reserved: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Extent {
    logical: u64,
    physical: u64,
    length: u64,
    reserved: [u64; 2],
    flags: u32,
    reserved_too: [u32; 3],
}

#[repr(C)]
struct Map {
    head: Head,
    extents: [Extent; EXTENTS_MAX],
}

/// Why overwriting the file would leave bytes behind, if it would.
pub(super) fn problem(file: &File) -> Result<Option<String>, VaultError> {
    const NONE: Extent = Extent {
        logical: 0,
        physical: 0,
        length: 0,
        reserved: [0; 2],
        flags: 0,
        reserved_too: [0; 3],
    };
    let mut map = Box::new(Map {
        head: Head {
            start: 0,
            length: FILE_BYTES,
            flags: FLAG_SYNC,
            mapped: 0,
            room: EXTENTS_MAX as u32,
            reserved: 0,
        },
        extents: [NONE; EXTENTS_MAX],
    });
    // SAFETY: the kernel reads a `struct fiemap` and writes at most `room` extents behind it, all of which are in `Map`;
    // any bytes are valid values of its fields.
    let asked = unsafe { ioctl(file, Updater::<FS_IOC_FIEMAP, Map>::new(&mut map)) };
    asked.map_err(VaultError::io("asking where the vault's file lies"))?;
    let mapped = usize::try_from(map.head.mapped).unwrap_or(usize::MAX);
    let extents = map.extents.get(..mapped).unwrap_or(&map.extents);
    Ok(judge(extents.iter().map(|extent| (extent.length, extent.flags))))
}

fn judge(extents: impl Iterator<Item = (u64, u32)>) -> Option<String> {
    let mut covered = 0;
    for (length, flags) in extents {
        covered += length;
        if let Some((_, why)) = NOT_IN_PLACE.iter().find(|(flag, _)| flags & flag != 0) {
            return Some(format!("a part of the vault's file {why}"));
        }
    }
    (covered < FILE_BYTES).then(|| "the vault's file has holes".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_extent_must_be_in_its_place_and_the_files_own() {
        let half = FILE_BYTES / 2;
        assert_eq!(judge([(half, 0), (FILE_BYTES - half, 1)].into_iter()), None);
        assert!(judge([(half, 0)].into_iter()).is_some());
        for (flag, _) in NOT_IN_PLACE {
            assert!(judge([(half, 0), (half, 1 | flag)].into_iter()).is_some());
        }
    }
}
