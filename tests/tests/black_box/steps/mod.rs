//! Nodes that are killed, stopped or cut off exactly where it hurts: at the steps of an epoch, and with a message that is
//! sealed and not stored. The nodes are built for it: see [`eunoe_tests::cluster::instrumented`].

mod crashes;
mod cuts;
mod late;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use eunoe_client::erasure_types::{Erasure, RequestErasureRequest};
use eunoe_crypto::OsEntropy;
use eunoe_tests::cluster::instrumented::{self, Armed, Fate};
use eunoe_tests::cluster::{Cluster, Setup};
use eunoe_tests::wait::until;
use eunoe_vault::{ErasableVault as _, FileVault, FileVaultOptions, Slot};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::erasure::{SHORT_LEASE, TENANT, assert_erased, assert_intact, erase, subject};
use crate::partition::leader;

/// A cluster whose nodes can be armed.
struct Stage {
    cluster: Cluster,
    failpoints: TempDir,
}

impl Stage {
    async fn begin(cuttable: bool) -> Self {
        let failpoints = tempfile::tempdir().unwrap();
        let cluster = Cluster::start_with(Setup {
            arguments: SHORT_LEASE,
            eunoed: instrumented::eunoed(),
            environment: vec![(instrumented::FAILPOINTS, failpoints.path().to_owned())],
            cuttable,
            ..Setup::default()
        })
        .await;
        Self { cluster, failpoints }
    }

    fn arm(&self, node: u64, step: &str, fate: Fate) -> Armed {
        self.cluster.arm(self.failpoints.path(), node, step, fate)
    }

    /// The leader of the control group, and the other nodes; as soon as all have a share of the root again.
    async fn roles(&self) -> (u64, Vec<u64>) {
        let nodes = self.cluster.nodes();
        let leads = until("all nodes keep shares and one leads", async || {
            let root = self.cluster.status_of(nodes[0]).await.root?;
            let is_whole = root.holders == nodes && root.present == nodes;
            let leads = leader(&self.cluster, nodes[0]).await;
            leads.filter(|_| is_whole)
        })
        .await;
        (leads, nodes.into_iter().filter(|node| *node != leads).collect())
    }

    /// Asks for an erasure without waiting for the answer: whoever answers may be about to end.
    async fn begin_erasing(&self, of_node: u64, name: &str) -> JoinHandle<Erasure> {
        let client = self.cluster.client_of(of_node, TENANT).await;
        let request = RequestErasureRequest {
            request_id: name.to_owned(),
            ..subject(name, true)
        };
        tokio::spawn(async move { erase(&client, request).await })
    }

    /// Every vault has one share, of the root that every node says is the current one; no epoch was begun twice.
    async fn assert_one_root(&self) {
        let mut slots = BTreeSet::new();
        for node in self.cluster.nodes() {
            let said = self.cluster.status_of(node).await.root.unwrap().epoch;
            let listed = list(&self.cluster.node_dir(node).join("vault"));
            let [slot] = listed.as_slice() else {
                panic!("node {node} keeps {listed:?}");
            };
            assert_eq!(slot.epoch, said, "node {node} keeps a share of another root");
            slots.insert(*slot);
        }
        assert_eq!(
            slots.len(),
            1,
            "the nodes keep shares of several roots: {slots:?}"
        );
        let begun = self.begun();
        let epochs: BTreeSet<u64> = begun.iter().map(|(epoch, _)| *epoch).collect();
        assert_eq!(
            epochs.len(),
            begun.len(),
            "two attempts became one epoch: {begun:?}"
        );
    }

    /// Epoch and attempt of every switch that a leader said it made.
    fn begun(&self) -> BTreeSet<(u64, u64)> {
        let nodes = self.cluster.nodes().into_iter();
        let logs: Vec<String> = nodes.map(|node| self.cluster.log(node)).collect();
        let lines = logs.iter().flat_map(|log| log.lines());
        let lines = lines.filter(|line| line.contains("an epoch begins"));
        let numbers = lines.map(|line| {
            let number = |name: &str| {
                let (_, rest) = line.split_once(&format!("\"{name}\":")).expect("a line names it");
                let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                digits.parse().expect("a number")
            };
            (number("epoch"), number("attempt"))
        });
        let numbers: BTreeSet<(u64, u64)> = numbers.collect();
        assert!(!numbers.is_empty(), "nobody says which epochs began");
        numbers
    }

    /// The living are read on every node, the erased on none.
    async fn assert_read(&self, living: &[&str], erased: &[String]) {
        for node in self.cluster.nodes() {
            let of_node = self.cluster.client_of(node, TENANT).await;
            for id in living {
                assert_intact(&of_node, id).await;
            }
            for id in erased {
                assert_erased(&of_node, id).await;
            }
        }
    }
}

/// What the vault of a node that runs keeps, from a copy of it.
pub(crate) fn list(vault: &Path) -> Vec<Slot> {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("vault");
    fs::copy(vault, &copy).unwrap();
    let options = FileVaultOptions {
        allow_unsafe_medium: true,
    };
    let vault = FileVault::open(&copy, options, Box::new(OsEntropy)).unwrap();
    vault.list().unwrap()
}
