//! What the checks of this repository share. The tests themselves are in `tests/`.

pub mod law;
pub mod packages;
pub mod sources;

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
