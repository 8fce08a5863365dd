//! Which nodes are admitted, where they are and which key each must show.

use std::collections::BTreeMap;
use std::sync::Arc;

use eunoe_core::placement::{Policy, Site};
use eunoe_types::NodeId;
use futures::future::{BoxFuture, FutureExt as _};
use tokio::sync::watch;

use super::PeerIdentity;
use crate::placement::allowed;

/// SHA-256 of a certificate's public key (SubjectPublicKeyInfo, DER).
pub type SpkiHash = [u8; 32];

/// What is waited for.
type Condition = Box<dyn Fn(&Admitted) -> bool + Send>;

/// An admitted node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerEntry {
    /// Host and port of its peer listener.
    pub address: String,
    /// The key that it must show.
    pub spki_sha256: SpkiHash,
    /// The site that its certificate must name.
    pub site: Site,
}

/// What the directory says.
#[derive(Debug)]
struct Admitted {
    policy: Policy,
    nodes: BTreeMap<NodeId, PeerEntry>,
}

impl Admitted {
    /// The entry of `node`, if it is admitted and stands where the policy allows it today.
    fn get(&self, node: NodeId) -> Option<&PeerEntry> {
        let entry = self.nodes.get(&node)?;
        allowed(self.policy, &entry.site).ok().map(|()| entry)
    }

    fn admits(&self, peer: &PeerIdentity) -> bool {
        self.get(peer.node)
            .is_some_and(|entry| entry.spki_sha256 == peer.spki_sha256 && entry.site == peer.site)
    }
}

/// The admitted nodes. Clones share them.
///
/// It starts with the configured members and policy, and follows the control group: a node that is not in it is neither
/// answered nor called, and a connection that was open when it went serves no further request.
#[derive(Clone, Debug)]
pub struct PeerDirectory(Arc<watch::Sender<Admitted>>);

impl PeerDirectory {
    /// A directory of these nodes, of which those count that `policy` allows.
    pub fn new(policy: Policy, entries: impl IntoIterator<Item = (NodeId, PeerEntry)>) -> Self {
        let nodes = entries.into_iter().collect();
        Self(Arc::new(watch::Sender::new(Admitted { policy, nodes })))
    }

    /// Makes `policy` the one that sites are judged by; nodes outside are refused from now on.
    pub fn allow(&self, policy: Policy) {
        self.0.send_if_modified(|current| {
            let changed = current.policy != policy;
            current.policy = policy;
            changed
        });
    }

    /// Makes these the admitted nodes; all others are refused from now on.
    pub fn replace(&self, entries: impl IntoIterator<Item = (NodeId, PeerEntry)>) {
        let entries: BTreeMap<_, _> = entries.into_iter().collect();
        self.0.send_if_modified(|current| {
            let changed = current.nodes != entries;
            current.nodes = entries;
            changed
        });
    }

    /// The entry of `node`, if it is admitted and the policy allows its site.
    pub fn get(&self, node: NodeId) -> Option<PeerEntry> {
        self.0.borrow().get(node).cloned()
    }

    /// The admitted nodes.
    pub fn nodes(&self) -> Vec<NodeId> {
        self.0.borrow().nodes.keys().copied().collect()
    }

    /// Whether `peer` is admitted with this key and at this site, and the policy allows the site.
    pub fn admits(&self, peer: &PeerIdentity) -> bool {
        let admitted = self.0.borrow();
        if let Err(refusal) = allowed(admitted.policy, &peer.site) {
            tracing::warn!(node = %peer.node, %refusal, "a node is refused for where it stands");
            return false;
        }
        let moved = admitted
            .nodes
            .get(&peer.node)
            .filter(|entry| entry.site != peer.site);
        if let Some(PeerEntry { site, .. }) = moved {
            tracing::warn!(node = %peer.node, shows = %peer.site, admitted = %site, "a node shows another site");
        }
        admitted.admits(peer)
    }

