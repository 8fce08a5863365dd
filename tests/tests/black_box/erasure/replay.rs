//! E7: a node is started from files of before an erasure.

use std::fs;
use std::path::Path;

use eunoe_tests::cluster::Cluster;
use eunoe_tests::forensics::copy_dir;
use eunoe_tests::wait::until_true;

use super::shares::until_shared_among;
use super::{SHORT_LEASE, TENANT, assert_erased, assert_intact, erase, in_full, start, subject, talk};
use crate::partition::{impatient, shows_nothing_from_the_first};
use crate::steps::list;

const NODE: u64 = 3;
/// What the process writes for people.
const LOG: &str = "eunoed.log";
const VAULT: &str = "vault";
const PUT_BACK: &str = "the vault was put back from a copy";

/// Which of a node's files are old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Old {
    /// The states and snapshots of its groups, under the whole log.
    States,
    /// All but the vault.
    AllButVault,
    /// All.
    Everything,
}

impl Old {
    fn is(self, file: &str) -> bool {
        match self {
            Self::States => file == "state",
            Self::AllButVault => file != LOG && file != VAULT,
            Self::Everything => file != LOG,
        }
    }

    /// Puts the old files in the place of the new ones.
    fn put_back(self, from: &Path, to: &Path) {
        let names = |folder: &Path| {
            let entries = fs::read_dir(folder).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.filter(|name| self.is(name)).collect::<Vec<String>>()
        };
        for name in names(to) {
            let path = to.join(&name);
            if path.is_dir() {
                fs::remove_dir_all(&path).unwrap();
            } else {
                fs::remove_file(&path).unwrap();
            }
        }
        let names = names(from);
        assert!(!names.is_empty(), "nothing is old");
        for name in names {
            if from.join(&name).is_dir() {
                copy_dir(&from.join(&name), &to.join(&name));
            } else {
                fs::copy(from.join(&name), to.join(&name)).unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn e7_a_node_started_from_old_files_shows_nothing_erased_and_ends_as_its_peers_are() {
    let mut cluster = start(SHORT_LEASE).await;
    let mut client = cluster.client(TENANT).await;
    let kept = talk(&client, "kept").await;
    let (mut erased, mut living) = (Vec::new(), vec![kept]);
    for old in [Old::States, Old::AllButVault, Old::Everything] {
        let name = format!("{old:?}");
        let anna = talk(&client, &name).await;
        cluster.terminate(NODE).await;
        let folder = tempfile::tempdir().unwrap();
        copy_dir(&cluster.node_dir(NODE), folder.path());
        cluster.restart(&[NODE]).await;
        let of_node = impatient(&cluster, NODE).await;
        // What comes now is in none of the old files.
        assert_intact(&of_node, &anna).await;
        let erasure = erase(&client, subject(&name, true)).await;
        in_full(&client, &erasure.id).await;
        living.push(talk(&client, &format!("{name}-later")).await);

        // A log that went back must be unknown to whoever leads: docs/adr/0001-openraft-version.md.
        match old {
            Old::States => cluster.terminate(NODE).await,
            Old::AllButVault | Old::Everything => cluster.stop().await,
        }
        let notices = cluster.log(NODE).matches(PUT_BACK).count();
        let current = list(&cluster.node_dir(NODE).join(VAULT));
        old.put_back(folder.path(), &cluster.node_dir(NODE));
        let before = list(&cluster.node_dir(NODE).join(VAULT));
        assert_eq!(before != current, old == Old::Everything, "{old:?}: {before:?}");
        // From before it is up until it answers.
        let (read, again) = (
            shows_nothing_from_the_first(&of_node, &anna),
            shows_nothing_from_the_first(&of_node, &anna),
        );
        let up = async {
            match old {
                Old::States => cluster.restart(&[NODE]).await,
                Old::AllButVault | Old::Everything => cluster.start_again().await,
            }
        };
        tokio::join!(up, read, again);
        client = cluster.client(TENANT).await;
        erased.push(anna);
        is_as_its_peers(&mut cluster, &living, &erased).await;
        let noticed = cluster.log(NODE).matches(PUT_BACK).count() > notices;
        assert_eq!(noticed, old == Old::Everything, "{old:?}");
    }
    cluster.stop().await;
    for node in cluster.nodes() {
        let (sound, findings) = cluster.fsck(node).await;
        assert!(sound, "fsck finds damage on node {node}: {findings}");
    }
}

/// It shows what the others show, has applied what they have, and its only share is one of the current root.
async fn is_as_its_peers(cluster: &mut Cluster, living: &[String], erased: &[String]) {
    for node in cluster.nodes() {
        let of_node = cluster.client_of(node, TENANT).await;
        for id in living {
            assert_intact(&of_node, id).await;
        }
        for id in erased {
            assert_erased(&of_node, id).await;
        }
    }
    until_shared_among(cluster, &[1, 2, 3]).await;
    until_true("the node has applied what another one has", async || {
        let applied = async |node: u64| {
            let groups = cluster.status_of(node).await.groups;
            groups.iter().map(|group| group.applied).collect::<Vec<u64>>()
        };
        let (others, mine) = (applied(1).await, applied(NODE).await);
        mine.iter().zip(&others).all(|(mine, other)| mine >= other)
    })
    .await;
    let vault = async |node: u64| list(&cluster.node_dir(node).join(VAULT));
    until_true("every vault has one share, all of one root", async || {
        let first = vault(1).await;
        first.len() == 1 && vault(2).await == first && vault(NODE).await == first
    })
    .await;
}
