//! Which file systems overwrite in place. One that keeps the old block somewhere else cannot forget.

use std::fs::File;
use std::os::unix::fs::MetadataExt;

use rustix::fs::IFlags;

use crate::VaultError;

/// What the system says of the file's place.
struct Place {
    magic: u64,
    /// The file system's own mount options, if the mount was found.
    options: Option<String>,
    /// The file's own data is journalled, compressed or copied on write.
    moves: bool,
}

/// File systems by the magic number of `statfs`. Those that overwrite in place come first.
const FILE_SYSTEMS: [(u64, &str); 12] = [
    (EXT, "ext4"),
    (0x5846_5342, "xfs"),
    (0x9123_683e, "btrfs"),
    (0x2fc1_2fc1, "zfs"),
    (0x794c_7630, "overlayfs"),
    (0xf2f5_2010, "f2fs"),
    (0x6969, "nfs"),
    (0xff53_4d42, "cifs"),
    (0xfe53_4d42, "smb2"),
    (0x6573_5546, "fuse"),
    (0x0102_1994, "tmpfs"),
    (0xca45_1a4e, "bcachefs"),
];
const EXT: u64 = 0xef53;
const IN_PLACE: &[&str] = &["ext4", "xfs"];

/// Refuses a place where overwriting leaves the old bytes behind, or where nothing is durable.
pub(super) fn check(file: &File) -> Result<(), VaultError> {
    judge(&place_of(file)?).map_err(VaultError::Medium)
}

/// The medium in words, for the descriptor.
pub(super) fn describe(file: &File, direct: bool) -> Result<String, VaultError> {
    let how = if direct {
        "direct and synchronous"
    } else {
        "synchronous through the page cache"
    };
    Ok(format!("{}, {how}", name_of(place_of(file)?.magic)))
}

fn name_of(magic: u64) -> &'static str {
    FILE_SYSTEMS
        .iter()
        .find(|(known, _)| *known == magic)
        .map_or("unknown file system", |(_, name)| name)
}

fn judge(place: &Place) -> Result<(), String> {
    let name = name_of(place.magic);
    if !IN_PLACE.contains(&name) {
        return Err(format!("{name} does not overwrite in place on a disk"));
    }
    if place.moves {
        return Err("the file's data is journalled, compressed or copied on write".to_owned());
    }
    if place.magic != EXT {
        return Ok(());
    }
    match place.options.as_deref() {
        None => Err("the mount's journal mode is unknown".to_owned()),
        Some(options) if options.split(',').any(|option| option == "data=journal") => {
            Err("ext4 with data=journal copies data into its journal".to_owned())
        }
        Some(_) => Ok(()),
    }
}

fn place_of(file: &File) -> Result<Place, VaultError> {
    let statfs = rustix::fs::fstatfs(file).map_err(VaultError::io("asking for the file system"))?;
    let device = file
        .metadata()
        .map_err(VaultError::io("inspecting the vault's file"))?
        .dev();
    let mounts =
        std::fs::read_to_string("/proc/self/mountinfo").map_err(VaultError::io("reading the mounts"))?;
    // Some file systems have no such flags; those that move data have them.
    let moving = IFlags::JOURNALING | IFlags::COMPRESSED;
    let moves = rustix::fs::ioctl_getflags(file).is_ok_and(|flags| flags.intersects(moving));
    let device = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    // Of a negative constant only the low 32 bits are the magic number.
    let magic = statfs.f_type as u64 & 0xffff_ffff;
    Ok(Place {
        magic,
        options: super_options(&mounts, &device).map(str::to_owned),
        moves,
    })
}

/// The file system's options of `device`'s mount (proc_pid_mountinfo(5)).
fn super_options<'a>(mountinfo: &'a str, device: &str) -> Option<&'a str> {
    let line = mountinfo
        .lines()
        .find(|line| line.split(' ').nth(2) == Some(device))?;
    line.split_once(" - ")?.1.split(' ').nth(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
31 22 8:17 / /vault rw,noatime - ext4 /dev/sdb1 rw,data=journal
40 22 0:25 / /run rw - tmpfs tmpfs rw,size=10k
";

    fn verdict(magic: u64, options: Option<&str>) -> Result<(), String> {
        judge(&Place {
            magic,
            options: options.map(str::to_owned),
            moves: false,
        })
    }

    #[test]
    fn file_systems_that_keep_old_blocks_are_refused() {
        for magic in [
            0x9123_683e,
            0x2fc1_2fc1,
            0x794c_7630,
            0xf2f5_2010,
            0x6969,
            0x0102_1994,
            0x1234,
        ] {
            assert!(verdict(magic, Some("rw")).is_err(), "{magic:x}");
        }
        assert_eq!(verdict(EXT, Some("rw,errors=remount-ro")), Ok(()));
        assert_eq!(verdict(0x5846_5342, None), Ok(()));
    }

    #[test]
    fn ext4_that_journals_data_is_refused_by_mount_and_by_file() {
        assert_eq!(super_options(MOUNTS, "8:17"), Some("rw,data=journal"));
        assert!(verdict(EXT, super_options(MOUNTS, "8:17")).is_err());
        assert_eq!(verdict(EXT, super_options(MOUNTS, "8:1")), Ok(()));
        assert!(verdict(EXT, super_options(MOUNTS, "9:9")).is_err());
        assert!(
            judge(&Place {
                magic: EXT,
                options: Some("rw".to_owned()),
                moves: true
            })
            .is_err()
        );
    }
}
