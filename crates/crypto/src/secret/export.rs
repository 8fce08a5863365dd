//! Writes every key that this process ever held to a file, so that a test can look for it in all other files.
//!
//! Only with the feature `export-keys`, which no program of a release has: a key on a disk cannot be forgotten.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::SecretKey;

/// Names the file; without it nothing is written.
const FILE: &str = "EUNOE_EXPORT_KEYS";

struct Export {
    file: File,
    written: BTreeSet<[u8; SecretKey::BYTES]>,
}

/// Adds a key to the end of the file, once, as it is.
///
/// # Panics
///
/// If it cannot be written: a test that misses keys would prove nothing.
pub(super) fn key(key: &[u8; SecretKey::BYTES]) {
    static EXPORT: OnceLock<Option<Mutex<Export>>> = OnceLock::new();
    let Some(export) = EXPORT.get_or_init(open) else {
        return;
    };
    let mut export = export.lock().unwrap_or_else(PoisonError::into_inner);
    // A key that was wiped before it was dropped is none.
    if *key != [0; SecretKey::BYTES] && export.written.insert(*key) {
        export.file.write_all(key).expect("the export file is written");
    }
}

fn open() -> Option<Mutex<Export>> {
    let path = std::env::var_os(FILE)?;
    let opened = OpenOptions::new().create(true).append(true).open(path);
    let (file, written) = (opened.expect("the export file is opened"), BTreeSet::new());
    Some(Mutex::new(Export { file, written }))
}
