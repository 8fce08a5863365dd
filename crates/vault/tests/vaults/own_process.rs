//! A test that needs an environment or a view of the file system that its own process must not have.

use std::process::Command;

/// Runs the test `test` once more as `command` with this program's path behind it, and panics if it fails there. The caller
/// tells by a variable that it sets in `command` that it is there.
pub(crate) fn run_again(test: &str, mut command: Command) {
    let output = command
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", test, "--nocapture"])
        .output()
        .expect("runs");
    let (said, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{said}\n{errors}");
    assert!(said.contains("1 passed"), "no test is named {test}: {said}");
}
