//! Rules about source files that neither the compiler nor clippy knows.

use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a source file, tests included: more is two files.
pub const LINES_MAX: usize = 600;

/// Folders with the project's own text.
const FOLDERS: &[&str] = &[
    "crates", "tests", "benches", "fuzz", "proto", "scripts", "docs", ".ci",
];

/// Folders below which nobody reads a clock: time arrives as a value.
const CLOCKLESS: &[&str] = &[
    "crates/types",
    "crates/merkle",
    "crates/evidence",
    "crates/core",
    "crates/crypto",
    "crates/custody",
];

/// A file, its place relative to the workspace's root, and its text.
pub struct Source {
    /// Relative, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// All source files of this workspace.
///
/// # Panics
///
/// If a folder cannot be read.
pub fn of_this_workspace() -> Vec<Source> {
    let root = crate::workspace_root();
    let mut found = Vec::new();
    FOLDERS
        .iter()
        .map(|folder| root.join(folder))
        .filter(|folder| folder.exists())
        .for_each(|folder| {
            collect(&root, &folder, &mut found);
        });
    found
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<Source>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .expect("a folder of the workspace is read")
        .map(|entry| entry.expect("an entry is read").path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(root, &path, found);
            continue;
        }
        let extension = path
            .extension()
            .and_then(|extension| extension.to_str())
            .unwrap_or("");
        if !matches!(extension, "rs" | "proto" | "sh" | "toml" | "md" | "") {
            continue;
        }
        let relative = path
            .strip_prefix(root)
            .expect("it is below the root")
            .to_string_lossy()
            .replace('\\', "/");
        // What is not text is not ours to judge.
        if let Ok(text) = fs::read_to_string(&path) {
            found.push(Source { path: relative, text });
        }
    }
}

/// Every breach of a rule in one file, one sentence each.
pub fn breaches(source: &Source) -> Vec<String> {
    let mut breaches = Vec::new();
    let rust = source.path.ends_with(".rs");
    let lines = source.text.lines().count();
    if rust && lines > LINES_MAX {
        breaches.push(format!(
            "{} has {lines} lines, more than {LINES_MAX}",
            source.path
        ));
    }
    for (number, line) in (1..).zip(source.text.lines()) {
        let mut say = |what: &str| breaches.push(format!("{}:{number}: {what}", source.path));
        if MARKS.iter().any(|mark| unnumbered(line, mark)) {
            say("a promise without an issue's number");
        }
        let clockless = CLOCKLESS
            .iter()
            .any(|folder| source.path.starts_with(&format!("{folder}/src/")));
        if clockless && CLOCKS.iter().any(|clock| line.contains(clock)) {
            say("a clock is read where time must arrive as a value");
        }
        if source.path.starts_with("crates/") && is_telemetry(&source.path, line) {
            say("what leaves a node about itself is named outside of its allow-list");
        }
        if rust && line.trim_start().starts_with("#[ignore") && !line.contains("= \"") {
            say("a test is ignored without a reason");
        }
    }
    breaches
}

/// Words of promises; put together so that this file does not break its own rule.
const MARKS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Where all that leaves a node about itself is made, and the one file in it where attributes are.
const TELEMETRY: &str = "crates/server/src/telemetry/";
const ATTRIBUTES: &str = "crates/server/src/telemetry/attribute.rs";
/// How attributes of spans and metrics are made: only the allow-list may.
const ATTRIBUTE_MAKERS: &[&str] = &[
    "KeyValue::",
    "StringValue::",
    ".set_attributes(",
    ".add_event(",
    "baggage",
];

/// Whether `line` of a crate's Rust file names OpenTelemetry outside of its module, or makes an attribute outside of
/// the allow-list.
fn is_telemetry(path: &str, line: &str) -> bool {
    let code = line.split("//").next().unwrap_or("");
    if !path.ends_with(".rs") {
        return false;
    }
    let foreign = !path.starts_with(TELEMETRY) && code.contains("opentelemetry");
    // The one call that adds an attribute to a span takes what the allow-list has made.
    let unlisted = code.contains(".set_attribute(") && !code.contains("attribute.into_key_value()");
    let made = path != ATTRIBUTES && ATTRIBUTE_MAKERS.iter().any(|maker| code.contains(maker));
    foreign || unlisted || made
}

/// How Rust code reads a clock.
const CLOCKS: &[&str] = &[concat!("Instant", "::now"), concat!("System", "Time")];

/// Whether `line` has the word `mark` without `(#123)` behind it.
fn unnumbered(line: &str, mark: &str) -> bool {
    line.match_indices(mark).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = &line[at + mark.len()..];
        let word = before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
            && after
                .chars()
                .next()
                .is_none_or(|c| !c.is_alphanumeric() && c != '_');
        let numbered = after
            .strip_prefix("(#")
            .and_then(|rest| rest.split_once(')'))
            .is_some_and(|(number, _)| {
                !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
            });
        word && !numbered
    })
}
