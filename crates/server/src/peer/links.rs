//! The connections to peers: made when first used, replaced when the directory says otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use eunoe_proto::peer::peer_service_client::PeerServiceClient;
use eunoe_raft::{Channel, TransportError};
use eunoe_types::NodeId;
use tonic::transport::{Channel as GrpcChannel, Endpoint};

use super::PEER_MESSAGE_BYTES_MAX;
use crate::tls::{PeerConnector, PeerDirectory, PeerEntry, SpkiHash, TlsMaterial};

/// Never looked up: the connector knows the address.
const ENDPOINT: &str = "http://peer";
/// One stream may be so far ahead of its reader: a few append requests.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 4 << 20;
/// All streams of a connection together.
pub(crate) const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;
/// A silent connection is asked so often whether it is alive,
pub(crate) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// and given up so long after: a peer behind a cut cable must not hold requests for ever.
pub(crate) const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// What shares a connection. The first three are Raft's [`Channel`]s, which must not wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    Control,
    Append,
    Bulk,
    /// Proposals and everything else that nodes ask of each other.
    Requests,
}

impl From<Channel> for Lane {
    fn from(channel: Channel) -> Self {
        match channel {
            Channel::Control => Lane::Control,
            Channel::Append => Lane::Append,
            Channel::Bulk => Lane::Bulk,
        }
    }
}

/// The connections of this node to its peers. Clones share them.
#[derive(Clone)]
pub struct PeerLinks {
    inner: Arc<Inner>,
}

struct Inner {
    material: TlsMaterial,
    directory: PeerDirectory,
    links: Mutex<BTreeMap<(NodeId, Lane), Link>>,
    /// Nodes that did not answer last time.
    silent: Mutex<BTreeSet<NodeId>>,
}

/// A connection that is made and made again as it is used.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) client: PeerServiceClient<GrpcChannel>,
    pub(super) entry: PeerEntry,
}

impl PeerLinks {
    /// Connections to the nodes of `directory`, as this node. Nothing is connected yet.
    pub fn new(material: TlsMaterial, directory: PeerDirectory) -> Self {
        Self {
            inner: Arc::new(Inner {
                material,
                directory,
                links: Mutex::default(),
                silent: Mutex::default(),
            }),
        }
    }

    /// The directory that says where the peers are.
    pub fn directory(&self) -> &PeerDirectory {
        &self.inner.directory
    }

    /// Notes whether a node answered, and logs it when that changed: not at each attempt.
    pub(super) fn note<T>(&self, node: NodeId, answer: &Result<T, TransportError>) {
        let mut silent = self.inner.silent.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(_) | Err(TransportError::Refused) => {
                if silent.remove(&node) {
                    tracing::info!(%node, "a peer answers again");
                }
            }
            Err(error @ (TransportError::Unreachable | TransportError::Timeout | TransportError::Broken)) => {
                if silent.insert(node) {
                    tracing::warn!(%node, %error, "a peer does not answer");
                }
            }
        }
    }

    /// The connection to `node`; refused if it is not admitted, stands where the placement policy does not
    /// allow it, or has not the key `pinned`.
    pub(super) fn link(
        &self,
        node: NodeId,
        lane: Lane,
        pinned: Option<&SpkiHash>,
    ) -> Result<Link, TransportError> {
        let mut links = self.inner.links.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = self.inner.directory.get(node) else {
            links.retain(|(id, _), _| *id != node);
            let mut silent = self.inner.silent.lock().unwrap_or_else(PoisonError::into_inner);
            silent.remove(&node);
            return Err(TransportError::Refused);
        };
        if pinned.is_some_and(|pinned| *pinned != entry.spki_sha256) {
            return Err(TransportError::Refused);
        }
        if let Some(link) = links.get(&(node, lane)).filter(|link| link.entry == entry) {
            return Ok(link.clone());
        }
        let link = self.inner.open(node, entry)?;
        links.insert((node, lane), link.clone());
        Ok(link)
    }
}

impl Inner {
    fn open(&self, node: NodeId, entry: PeerEntry) -> Result<Link, TransportError> {
        let connector =
            PeerConnector::new(&self.material, self.directory.clone(), node, &entry).map_err(|error| {
                tracing::error!(%node, %error, "the TLS of a connection to a peer cannot be set up");
                TransportError::Unreachable
            })?;
        let channel = Endpoint::from_static(ENDPOINT)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .connect_with_connector_lazy(connector);
        let client = PeerServiceClient::new(channel)
            .max_decoding_message_size(PEER_MESSAGE_BYTES_MAX)
            .max_encoding_message_size(PEER_MESSAGE_BYTES_MAX);
        Ok(Link { client, entry })
    }
}

impl fmt::Debug for PeerLinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerLinks")
            .field("directory", &self.inner.directory)
            .finish_non_exhaustive()
    }
}
