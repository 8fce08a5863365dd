//! What a crash or a failing source of randomness in the middle of a change leaves behind.

use eunoe_crypto::{EntropyError, OsEntropy};

use super::*;

const SLOT: Slot = Slot { epoch: 3, attempt: 1 };
const OPTIONS: FileVaultOptions = FileVaultOptions {
    allow_unsafe_medium: true,
};

fn secret() -> SecretBytes {
    SecretBytes::new(vec![0x5a; 34])
}

fn open(directory: &tempfile::TempDir) -> FileVault {
    FileVault::open(&directory.path().join("vault"), OPTIONS, Box::new(OsEntropy)).expect("opens")
}

fn create() -> (tempfile::TempDir, FileVault) {
    let directory = tempfile::tempdir().expect("a directory");
    let vault =
        FileVault::create(&directory.path().join("vault"), OPTIONS, Box::new(OsEntropy)).expect("creates");
    (directory, vault)
}

fn is_zero(state: &State, index: usize) -> bool {
    let mut blob = Block::zeroed(BLOB_BYTES);
    state.disk.read(blob_offset(index), &mut blob).expect("reads");
    blob.as_ref().iter().all(|byte| *byte == 0) && state.record(index).expect("decodes") == Record::Free
}

#[test]
fn a_put_cut_off_before_its_record_leaves_an_empty_slot() {
    let (directory, vault) = create();
    let mut state = vault.lock();
    state.begin(0).expect("begins");
    let mut blob = Block::zeroed(BLOB_BYTES);
    blob.as_mut().fill(7);
    state.disk.write(blob_offset(0), &blob).expect("writes");
    drop(state);
    drop(vault);
    let vault = open(&directory);
    assert_eq!(vault.list().expect("lists"), []);
    assert!(is_zero(&vault.lock(), 0));
}

#[test]
fn a_put_with_a_torn_record_leaves_an_empty_slot() {
    let (directory, vault) = create();
    let mut state = vault.lock();
    state.begin(0).expect("begins");
    state.fill(0, SLOT, &secret()).expect("fills");
    let mut record = state.record(0).expect("decodes").encode();
    record.as_mut()[4000..].fill(0);
    state.disk.write(record_offset(0), &record).expect("writes");
    drop(state);
    drop(vault);
    let vault = open(&directory);
    assert_eq!(vault.list().expect("lists"), []);
    assert!(is_zero(&vault.lock(), 0));
}

#[test]
fn a_put_that_was_only_not_confirmed_is_kept() {
    let (directory, vault) = create();
    let mut state = vault.lock();
    state.begin(0).expect("begins");
    state.fill(0, SLOT, &secret()).expect("fills");
    drop(state);
    drop(vault);
    let vault = open(&directory);
    assert!(vault.get(SLOT).expect("kept").matches(&secret()));
    assert_eq!(vault.lock().header.busy, None);
}

#[test]
fn a_destruction_cut_off_anywhere_in_the_blob_is_completed() {
    let (directory, vault) = create();
    vault.put(SLOT, &secret()).expect("kept");
    let mut state = vault.lock();
    state.begin(0).expect("begins");
    state
        .disk
        .write(
            blob_offset(0) + BLOB_BYTES as u64 / 2,
            &Block::zeroed(layout::BLOCK_BYTES),
        )
        .expect("writes");
    drop(state);
    drop(vault);
    let vault = open(&directory);
    assert_eq!(vault.list().expect("lists"), []);
    assert!(is_zero(&vault.lock(), 0));
}

#[test]
fn a_header_torn_in_its_first_copy_is_read_from_the_second() {
    let (directory, vault) = create();
    vault.put(SLOT, &secret()).expect("kept");
    let before = vault.descriptor();
    let state = vault.lock();
    state
        .disk
        .write(layout::HEADER_OFFSETS[0], &Block::zeroed(layout::BLOCK_BYTES))
        .expect("writes");
    drop(state);
    drop(vault);
    assert_eq!(open(&directory).descriptor(), before);
}

#[test]
fn every_change_moves_the_counter_and_no_other_call_does() {
    let (_directory, vault) = create();
    vault.put(SLOT, &secret()).expect("kept");
    vault.put(SLOT, &secret()).expect("kept already");
    vault.get(SLOT).expect("there");
    assert_eq!(vault.descriptor().counter, 1);
    vault.destroy(SLOT).expect("destroyed");
    vault.destroy(SLOT).expect("destroyed already");
    assert_eq!(vault.descriptor().counter, 2);
}

/// Works `left` times.
struct FailingEntropy {
    left: usize,
}

impl Entropy for FailingEntropy {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        self.left = self.left.checked_sub(1).ok_or(EntropyError)?;
        OsEntropy.fill(out)
    }
}

#[test]
fn without_randomness_nothing_is_kept_and_nothing_is_called_destroyed() {
    let (_directory, vault) = create();
    vault.lock().entropy = Box::new(FailingEntropy { left: 1 });
    assert!(matches!(vault.put(SLOT, &secret()), Err(VaultError::Seal(_))));
    vault.lock().entropy = Box::new(OsEntropy);
    vault.put(SLOT, &secret()).expect("kept");
    vault.lock().entropy = Box::new(FailingEntropy { left: 1 });
    assert!(matches!(vault.destroy(SLOT), Err(VaultError::Seal(_))));
    assert_eq!(vault.list().expect("lists"), [SLOT]);
    assert!(matches!(vault.get(SLOT), Err(VaultError::Dead(SLOT))));
}
