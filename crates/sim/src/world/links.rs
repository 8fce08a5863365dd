//! What a node says to other nodes, over the simulated network: Raft's messages and the calls beside them.

use std::time::Duration;

use bytes::Bytes;
use eunoe_crypto::SecretBytes;
use eunoe_raft::{CallKind, PeerTransport, Target, TransportError};
use eunoe_server::node::Core;
use eunoe_server::peer::{
    ChangeOutcome, GivenRoot, GrantError, GrantedLease, GroupChange, PeerCalls, PeerHandler as _, PeerState,
    ProposeOutcome, RefusedGrant, RootPart,
};
use eunoe_types::{BootId, ConversationId, GroupId, NodeId};
use eunoe_vault::Slot;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt as _};

use super::calls::{boxed, call, open, ready, upload};
use super::coverage::Event;
use super::net::{Host, Net, Process};

const INSTALL_TIMEOUT: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(2);
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// A node's links to the others.
#[derive(Clone)]
pub(super) struct Links {
    net: Net,
    own: NodeId,
}

impl Links {
    /// The links of `own`.
    pub(super) fn new(net: Net, own: NodeId) -> Self {
        Self { net, own }
    }

    fn way(&self, to: NodeId) -> (Host, Host) {
        (Host(self.own.0), Host(to.0))
    }

    /// Asks the node in the process on `to`; where there is none, the answer is `none`.
    async fn ask<T, F>(&self, to: NodeId, timeout: Duration, none: T, serve: F) -> Result<T, TransportError>
    where
        T: Send + 'static,
        F: FnOnce(Core) -> BoxFuture<'static, T> + Send + 'static,
    {
        let serve = move |process: &Process| match process.core.clone() {
            Some(core) => serve(core),
            None => ready(none),
        };
        call(&self.net, self.way(to), timeout, serve).await
    }
}

impl PeerTransport for Links {
    fn call(
        &self,
        to: Target,
        group: GroupId,
        kind: CallKind,
        body: Bytes,
        timeout: Duration,
    ) -> BoxFuture<'static, Result<Bytes, TransportError>> {
        let links = self.clone();
        boxed(async move {
            let serve = move |core: Core| {
                boxed(async move {
                    let answer = core.raft().handle_call(group, kind, body).await;
                    answer.map_err(|_| TransportError::Refused)
                })
            };
            links
                .ask(to.id, timeout, Err(TransportError::Refused), serve)
                .await?
        })
    }

    fn open_append_stream(
        &self,
        to: Target,
        group: GroupId,
        requests: BoxStream<'static, Bytes>,
        connect_timeout: Duration,
    ) -> BoxFuture<'static, Result<BoxStream<'static, Result<Bytes, TransportError>>, TransportError>> {
        let (net, way) = (self.net.clone(), self.way(to.id));
        let serve = move |process: &Process, requests: BoxStream<'static, Bytes>| {
            let core = process.core.clone();
            let answers = core.and_then(|core| core.raft().handle_append_stream(group, requests).ok());
            let answers = answers.map(|answers| {
                answers
                    .map(|answer| answer.map_err(|_| TransportError::Refused))
                    .boxed()
            });
            ready(answers.ok_or(TransportError::Refused))
        };
        boxed(async move {
            let answers = open(&net, way, connect_timeout, requests, serve).await??;
            Ok(answers.map(|answer| answer?).boxed())
        })
    }

    fn send_snapshot(
        &self,
        to: Target,
        group: GroupId,
        header: Bytes,
        chunks: BoxStream<'static, Result<Bytes, std::io::Error>>,
        timeout: Duration,
    ) -> BoxFuture<'static, Result<Bytes, TransportError>> {
        let (net, way) = (self.net.clone(), self.way(to.id));
        let serve = move |process: &Process, chunks: BoxStream<'static, Result<Bytes, std::io::Error>>| {
            let core = process.core.clone();
            boxed(async move {
                let core = core.ok_or(TransportError::Refused)?;
                let installed = core.raft().handle_snapshot(group, header, chunks).await;
                installed.map_err(|_| TransportError::Refused)
            })
        };
        boxed(async move {
            let answer = upload(&net, way, timeout, chunks, serve).await?;
            if answer.is_ok() {
                net.count(Event::SnapshotSent);
            }
            answer
        })
    }
}

