//! Which nodes are admitted, where they are and which key each must show.

use std::collections::BTreeMap;
use std::sync::Arc;

use eunoe_types::NodeId;
use futures::future::{BoxFuture, FutureExt as _};
use tokio::sync::watch;

/// SHA-256 of a certificate's public key (SubjectPublicKeyInfo, DER).
pub type SpkiHash = [u8; 32];

/// What is waited for, of one node's entry.
type Condition = Box<dyn Fn(Option<&PeerEntry>) -> bool + Send>;

/// An admitted node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerEntry {
    /// Host and port of its peer listener.
    pub address: String,
    /// The key that it must show.
    pub spki_sha256: SpkiHash,
}

/// The admitted nodes. Clones share them.
///
/// It starts with the configured members and follows the control group: a node that is not in it is neither
/// answered nor called, and a connection that was open when it went serves no further request.
#[derive(Clone, Debug)]
pub struct PeerDirectory(Arc<watch::Sender<BTreeMap<NodeId, PeerEntry>>>);

impl PeerDirectory {
    /// A directory of these nodes.
    pub fn new(entries: impl IntoIterator<Item = (NodeId, PeerEntry)>) -> Self {
        Self(Arc::new(watch::Sender::new(entries.into_iter().collect())))
    }

    /// Makes these the admitted nodes; all others are refused from now on.
    pub fn replace(&self, entries: impl IntoIterator<Item = (NodeId, PeerEntry)>) {
        let entries: BTreeMap<_, _> = entries.into_iter().collect();
        self.0.send_if_modified(|current| {
            let changed = *current != entries;
            *current = entries;
            changed
        });
    }

    /// The entry of `node`, if it is admitted.
    pub fn get(&self, node: NodeId) -> Option<PeerEntry> {
        self.0.borrow().get(&node).cloned()
    }

    /// The admitted nodes.
    pub fn nodes(&self) -> Vec<NodeId> {
        self.0.borrow().keys().copied().collect()
    }

    /// Whether `node` is admitted with this key.
    pub fn admits(&self, node: NodeId, spki: &SpkiHash) -> bool {
        self.0
            .borrow()
            .get(&node)
            .is_some_and(|entry| entry.spki_sha256 == *spki)
    }

    /// Ends when `node` is no longer admitted with this key.
    pub(crate) fn refused(&self, node: NodeId, spki: SpkiHash) -> BoxFuture<'static, ()> {
        self.until(
            node,
            Box::new(move |entry| entry.is_none_or(|entry| entry.spki_sha256 != spki)),
        )
    }

    /// Ends when the entry of `node` is not `entry`.
    pub(crate) fn changed(&self, node: NodeId, entry: PeerEntry) -> BoxFuture<'static, ()> {
        self.until(node, Box::new(move |current| current != Some(&entry)))
    }

    fn until(&self, node: NodeId, holds: Condition) -> BoxFuture<'static, ()> {
        let directory = self.clone();
        let mut entries = self.0.subscribe();
        async move {
            while !holds(entries.borrow_and_update().get(&node)) {
                // `directory` keeps the sender alive: this does not fail.
                if entries.changed().await.is_err() {
                    break;
                }
            }
            drop(directory);
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(port: u16, key: u8) -> PeerEntry {
        PeerEntry {
            address: format!("127.0.0.1:{port}"),
            spki_sha256: [key; 32],
        }
    }

    #[test]
    fn a_node_is_admitted_with_its_own_key_only() {
        let directory = PeerDirectory::new([(NodeId(1), entry(1, 1)), (NodeId(2), entry(2, 2))]);
        assert!(directory.admits(NodeId(1), &[1; 32]));
        assert!(!directory.admits(NodeId(1), &[2; 32]));
        assert!(!directory.admits(NodeId(3), &[1; 32]));
        assert_eq!(directory.get(NodeId(2)), Some(entry(2, 2)));
        assert_eq!(directory.nodes(), [NodeId(1), NodeId(2)]);
    }

    #[tokio::test]
    async fn clones_see_a_replacement_and_waiters_end() {
        let directory = PeerDirectory::new([(NodeId(1), entry(1, 1)), (NodeId(2), entry(2, 2))]);
        let clone = directory.clone();
        let removed = tokio::spawn(async move { clone.refused(NodeId(2), [2; 32]).await });
        let clone = directory.clone();
        let moved = tokio::spawn(async move { clone.changed(NodeId(1), entry(1, 1)).await });
        tokio::task::yield_now().await;
        assert!(!removed.is_finished() && !moved.is_finished());
        directory.replace([(NodeId(1), entry(9, 1))]);
        removed.await.unwrap();
        moved.await.unwrap();
        assert!(!directory.admits(NodeId(2), &[2; 32]));
        assert!(directory.admits(NodeId(1), &[1; 32]));
    }
}
