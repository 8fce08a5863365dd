//! A second `eunoed` for tests that must see its keys, or end and stop it at a step.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Cluster, programs};

/// Name of the environment variable that names the folder in which steps are armed.
pub const FAILPOINTS: &str = "EUNOE_FAILPOINTS";

/// Builds the instrumented `eunoed`, beside the one that is not and without touching it; returns its file.
///
/// # Panics
///
/// If cargo does not build it.
pub fn eunoed() -> PathBuf {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let target = programs::build_folder();
    let target = target
        .parent()
        .expect("a profile's folder is in the target folder");
    let built = Command::new(cargo)
        .args([
            "build",
            "--locked",
            "-p",
            "eunoe-tests",
            "--features",
            "instrumented",
        ])
        .args(["--bin", "eunoed-instrumented", "--target-dir"])
        .arg(target)
        .current_dir(crate::workspace_root())
        .status()
        .expect("cargo runs");
    assert!(built.success(), "the instrumented eunoed is not built");
    target.join("debug/eunoed-instrumented")
}

/// What becomes of a process at its step.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    /// It is killed.
    Kill,
    /// It stands still until it is sent on.
    Stop,
}

/// A step that the process of a node was armed with.
pub struct Armed(PathBuf);

impl Armed {
    /// Whether the process has come there.
    pub fn is_reached(&self) -> bool {
        !self.0.exists()
    }
}

impl Cluster {
    /// Lets the process that a node has now end or stop when it comes to a step for the first time from now on.
    ///
    /// # Panics
    ///
    /// If the cluster was not started with [`FAILPOINTS`] and [`eunoed`].
    pub fn arm(&self, failpoints: &Path, node: u64, step: &str, fate: Fate) -> Armed {
        let word = match fate {
            Fate::Kill => "kill",
            Fate::Stop => "stop",
        };
        let file = failpoints.join(format!("{}-{step}", self.process(node).id()));
        // Whole or not at all: the process looks whenever it comes to the step.
        let new = file.with_extension("new");
        fs::write(&new, word).expect("a step is written");
        fs::rename(&new, &file).expect("a step is armed");
        Armed(file)
    }
}
