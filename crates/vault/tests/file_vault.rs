//! The `file` vault on a real directory: it keeps, it forgets, and it refuses what it cannot stand on.

use std::fs::{File, OpenOptions, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use eunoe_crypto::{OsEntropy, SecretBytes};
use eunoe_vault::{
    Destroyed, ErasableVault, FileVault, FileVaultOptions, SECRET_BYTES_MAX, SLOTS, Slot, VaultClass,
    VaultError,
};
use proptest::prelude::*;

/// Of the file format: two header blocks, then per slot a record block and 64 KiB of blob.
const FIRST_RECORD: usize = 2 * 4096;
const FIRST_BLOB: usize = FIRST_RECORD + 4096;
const FIRST_END: usize = FIRST_BLOB + 64 * 1024;

/// The machine that runs the tests may have any file system below its build folder.
const ANYWHERE: FileVaultOptions = FileVaultOptions {
    allow_unsafe_medium: true,
};

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory"))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("vault")
    }

    fn create(&self) -> FileVault {
        FileVault::create(&self.path(), ANYWHERE, Box::new(OsEntropy)).expect("creates")
    }

    fn open(&self) -> Result<FileVault, VaultError> {
        FileVault::open(&self.path(), ANYWHERE, Box::new(OsEntropy))
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.path()).expect("readable")
    }

    fn change(&self, at: usize, change: impl FnOnce(&mut [u8]), len: usize) {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.path())
            .expect("opens");
        let mut bytes = vec![0; len];
        file.read_exact_at(&mut bytes, at as u64).expect("reads");
        change(&mut bytes);
        file.write_all_at(&bytes, at as u64).expect("writes");
        file.sync_all().expect("syncs");
    }
}

fn slot(epoch: u64) -> Slot {
    Slot { epoch, attempt: 1 }
}

