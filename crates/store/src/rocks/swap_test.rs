//! A crash after any step leaves the old state or the new one, and opening the group finishes the rest.

use std::fs;

use super::*;

fn content(dir: &Path) -> String {
    fs::read_to_string(dir.join("state/file")).unwrap()
}

fn group_with(old: Option<&str>) -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    for (dir, text) in [("state", old), ("from", Some("new"))] {
        if let Some(text) = text {
            fs::create_dir(root.path().join(dir)).unwrap();
            fs::write(root.path().join(dir).join("file"), text).unwrap();
        }
    }
    let from = root.path().join("from");
    (root, from)
}

fn names(dir: &Path) -> Vec<String> {
    disk::list(dir)
        .unwrap()
        .iter()
        .map(|path| disk::name(path).to_owned())
        .collect()
}

#[test]
fn before_the_decision_nothing_happened() {
    let (root, _) = group_with(Some("old"));
    Swap::new(root.path()).finish().unwrap();
    assert_eq!(content(root.path()), "old");
    assert_eq!(names(root.path()), ["from", "state"]);
}

#[test]
fn after_the_decision_every_crash_ends_in_the_new_state() {
    for old in [Some("old"), None] {
        for steps_done in 0..=STEPS.len() {
            let (root, from) = group_with(old);
            let swap = Swap::new(root.path());
            swap.decide(&from).unwrap();
            STEPS[..steps_done].iter().for_each(|step| step(&swap).unwrap());
            swap.finish().unwrap();
            assert_eq!(content(root.path()), "new", "crash after step {steps_done}");
            assert_eq!(names(root.path()), ["state"]);
        }
    }
}

#[test]
fn a_second_crash_while_finishing_changes_nothing() {
    for first in 0..=STEPS.len() {
        for second in 0..=STEPS.len() {
            let (root, from) = group_with(Some("old"));
            let swap = Swap::new(root.path());
            swap.decide(&from).unwrap();
            STEPS[..first]
                .iter()
                .chain(&STEPS[..second])
                .for_each(|step| step(&swap).unwrap());
            swap.finish().unwrap();
            assert_eq!(content(root.path()), "new");
        }
    }
}