    /// Ends when `peer` is no longer admitted.
    pub(crate) fn refused(&self, peer: PeerIdentity) -> BoxFuture<'static, ()> {
        self.until(Box::new(move |admitted| !admitted.admits(&peer)))
    }

    /// Ends when the entry of `node` is not `entry`, or does not count any more.
    pub(crate) fn changed(&self, node: NodeId, entry: PeerEntry) -> BoxFuture<'static, ()> {
        self.until(Box::new(move |admitted| admitted.get(node) != Some(&entry)))
    }

    fn until(&self, holds: Condition) -> BoxFuture<'static, ()> {
        let directory = self.clone();
        let mut entries = self.0.subscribe();
        async move {
            while !holds(&entries.borrow_and_update()) {
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

    fn entry_at(port: u16, key: u8, site: &str) -> PeerEntry {
        PeerEntry {
            address: format!("127.0.0.1:{port}"),
            spki_sha256: [key; 32],
            site: Site::parse(site).unwrap(),
        }
    }

    fn entry(port: u16, key: u8) -> PeerEntry {
        entry_at(port, key, "de/fra/fra1")
    }

    fn peer_at(node: u64, key: u8, site: &str) -> PeerIdentity {
        PeerIdentity {
            node: NodeId(node),
            spki_sha256: [key; 32],
            site: Site::parse(site).unwrap(),
        }
    }

    fn peer(node: u64, key: u8) -> PeerIdentity {
        peer_at(node, key, "de/fra/fra1")
    }

    #[test]
    fn a_node_is_admitted_with_its_own_key_and_site_only() {
        let nodes = [(NodeId(1), entry(1, 1)), (NodeId(2), entry(2, 2))];
        let directory = PeerDirectory::new(Policy::Eu27, nodes);
        assert!(directory.admits(&peer(1, 1)));
        assert!(!directory.admits(&peer(1, 2)));
        assert!(!directory.admits(&peer(3, 1)));
        assert!(!directory.admits(&peer_at(1, 1, "de/fra/fra2")));
        assert!(!directory.admits(&peer_at(1, 1, "ch/zrh/zrh1")));
        assert_eq!(directory.get(NodeId(2)), Some(entry(2, 2)));
        assert_eq!(directory.nodes(), [NodeId(1), NodeId(2)]);
    }

    #[tokio::test]
    async fn a_node_outside_the_policy_is_not_called_and_not_admitted() {
        let norway = entry_at(1, 1, "no/osl/osl1");
        let directory = PeerDirectory::new(Policy::Eea, [(NodeId(1), norway.clone())]);
        let known = peer_at(1, 1, "no/osl/osl1");
        assert!(directory.admits(&known));
        assert_eq!(directory.get(NodeId(1)), Some(norway.clone()));
        let (refused, changed) = (directory.refused(known), directory.changed(NodeId(1), norway));
        let waiting = tokio::spawn(futures::future::join(refused, changed));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        directory.allow(Policy::Eu27);
        waiting.await.unwrap();
        assert!(!directory.admits(&known));
        assert_eq!(directory.get(NodeId(1)), None);
    }

    #[tokio::test]
    async fn clones_see_a_replacement_and_waiters_end() {
        let nodes = [(NodeId(1), entry(1, 1)), (NodeId(2), entry(2, 2))];
        let directory = PeerDirectory::new(Policy::Eu27, nodes);
        let clone = directory.clone();
        let removed = tokio::spawn(async move { clone.refused(peer(2, 2)).await });
        let clone = directory.clone();
        let moved = tokio::spawn(async move { clone.changed(NodeId(1), entry(1, 1)).await });
        tokio::task::yield_now().await;
        assert!(!removed.is_finished() && !moved.is_finished());
        directory.replace([(NodeId(1), entry(9, 1))]);
        removed.await.unwrap();
        moved.await.unwrap();
        assert!(!directory.admits(&peer(2, 2)));
        assert!(directory.admits(&peer(1, 1)));
    }
}
