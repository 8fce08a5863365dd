//! File systems that the file vault refuses, and what is left on one that it takes: real ones, in files, mounted where only
//! the test sees them. zfs, f2fs and NFS are judged by their magic number alone, in `file/medium.rs`.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use eunoe_crypto::{OsEntropy, SecretBytes};
use eunoe_vault::{ErasableVault, FileVault, FileVaultOptions, VaultClass, VaultError};

use crate::conformance::slot;
use crate::own_process::run_again;

const DIRECTORY: &str = "EUNOE_TEST_MOUNTS";
const MIB: u64 = 1 << 20;

/// Runs `body` with a directory and mounts of its own, which end with its process.
fn with_mounts(test: &str, body: impl FnOnce(&Path)) {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        return body(Path::new(&directory));
    }
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--propagation", "private"])
        .env(DIRECTORY, place.path());
    run_again(test, command);
}

/// Runs a program, which must succeed.
fn run(program: &str, arguments: &[&str]) {
    let path = std::env::var("PATH").unwrap_or_default();
    let ran = Command::new(program)
        .args(arguments)
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .output();
    let output = ran.unwrap_or_else(|error| panic!("{program}: {error} (scripts/setup.sh installs it)"));
    assert!(
        output.status.success(),
        "{program} {arguments:?} (mounting needs root and loop devices): {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// A new file system of `kind`, mounted; its image and where it is.
fn mounted(place: &Path, kind: &str, make: &[&str], options: &str, bytes: u64) -> (PathBuf, PathBuf) {
    let (image, at) = (place.join(format!("{kind}.image")), place.join(kind));
    File::create(&image)
        .expect("creates")
        .set_len(bytes)
        .expect("grows");
    run(&format!("mkfs.{kind}"), &[make, &[text(&image)]].concat());
    fs::create_dir(&at).expect("a directory");
    run("mount", &["-t", kind, "-o", options, text(&image), text(&at)]);
    (image, at)
}

fn ext4(place: &Path, options: &str) -> (PathBuf, PathBuf) {
    mounted(place, "ext4", &["-q"], options, 16 * MIB)
}

fn create(directory: &Path) -> Result<FileVault, VaultError> {
    let strict = FileVaultOptions::default();
    FileVault::create(&directory.join("vault"), strict, Box::new(OsEntropy))
}

fn open(directory: &Path) -> Result<FileVault, VaultError> {
    let strict = FileVaultOptions::default();
    FileVault::open(&directory.join("vault"), strict, Box::new(OsEntropy))
}

/// Asserts that it is refused for the medium, with this word in the reason.
fn assert_refused<T>(result: Result<T, VaultError>, word: &str) {
    match result {
        Err(VaultError::Medium(why)) => assert!(why.contains(word), "{why}"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("taken"),
    }
}

fn secret() -> SecretBytes {
    SecretBytes::new(vec![0x5a; 192])
}

#[test]
fn e20_file_systems_that_do_not_overwrite_in_place_are_refused() {
    with_mounts(
        "media::e20_file_systems_that_do_not_overwrite_in_place_are_refused",
        |place| {
            let (_, btrfs) = mounted(place, "btrfs", &["-q"], "loop", 128 * MIB);
            assert_refused(create(&btrfs), "btrfs");

            let [lower, upper, work, over] = ["lower", "upper", "work", "over"].map(|name| place.join(name));
            let memory = place.join("memory");
            fs::create_dir(&memory).expect("a directory");
            run("mount", &["-t", "tmpfs", "tmpfs", text(&memory)]);
            assert_refused(create(&memory), "tmpfs");
            let [upper, work] = [upper, work].map(|at| memory.join(at.file_name().expect("a name")));
            for directory in [&lower, &upper, &work, &over] {
                fs::create_dir(directory).expect("a directory");
            }
            let layers = format!(
                "lowerdir={},upperdir={},workdir={}",
                text(&lower),
                text(&upper),
                text(&work)
            );
            run("mount", &["-t", "overlay", "-o", &layers, "overlay", text(&over)]);
            assert_refused(create(&over), "overlayfs");
        },
    );
}

#[test]
fn e20_ext4_that_journals_data_is_refused_by_mount_and_by_file() {
    with_mounts(
        "media::e20_ext4_that_journals_data_is_refused_by_mount_and_by_file",
        |place| {
            let (image, at) = ext4(place, "loop,data=journal");
            assert_refused(create(&at), "data=journal");
            run("umount", &[text(&at)]);
            run("mount", &["-o", "loop", text(&image), text(&at)]);
            drop(create(&at).expect("ordered data"));
            // What chattr +j does, for which root alone is not enough: the flags "extents" and "journals its data".
            run("umount", &[text(&at)]);
            let journal = "set_inode_field /vault flags 0x84000";
            run("debugfs", &["-w", "-R", journal, text(&image)]);
            run("mount", &["-o", "loop", text(&image), text(&at)]);
            assert_refused(open(&at), "journalled");
        },
    );
}

#[test]
fn e20_a_file_that_shares_its_blocks_is_refused_until_it_does_not() {
    with_mounts(
        "media::e20_a_file_that_shares_its_blocks_is_refused_until_it_does_not",
        |place| {
            let (image, at) = mounted(place, "xfs", &["-q", "-m", "reflink=1"], "loop", 320 * MIB);
            let vault = create(&at).expect("xfs overwrites in place");
            vault.put(slot(1), &secret()).expect("kept");
            let (file, copy) = (at.join("vault"), at.join("copy"));
            run("cp", &["--reflink=always", text(&file), text(&copy)]);
            assert_refused(vault.destroy(slot(1)), "shared");
            assert_refused(vault.put(slot(2), &secret()), "shared");
            assert!(vault.get(slot(1)).expect("held").matches(&secret()));
            drop(vault);
            assert_refused(open(&at), "shared");
            fs::remove_file(&copy).expect("removes");
            // xfs gives back what it removed some time later, and at the latest now.
            run("umount", &[text(&at)]);
            run("mount", &["-o", "loop", text(&image), text(&at)]);
            let vault = open(&at).expect("its own again");
            vault.destroy(slot(1)).expect("destroyed");
            assert_eq!(vault.list().expect("lists"), []);
        },
    );
}

#[test]
fn e20_nothing_of_a_destroyed_slot_is_left_in_an_image_of_the_disk() {
    const FIRST_BLOB: u64 = 3 * 4096;
    with_mounts(
        "media::e20_nothing_of_a_destroyed_slot_is_left_in_an_image_of_the_disk",
        |place| {
            let (image, at) = ext4(place, "loop");
            let vault = create(&at).expect("ext4 overwrites in place");
            let descriptor = vault.descriptor();
            assert_eq!(descriptor.class, VaultClass::File);
            assert_eq!(descriptor.medium, "ext4, direct and synchronous");
            vault.put(slot(1), &secret()).expect("kept");
            let mut blob = vec![0; 64 * 1024];
            let file = File::open(at.join("vault")).expect("opens");
            file.read_exact_at(&mut blob, FIRST_BLOB).expect("reads");
            drop(file);
            // Of the blob all is needed, so pieces from all over it are looked for, wherever they may be.
            let pieces: Vec<&[u8]> = blob.chunks_exact(8192).map(|piece| &piece[..16]).collect();
            let mut begins = vec![false; 1 << 16];
            for piece in &pieces {
                begins[usize::from(u16::from_le_bytes([piece[0], piece[1]]))] = true;
            }
            let found = || {
                run("sync", &["-f", text(&at)]);
                let disk = fs::read(&image).expect("reads");
                let hits = disk
                    .windows(16)
                    .filter(|window| begins[usize::from(u16::from_le_bytes([window[0], window[1]]))])
                    .filter(|window| pieces.contains(window));
                hits.count()
            };
            assert_eq!(found(), 8, "the search finds what is there");
            vault.destroy(slot(1)).expect("destroyed");
            assert_eq!(found(), 0);
        },
    );
}
