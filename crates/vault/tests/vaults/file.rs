//! The suite over a file; `tests/file_vault.rs` has what only a file does.

use std::path::PathBuf;

use eunoe_crypto::OsEntropy;
use eunoe_vault::{ErasableVault, FileVault, FileVaultOptions, VaultError};

use crate::conformance::{Harness, suite};

/// The machine that runs the tests may have any file system below its build folder.
const ANYWHERE: FileVaultOptions = FileVaultOptions {
    allow_unsafe_medium: true,
};

struct Files(Vec<tempfile::TempDir>);

impl Files {
    fn path(&self) -> PathBuf {
        self.0.last().expect("one was made").path().join("vault")
    }

    fn try_open(&self) -> Result<FileVault, VaultError> {
        FileVault::open(&self.path(), ANYWHERE, Box::new(OsEntropy))
    }
}

impl Harness for Files {
    fn create(&mut self) -> Box<dyn ErasableVault> {
        let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
        self.0.push(place);
        Box::new(FileVault::create(&self.path(), ANYWHERE, Box::new(OsEntropy)).expect("creates"))
    }

    fn open(&mut self) -> Box<dyn ErasableVault> {
        Box::new(self.try_open().expect("opens"))
    }

    fn open_again(&mut self) -> Result<(), VaultError> {
        self.try_open().map(drop)
    }
}

#[test]
fn a_file_keeps_every_promise() {
    suite(&mut Files(Vec::new()));
}
