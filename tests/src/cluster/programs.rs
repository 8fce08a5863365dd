//! Where the programs under test are.

use std::path::PathBuf;

/// `eunoe` of the build that this test belongs to; `eunoed` is beside it. The environment variable
/// `EUNOE_TEST_PROGRAMS` names another folder.
///
/// # Panics
///
/// If it was not built: `make test` builds both before it runs tests.
pub fn eunoe() -> PathBuf {
    program("eunoe")
}

/// `eunoed` of the same build.
///
/// # Panics
///
/// If it was not built.
pub fn eunoed() -> PathBuf {
    program("eunoed")
}

/// The program that serves disks for tests, which is built with them.
///
/// # Panics
///
/// If it was not built.
pub fn disk() -> PathBuf {
    present(build_folder().join("eunoe-test-disk"))
}

/// The folder of the build's programs.
///
/// # Panics
///
/// If this test does not run from a build folder.
pub fn folder() -> PathBuf {
    match std::env::var_os("EUNOE_TEST_PROGRAMS") {
        Some(folder) => PathBuf::from(folder),
        None => build_folder(),
    }
}

/// The folder of the build that this test is of.
///
/// # Panics
///
/// If this test does not run from a build folder.
pub fn build_folder() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own file");
    // <profile>/deps/<test>
    let folder = test.ancestors().nth(2).expect("a test is in a build folder");
    folder.to_owned()
}

fn program(name: &str) -> PathBuf {
    present(folder().join(name))
}

fn present(path: PathBuf) -> PathBuf {
    assert!(
        path.is_file(),
        "there is no {}: cargo build -p eunoe-server -p eunoe-cli -p eunoe-tests --bins",
        path.display()
    );
    path
}
