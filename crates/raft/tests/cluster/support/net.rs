//! Connections between nodes of one process, which can be cut.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use eunoe_raft::{CallKind, PeerTransport, RaftNode, Target, TransportError};
use eunoe_types::{GroupId, NodeId};
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};

/// What connects the nodes.
#[derive(Default)]
pub(crate) struct Net {
    nodes: Mutex<BTreeMap<u64, RaftNode>>,
    /// From whom nothing gets to whom.
    cuts: Mutex<BTreeSet<(u64, u64)>>,
    calls: Mutex<BTreeMap<(u64, u64, u8), u64>>,
    /// Append streams that were asked for, by sender and receiver.
    streams: Mutex<BTreeMap<(u64, u64), u64>>,
    /// Snapshots that were installed or refused, by receiver.
    snapshots: Mutex<BTreeMap<(u64, bool), u64>>,
    damages_snapshots: AtomicBool,
}

impl Net {
    pub(crate) fn plug(&self, id: u64, node: RaftNode) {
        self.nodes.lock().unwrap().insert(id, node);
    }

    pub(crate) fn unplug(&self, id: u64) {
        self.nodes.lock().unwrap().remove(&id);
    }

    /// Cuts `id` off from all of `others`, both ways.
    pub(crate) fn isolate(&self, id: u64, others: impl IntoIterator<Item = u64>) {
        let mut cuts = self.cuts.lock().unwrap();
        for other in others {
            cuts.insert((id, other));
            cuts.insert((other, id));
        }
    }

    /// Cuts one direction.
    pub(crate) fn cut(&self, from: u64, to: u64) {
        self.cuts.lock().unwrap().insert((from, to));
    }

    pub(crate) fn heal(&self) {
        self.cuts.lock().unwrap().clear();
    }

    /// Flips a bit in every chunk of a snapshot, or no more.
    pub(crate) fn damage_snapshots(&self, damage: bool) {
        self.damages_snapshots.store(damage, Ordering::SeqCst);
    }

    /// Calls that `from` made, those that did not get through included.
    pub(crate) fn calls(&self, from: u64, to: u64, kind: CallKind) -> u64 {
        let calls = self.calls.lock().unwrap();
        calls.get(&(from, to, kind.number())).copied().unwrap_or(0)
    }

    /// Append streams that `from` tried to open.
    pub(crate) fn streams(&self, from: u64, to: u64) -> u64 {
        let streams = self.streams.lock().unwrap();
        streams.get(&(from, to)).copied().unwrap_or(0)
    }

    /// Snapshots that `to` installed, or refused.
    pub(crate) fn snapshots(&self, to: u64, installed: bool) -> u64 {
        let snapshots = self.snapshots.lock().unwrap();
        snapshots.get(&(to, installed)).copied().unwrap_or(0)
    }

    fn is_cut(&self, from: u64, to: u64) -> bool {
        self.cuts.lock().unwrap().contains(&(from, to))
    }

    fn node(&self, from: u64, to: NodeId) -> Result<RaftNode, TransportError> {
        if self.is_cut(from, to.0) {
            return Err(TransportError::Unreachable);
        }
        let nodes = self.nodes.lock().unwrap();
        nodes.get(&to.0).cloned().ok_or(TransportError::Unreachable)
    }
}

/// The connections of one node.
pub(crate) struct Link {
    pub(crate) from: u64,
    pub(crate) net: Arc<Net>,
}

/// Passes what comes until the way is cut; nothing after that, not even the end, as with a dead connection.
fn until_cut<T: Send + 'static>(
    net: Arc<Net>,
    from: u64,
    to: u64,
    items: BoxStream<'static, T>,
) -> BoxStream<'static, T> {
    let state = Some((net, items));
    let passed = stream::unfold(state, move |state| async move {
        let (net, mut items) = state?;
        let item = items.next().await;
        if net.is_cut(from, to) {
            std::future::pending::<()>().await;
        }
        item.map(|item| (item, Some((net, items))))
    });
    passed.boxed()
}

impl PeerTransport for Link {
    fn call(
        &self,
        to: Target,
        group: GroupId,
        kind: CallKind,
        body: Bytes,
        timeout: Duration,
    ) -> BoxFuture<'static, Result<Bytes, TransportError>> {
        let (net, from) = (Arc::clone(&self.net), self.from);
        let key = (from, to.id.0, kind.number());
        *net.calls.lock().unwrap().entry(key).or_default() += 1;
        Box::pin(async move {
            let node = net.node(from, to.id)?;
            let answer = tokio::time::timeout(timeout, node.handle_call(group, kind, body)).await;
            if net.is_cut(to.id.0, from) {
                tokio::time::sleep(timeout).await;
                return Err(TransportError::Timeout);
            }
            match answer {
                Ok(answer) => answer.map_err(|_| TransportError::Refused),
                Err(_) => Err(TransportError::Timeout),
            }
        })
    }

    fn open_append_stream(
        &self,
        to: Target,
        group: GroupId,
        requests: BoxStream<'static, Bytes>,
        _connect_timeout: Duration,
    ) -> BoxFuture<'static, Result<BoxStream<'static, Result<Bytes, TransportError>>, TransportError>> {
        let (net, from, to) = (Arc::clone(&self.net), self.from, to.id);
        *net.streams.lock().unwrap().entry((from, to.0)).or_default() += 1;
        Box::pin(async move {
            let node = net.node(from, to)?;
            // As with a real connection, the requests end when nobody waits for answers any more.
            let (open, closed) = tokio::sync::oneshot::channel::<()>();
            let requests = until_cut(Arc::clone(&net), from, to.0, requests).take_until(closed);
            let answers = node
                .handle_append_stream(group, requests)
                .map_err(|_| TransportError::Refused)?;
            let answers = answers.map(move |answer| {
                let _is_open = &open;
                answer.map_err(|_| TransportError::Broken)
            });
            Ok(until_cut(net, to.0, from, answers.boxed()))
        })
    }

    fn send_snapshot(
        &self,
        to: Target,
        group: GroupId,
        header: Bytes,
        chunks: BoxStream<'static, Result<Bytes, std::io::Error>>,
        _timeout: Duration,
    ) -> BoxFuture<'static, Result<Bytes, TransportError>> {
        let (net, from, to) = (Arc::clone(&self.net), self.from, to.id);
        Box::pin(async move {
            let node = net.node(from, to)?;
            let damaging = Arc::clone(&net);
            let chunks = chunks.map(move |chunk| {
                let damages = damaging.damages_snapshots.load(Ordering::SeqCst);
                chunk.map(|chunk| if damages { flipped(&chunk) } else { chunk })
            });
            let chunks = until_cut(Arc::clone(&net), from, to.0, chunks.boxed());
            let answer = node.handle_snapshot(group, header, chunks).await;
            let key = (to.0, answer.is_ok());
            *net.snapshots.lock().unwrap().entry(key).or_default() += 1;
            answer.map_err(|_| TransportError::Refused)
        })
    }
}

fn flipped(chunk: &Bytes) -> Bytes {
    let mut bytes = chunk.to_vec();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    bytes.into()
}
