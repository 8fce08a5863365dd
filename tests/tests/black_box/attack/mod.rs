//! What an attacker reads who has everything that nodes ever stored, and the keys that are left.

mod disks;
mod memory;

use std::path::{Path, PathBuf};

use eunoe_attack::args::Args;
use eunoe_attack::{Report, Tally};
use eunoe_tests::cluster::Cluster;
use eunoe_tests::forensics::copy_dir;
use tempfile::TempDir;

use crate::erasure::MESSAGES;

/// Vaults that make a root together.
const VAULTS_OF_A_ROOT: usize = 2;
/// What is tried on pages that nothing else opens, at most.
const PAGE_TRIALS: u64 = 200_000_000;

/// The data directories of all nodes at one time.
struct Copies {
    folder: TempDir,
    nodes: Vec<u64>,
}

impl Copies {
    /// The nodes end for it and start again.
    async fn of(cluster: &mut Cluster) -> Self {
        cluster.stop().await;
        let folder = tempfile::Builder::new()
            .prefix("eunoe-copies-")
            .tempdir()
            .unwrap();
        let nodes = cluster.nodes();
        for node in &nodes {
            copy_dir(&cluster.data_dir(*node), &folder.path().join(node.to_string()));
        }
        cluster.start_again().await;
        Self { folder, nodes }
    }

    fn dirs(&self) -> impl Iterator<Item = PathBuf> {
        self.nodes
            .iter()
            .map(|node| self.folder.path().join(node.to_string()))
    }

    fn vaults(&self) -> impl Iterator<Item = PathBuf> {
        self.dirs().map(|dir| dir.join("vault"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// All directories without their vaults, and these vaults and memories.
fn attack(copies: &[&Copies], vaults: &[PathBuf], memories: &[PathBuf]) -> Report {
    let args = Args {
        dir: copies.iter().flat_map(|copies| copies.dirs()).collect(),
        file: Vec::new(),
        vault: vaults.to_vec(),
        memory: memories.to_vec(),
        without_vaults: true,
        plaintexts: true,
        page_trials: PAGE_TRIALS,
    };
    let report = tokio::task::block_in_place(|| args.run()).unwrap();
    assert!(report.unread.is_empty(), "{:?}", report.unread);
    assert_eq!(report.strange_secrets, 0);
    let (keys, messages) = (&report.keys, &report.messages);
    eprintln!("roots {:?}, keys {keys:?}, messages {messages:?}", report.roots);
    eprintln!("memory {:?}: {:?}", report.memory_keys, report.memory);
    report
}

/// Whether something that a person said is among what was read.
fn is_read(report: &Report, name: &str) -> bool {
    let begin = format!("{name} says ");
    let mut texts = report.texts.iter();
    texts.any(|text| text.text.starts_with(&begin) || text.text == format!("visitor/{name}"))
}

/// All of `people` conversations in a state is read, or nothing of it.
fn assert_tally(report: &Report, state: &str, people: u64, read: bool) {
    let of = |count: u64| Tally {
        read: if read { count } else { 0 },
        partly: 0,
        unread: if read { 0 } else { count },
    };
    assert_eq!(
        Report::tally(&report.messages, state),
        of(people * MESSAGES),
        "{state}"
    );
    // A conversation is named once and has one participant; a repeated request seals its names again. A person has a
    // key, and the conversation; those that live have a day's and the tenant's beside.
    for tally in [
        Report::tally(&report.names, state),
        Report::tally(&report.keys, state),
    ] {
        let (hit, missed) = if read {
            (tally.read, tally.unread)
        } else {
            (tally.unread, tally.read)
        };
        assert!(
            hit >= people * 2 && missed + tally.partly == 0,
            "{state}: {tally:?}"
        );
    }
}

fn write(path: &Path, bytes: &[u8]) -> PathBuf {
    std::fs::write(path, bytes).unwrap();
    path.to_owned()
}
