//! Packages of the workspace and what each names in its `Cargo.toml`, as `cargo metadata` says it.

use std::process::Command;

use serde::Deserialize;

/// Everything of `cargo metadata` that the law looks at.
#[derive(Debug, Deserialize)]
pub struct Metadata {
    /// The members of the workspace.
    pub packages: Vec<Package>,
}

/// A member.
#[derive(Debug, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// What it names.
    pub dependencies: Vec<Dependency>,
}

/// A dependency that a member names.
#[derive(Debug, Deserialize)]
pub struct Dependency {
    /// The crate's name.
    pub name: String,
    /// The version asked for.
    pub req: String,
    /// None for a normal one, `dev` or `build` otherwise.
    pub kind: Option<String>,
}

impl Dependency {
    /// Whether only tests, examples and benchmarks see it.
    pub fn is_dev(&self) -> bool {
        self.kind.as_deref() == Some("dev")
    }
}

/// The members and everything that they are built of, each with the features that it has then, from `cargo tree` with
/// `arguments`. A line is `name version (path) feature,feature`.
///
/// # Panics
///
/// If cargo is not there or does not understand the workspace.
pub fn tree(arguments: &[&str]) -> Vec<String> {
    let output = cargo(&[
        "tree",
        "--offline",
        "--locked",
        "--prefix",
        "none",
        "--format",
        "{p} {f}",
    ])
    .args(arguments)
    .output()
    .expect("cargo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo tree: {errors}");
    let lines = String::from_utf8(output.stdout).expect("cargo writes text");
    lines.lines().map(str::to_owned).collect()
}

fn cargo(arguments: &[&str]) -> Command {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(crate::workspace_root());
    command
}

/// Asks cargo about this workspace; needs no network and no lock.
///
/// # Panics
///
/// If cargo is not there or does not understand the workspace.
pub fn of_this_workspace() -> Metadata {
    let output = cargo(&["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON of a known form")
}