#[tonic::async_trait]
impl PeerCalls for Links {
    async fn propose(
        &self,
        to: NodeId,
        group: GroupId,
        command: Bytes,
        deadline: Duration,
    ) -> ProposeOutcome {
        let from = self.own;
        let serve =
            move |core: Core| boxed(async move { core.handler().propose(from, group, command).await });
        match self
            .ask(to, deadline, ProposeOutcome::NotLeader(None), serve)
            .await
        {
            Ok(outcome) => outcome,
            Err(TransportError::Unreachable) => ProposeOutcome::Unreachable,
            Err(_) => ProposeOutcome::Unknown,
        }
    }

    async fn change_group(
        &self,
        to: NodeId,
        group: GroupId,
        change: GroupChange,
        deadline: Duration,
    ) -> ChangeOutcome {
        let from = self.own;
        let serve =
            move |core: Core| boxed(async move { core.handler().change_group(from, group, change).await });
        match self
            .ask(to, deadline, ChangeOutcome::NotLeader(None), serve)
            .await
        {
            Ok(outcome) => outcome,
            Err(TransportError::Unreachable) => ChangeOutcome::Unreachable,
            Err(_) => ChangeOutcome::Unknown,
        }
    }

    async fn release_root(
        &self,
        from: NodeId,
        part: RootPart,
        slot: Slot,
        boot_id: BootId,
        timeout: Duration,
    ) -> Result<SecretBytes, GrantError> {
        let own = self.own;
        let serve = move |core: Core| {
            boxed(async move { core.handler().release_root(own, part, slot, boot_id).await })
        };
        Ok(self
            .ask(from, timeout, Err(RefusedGrant::Sealed), serve)
            .await??)
    }

    async fn cosign(
        &self,
        to: NodeId,
        checkpoint: String,
        timeout: Duration,
    ) -> Result<Option<String>, TransportError> {
        let serve = move |core: Core| boxed(async move { core.handler().cosign(&checkpoint).await });
        self.ask(to, timeout, None, serve).await
    }

    async fn install_root(&self, to: NodeId, given: GivenRoot) -> Result<(), TransportError> {
        let from = self.own;
        let serve = move |core: Core| boxed(async move { core.handler().install_root(from, given).await });
        let installed = self
            .ask(to, INSTALL_TIMEOUT, Err(RefusedGrant::Sealed), serve)
            .await?;
        installed.map_err(|_| TransportError::Refused)
    }

    async fn renew_lease(&self, to: NodeId, timeout: Duration) -> Result<GrantedLease, TransportError> {
        let from = self.own;
        let serve = move |core: Core| boxed(async move { core.handler().renew_lease(from).await });
        let granted = self.ask(to, timeout, Err(RefusedGrant::Sealed), serve).await?;
        granted.map_err(|_| TransportError::Refused)
    }

    async fn await_applied(
        &self,
        to: NodeId,
        control_index: u64,
        timeout: Duration,
    ) -> Result<(), TransportError> {
        let serve = move |core: Core| boxed(async move { core.handler().await_applied(control_index).await });
        let applied = self.ask(to, timeout, false, serve).await?;
        applied.then_some(()).ok_or(TransportError::Refused)
    }

    async fn relay_typing(
        &self,
        to: NodeId,
        conversation: ConversationId,
        participant: u32,
        active: bool,
    ) -> Result<(), TransportError> {
        let serve = move |core: Core| {
            boxed(async move {
                core.handler()
                    .relay_typing(conversation, participant, active)
                    .await
            })
        };
        self.ask(to, PING_TIMEOUT, (), serve).await
    }

    async fn ping(&self, to: NodeId) -> Result<PeerState, TransportError> {
        let from = self.own;
        let serve = move |core: Core| boxed(async move { Some(core.handler().state(from)) });
        let state = self.ask(to, PING_TIMEOUT, None, serve).await?;
        state.ok_or(TransportError::Refused)
    }

    async fn retire(&self, to: NodeId) -> Result<(), TransportError> {
        let from = self.own;
        let serve = move |core: Core| boxed(async move { core.handler().retire(from).await });
        let said = self.ask(to, DRAIN_TIMEOUT, false, serve).await?;
        said.then_some(()).ok_or(TransportError::Refused)
    }

    async fn drain(&self, to: NodeId) -> Result<Vec<GroupId>, TransportError> {
        let serve = move |core: Core| boxed(async move { core.handler().drain().await });
        self.ask(to, DRAIN_TIMEOUT, Vec::new(), serve).await
    }
}
