//! What the checks of this repository and the black-box tests share. The tests themselves are in `tests/`.

pub mod chats;
pub mod cluster;
pub mod collector;
pub mod disk;
pub mod exposition;
pub mod forensics;
pub mod law;
pub mod packages;
pub mod random;
pub mod scan;
pub mod sources;
pub mod wait;

use std::path::PathBuf;

/// The root of the workspace.
///
/// # Panics
///
/// If this package was moved out of the workspace's root.
pub fn workspace_root() -> PathBuf {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    tests
        .parent()
        .expect("the package is in the workspace")
        .to_owned()
}