fn secret(byte: u8) -> SecretBytes {
    SecretBytes::new(vec![byte; 34])
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn secrets_survive_reopening_and_end_with_their_destruction() {
    let place = Place::new();
    let vault = place.create();
    vault.put(slot(2), &secret(2)).expect("kept");
    vault.put(slot(1), &secret(1)).expect("kept");
    drop(vault);
    let vault = place.open().expect("opens");
    assert_eq!(vault.list().expect("lists"), [slot(1), slot(2)]);
    assert!(vault.get(slot(1)).expect("there").matches(&secret(1)));
    assert_eq!(vault.destroy(slot(1)).expect("destroyed"), Destroyed::Now);
    assert_eq!(vault.destroy(slot(1)).expect("again"), Destroyed::Now);
    drop(vault);
    let vault = place.open().expect("opens");
    assert_eq!(vault.list().expect("lists"), [slot(2)]);
    assert!(matches!(vault.get(slot(1)), Err(VaultError::NotFound(gone)) if gone == slot(1)));
    assert!(vault.get(slot(2)).expect("there").matches(&secret(2)));
}

#[test]
fn a_slot_is_never_overwritten() {
    let place = Place::new();
    let vault = place.create();
    vault.put(slot(1), &secret(1)).expect("kept");
    vault.put(slot(1), &secret(1)).expect("the same again");
    assert!(matches!(
        vault.put(slot(1), &secret(9)),
        Err(VaultError::Taken(_))
    ));
    assert!(vault.get(slot(1)).expect("there").matches(&secret(1)));
}

#[test]
fn nothing_of_a_destroyed_slot_is_left_in_the_file() {
    let place = Place::new();
    let vault = place.create();
    let canary = SecretBytes::new(b"canary of the root key, 34 bytes..".to_vec());
    vault.put(slot(1), &canary).expect("kept");
    let before = place.bytes();
    assert!(
        !contains(&before, canary.expose()),
        "a secret lies in the file in the clear"
    );
    // Positive control: what is looked for below is there as long as the slot lives.
    let pieces: Vec<&[u8]> = before[FIRST_BLOB..FIRST_END]
        .chunks_exact(4096)
        .map(|page| &page[..32])
        .collect();
    assert!(pieces.iter().all(|piece| contains(&before, piece)));
    let record = &before[FIRST_RECORD + 16..FIRST_RECORD + 48];
    assert!(contains(&before, record));

    vault.destroy(slot(1)).expect("destroyed");
    let after = place.bytes();
    assert_eq!(after.len(), before.len());
    assert!(after[FIRST_RECORD..FIRST_END].iter().all(|byte| *byte == 0));
    assert!(pieces.iter().all(|piece| !contains(&after, piece)));
    assert!(!contains(&after, record) && !contains(&after, canary.expose()));
}

#[test]
fn a_slot_whose_blob_lost_a_part_is_dead_and_listed_until_it_is_destroyed() {
    let place = Place::new();
    let vault = place.create();
    vault.put(slot(1), &secret(1)).expect("kept");
    place.change(FIRST_BLOB + 8192, |bytes| bytes.fill(0), 512);
    assert!(matches!(vault.get(slot(1)), Err(VaultError::Dead(_))));
    assert!(matches!(vault.put(slot(1), &secret(1)), Err(VaultError::Dead(_))));
    assert_eq!(vault.list().expect("lists"), [slot(1)]);
    vault.destroy(slot(1)).expect("destroyed");
    assert_eq!(vault.list().expect("lists"), []);
}

#[test]
fn one_damaged_header_is_repaired_and_two_are_refused() {
    let place = Place::new();
    place.create().put(slot(1), &secret(1)).expect("kept");
    place.change(30, |bytes| bytes[0] ^= 1, 1);
    assert!(place.open().expect("opens").get(slot(1)).is_ok());
    place.change(30 + 4096, |bytes| bytes[0] ^= 1, 1);
    assert!(matches!(place.open(), Err(VaultError::Damaged(_))));
}

#[test]
fn a_full_vault_says_so() {
    let place = Place::new();
    let vault = place.create();
    for epoch in 0..SLOTS as u64 {
        vault.put(slot(epoch), &secret(1)).expect("room");
    }
    assert!(matches!(vault.put(slot(99), &secret(1)), Err(VaultError::Full)));
    vault.destroy(slot(7)).expect("destroyed");
    vault.put(slot(99), &secret(1)).expect("room again");
    assert!(matches!(
        vault.put(slot(100), &SecretBytes::new(vec![1; SECRET_BYTES_MAX + 1])),
        Err(VaultError::TooLarge)
    ));
}

#[test]
fn the_largest_secret_fits() {
    let place = Place::new();
    let vault = place.create();
    let largest = SecretBytes::new(vec![3; SECRET_BYTES_MAX]);
    vault.put(slot(1), &largest).expect("kept");
    assert!(vault.get(slot(1)).expect("there").matches(&largest));
}

#[test]
fn the_file_is_its_owners_alone() {
    let place = Place::new();
    drop(place.create());
    let mode = std::fs::metadata(place.path())
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    std::fs::set_permissions(place.path(), Permissions::from_mode(0o640)).expect("changes");
    assert!(matches!(place.open(), Err(VaultError::Permissions(0o640))));
}

#[test]
fn one_process_at_a_time() {
    let place = Place::new();
    let held = place.create();
    assert!(matches!(place.open(), Err(VaultError::InUse)));
    drop(held);
    assert!(place.open().is_ok());
}

#[test]
fn a_vault_that_is_there_is_not_replaced_and_one_that_is_missing_not_made() {
    let place = Place::new();
    assert!(matches!(place.open(), Err(VaultError::Io { .. })));
    place.create().put(slot(1), &secret(1)).expect("kept");
    assert!(matches!(
        FileVault::create(&place.path(), ANYWHERE, Box::new(OsEntropy)),
        Err(VaultError::Io { .. })
    ));
    assert!(place.open().expect("opens").get(slot(1)).is_ok());
}

#[test]
fn a_sparse_or_cut_or_doubly_named_file_is_refused() {
    let place = Place::new();
    drop(place.create());
    let len = place.bytes().len() as u64;
    let other = place.path().with_extension("copy");
    std::fs::hard_link(place.path(), &other).expect("links");
    assert!(matches!(place.open(), Err(VaultError::Damaged(_))));
    std::fs::remove_file(&other).expect("removes");
    let file = OpenOptions::new().write(true).open(place.path()).expect("opens");
    file.set_len(len - 4096).expect("cuts");
    assert!(matches!(place.open(), Err(VaultError::Damaged(_))));
    let sparse = File::create(&other).expect("creates");
    sparse.set_len(len).expect("grows");
    sparse
        .set_permissions(Permissions::from_mode(0o600))
        .expect("changes");
    let opened = FileVault::open(&other, ANYWHERE, Box::new(OsEntropy));
    assert!(matches!(opened, Err(VaultError::Damaged("its file is sparse"))));
}

#[test]
fn memory_is_no_medium_unless_a_developer_says_so_and_then_the_descriptor_does() {
    // tmpfs on every Linux; it loses everything with the power.
    let directory = tempfile::tempdir_in(Path::new("/dev/shm")).expect("a directory");
    let path = directory.path().join("vault");
    let strict = FileVaultOptions::default();
    assert!(matches!(
        FileVault::create(&path, strict, Box::new(OsEntropy)),
        Err(VaultError::Medium(_))
    ));
    let vault = FileVault::create(&path, ANYWHERE, Box::new(OsEntropy)).expect("creates");
    drop(vault);
    assert!(matches!(
        FileVault::open(&path, strict, Box::new(OsEntropy)),
        Err(VaultError::Medium(_))
    ));
    let vault = FileVault::open(&path, ANYWHERE, Box::new(OsEntropy)).expect("opens");
    let descriptor = vault.descriptor();
    assert_eq!(descriptor.class, VaultClass::Test);
    assert!(descriptor.unsafe_medium.is_some());
    assert!(descriptor.medium.starts_with("tmpfs"));
    vault.put(slot(1), &secret(1)).expect("kept");
}

#[test]
fn e18_every_bit_of_a_record_of_a_slot_matters() {
    let place = Place::new();
    let vault = place.create();
    vault.put(slot(1), &secret(1)).expect("kept");
    for bit in 0..128 * 8 {
        place.change(FIRST_RECORD + bit / 8, |bytes| bytes[0] ^= 1 << (bit % 8), 1);
        assert!(vault.get(slot(1)).is_err(), "bit {bit}");
        place.change(FIRST_RECORD + bit / 8, |bytes| bytes[0] ^= 1 << (bit % 8), 1);
    }
    assert!(vault.get(slot(1)).is_ok());
}

/// The two headers stand in for each other; what is not in use is not looked at, and gives nothing either.
#[test]
fn e18_a_flipped_bit_anywhere_in_a_vault_gives_no_other_secret_and_a_cut_or_longer_one_is_refused() {
    const HEADER_BITS: usize = 64 * 8;
    let place = Place::new();
    let vault = place.create();
    vault.put(slot(1), &secret(1)).expect("kept");
    drop(vault);
    let whole = place.bytes();
    let headers = (0..2 * HEADER_BITS).map(|bit| (bit / HEADER_BITS) * 4096 * 8 + bit % HEADER_BITS);
    let step = whole.len() * 8 / 256 + 1;
    for bit in headers.chain((0..whole.len() * 8).step_by(step)) {
        place.change(bit / 8, |bytes| bytes[0] ^= 1 << (bit % 8), 1);
        if let Ok(vault) = place.open() {
            if let Ok(found) = vault.get(slot(1)) {
                assert_eq!(
                    found.expose(),
                    secret(1).expose(),
                    "bit {bit} gave another secret"
                );
            }
            let others = vault.list().unwrap_or_default();
            assert!(
                others.iter().all(|listed| *listed == slot(1)),
                "bit {bit} made a secret"
            );
        }
        // What opened the vault may have repaired it.
        std::fs::write(place.path(), &whole).expect("writes");
    }
    for len in [
        0,
        1,
        4_095,
        4_096,
        FIRST_RECORD,
        FIRST_BLOB,
        FIRST_END,
        whole.len() - 1,
        whole.len() + 1,
    ] {
        let file = OpenOptions::new().write(true).open(place.path()).expect("opens");
        file.set_len(len as u64).expect("cut");
        assert!(place.open().is_err(), "a vault of {len} bytes is opened");
        std::fs::write(place.path(), &whole).expect("writes");
    }
    let vault = place.open().expect("opens");
    assert_eq!(vault.get(slot(1)).expect("reads").expose(), secret(1).expose());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn e18_flipped_bits_anywhere_in_a_slot_are_noticed(flips in prop::collection::vec((FIRST_RECORD..FIRST_END, 0u8..8), 32)) {
        let place = Place::new();
        let vault = place.create();
        vault.put(slot(1), &secret(1)).expect("kept");
        for (at, bit) in flips {
            place.change(at, |bytes| bytes[0] ^= 1 << bit, 1);
            prop_assert!(vault.get(slot(1)).is_err());
            place.change(at, |bytes| bytes[0] ^= 1 << bit, 1);
        }
        prop_assert!(vault.get(slot(1)).is_ok());
    }
}
