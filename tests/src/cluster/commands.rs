//! Programs that are run to their end.

use std::path::Path;

use serde_json::Value;
use tokio::process::Command;

use super::programs;

/// What `eunoed fsck` says of the files of the node with this configuration: whether they are sound, and its findings.
pub(super) async fn fsck(config: &Path) -> (bool, String) {
    let mut command = Command::new(programs::eunoed());
    let checked = command.args(["fsck", "--config"]).arg(config).output().await;
    let checked = checked.expect("eunoed runs");
    let findings = String::from_utf8_lossy(&checked.stderr).into_owned();
    (checked.status.success(), findings)
}

/// Runs a command that prints JSON lines.
pub(super) async fn run(mut command: Command) -> Vec<Value> {
    let output = command.output().await.expect("eunoe runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    let text = String::from_utf8(output.stdout).expect("JSON is text");
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect()
}

/// Runs a command that fails and says why in JSON.
pub(super) async fn run_refused(mut command: Command) -> Value {
    let output = command.output().await.expect("eunoe runs");
    assert!(!output.status.success(), "{command:?} did not fail");
    let text = String::from_utf8(output.stderr).expect("JSON is text");
    let error: Value = serde_json::from_str(text.trim()).expect("an error is JSON");
    error["error"].clone()
}
