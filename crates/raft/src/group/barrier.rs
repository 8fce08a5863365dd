//! The read barrier: a position that every read which began before it must have applied.
//!
//! One round is in flight per group. Whoever comes while it runs waits for the next one: a round answers only
//! those who were there before it began, because only for them does its position prove anything.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eunoe_types::sabotage::{self, Sabotage};
use eunoe_types::{GroupId, LogPosition};
use openraft::ReadPolicy;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::RaftError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::GroupHandle;
use crate::codec::decode_log_id;
use crate::types::{GroupRaft, LogId, position};
use crate::{CallKind, Channel, PeerTransport, ReadError, Target};

/// Readers of one group that may wait at once.
const READERS_MAX: usize = 16_384;
/// The pause before a round that found no leader is tried again, unless the leader changes earlier.
const RETRY_PAUSE: Duration = Duration::from_millis(25);

/// Why a round gave no position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoundError {
    /// No leader answered.
    NoLeader,
    /// Too many readers wait.
    Overloaded,
    /// The group is stopped.
    Stopped,
}

struct Waiter {
    /// Set by a follower's request: another node must not be asked in its name.
    here_only: bool,
    answer: oneshot::Sender<Result<LogId, RoundError>>,
}

/// The way into the rounds of a group.
pub(crate) struct Barrier {
    tx: mpsc::Sender<Waiter>,
}

/// Runs the rounds of a group.
pub(crate) struct Rounds {
    rx: mpsc::Receiver<Waiter>,
    group: GroupId,
    raft: GroupRaft,
    transport: Arc<dyn PeerTransport>,
    timeout: Duration,
}

impl Barrier {
    /// A barrier and the task that serves it. A round that takes longer than `timeout` has failed.
    pub(crate) fn new(
        group: GroupId,
        raft: GroupRaft,
        transport: Arc<dyn PeerTransport>,
        timeout: Duration,
    ) -> (Self, Rounds) {
        let (tx, rx) = mpsc::channel(READERS_MAX);
        (
            Self { tx },
            Rounds {
                rx,
                group,
                raft,
                transport,
                timeout,
            },
        )
    }

    /// The position of a round that begins after this call.
    pub(crate) async fn position(&self, here_only: bool) -> Result<LogId, RoundError> {
        let (answer, position) = oneshot::channel();
        self.tx
            .try_send(Waiter { here_only, answer })
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => RoundError::Overloaded,
                mpsc::error::TrySendError::Closed(_) => RoundError::Stopped,
            })?;
        position.await.unwrap_or(Err(RoundError::Stopped))
    }
}

impl Rounds {
    /// Serves rounds until the group's handles are gone.
    pub(crate) async fn run(mut self) {
        let mut waiters = Vec::new();
        while self.rx.recv_many(&mut waiters, READERS_MAX).await > 0 {
            let metrics = self.raft.metrics().borrow_watched().clone();
            if metrics.state.is_leader() {
                let position = self.ask_here().await;
                answer(waiters.drain(..), position);
                continue;
            }
            let (here_only, anywhere) = waiters.drain(..).partition::<Vec<_>, _>(|w| w.here_only);
            answer(here_only, Err(RoundError::NoLeader));
            if !anywhere.is_empty() {
                let leader = metrics.current_leader;
                let node = leader.and_then(|id| metrics.membership_config.get_node(&id).cloned());
                answer(anywhere, self.ask(crate::types::leader(leader, node)).await);
            }
        }
    }

    /// Confirms with a majority that this node leads now. Never by a lease: a restarted voter does not know of it.
    async fn ask_here(&self) -> Result<LogId, RoundError> {
        let round = self.raft.get_read_linearizer(ReadPolicy::ReadIndex);
        match tokio::time::timeout(self.timeout, round).await {
            Ok(Ok(linearizer)) => Ok(*linearizer.read_log_id().log_id()),
            Ok(Err(RaftError::Fatal(_))) => Err(RoundError::Stopped),
            Ok(Err(RaftError::APIError(_))) | Err(_) => Err(RoundError::NoLeader),
        }
    }

    async fn ask(&self, leader: Option<(eunoe_types::NodeId, crate::Node)>) -> Result<LogId, RoundError> {
        let (id, node) = leader.ok_or(RoundError::NoLeader)?;
        let to = Target {
            id,
            node,
            channel: Channel::Control,
        };
        let call = self
            .transport
            .call(to, self.group, CallKind::ReadPosition, Bytes::new(), self.timeout);
        match tokio::time::timeout(self.timeout, call).await {
            Ok(Ok(bytes)) => decode_log_id(&bytes).map_err(|_| RoundError::NoLeader),
            Ok(Err(_)) | Err(_) => Err(RoundError::NoLeader),
        }
    }
}

fn answer(waiters: impl IntoIterator<Item = Waiter>, position: Result<LogId, RoundError>) {
    for waiter in waiters {
        // A reader that gave up is no loss.
        let _ = waiter.answer.send(position);
    }
}

impl GroupHandle {
    /// Waits until this node has applied everything that was committed when this was called, and says how far
    /// that was: a read that begins now is linearizable.
    ///
    /// While there is no leader it waits for one, until `timeout`.
    pub async fn read_barrier(&self, timeout: Duration) -> Result<LogPosition, ReadError> {
        if sabotage::is(self.skipped_barrier()) {
            return Ok(self.applied().unwrap_or_default());
        }
        let deadline = Instant::now() + timeout;
        let id = match tokio::time::timeout_at(deadline, self.confirmed()).await {
            Ok(confirmed) => confirmed?,
            Err(_) => return Err(ReadError::Timeout),
        };
        self.wait_applied(id.index, deadline.saturating_duration_since(Instant::now()))
            .await?;
        Ok(position(&id))
    }

    fn skipped_barrier(&self) -> Sabotage {
        match self.id() {
            GroupId::CONTROL => Sabotage::SkipControlBarrier,
            _ => Sabotage::StaleRead,
        }
    }

    /// Repeats rounds until one gives a position.
    async fn confirmed(&self) -> Result<LogId, ReadError> {
        let mut leadership = self.watch_leadership();
        loop {
            leadership.mark_unchanged();
            match self.inner.barrier.position(false).await {
                Ok(id) => return Ok(id),
                Err(RoundError::Overloaded) => return Err(ReadError::Overloaded),
                Err(RoundError::Stopped) => return Err(ReadError::Stopped),
                Err(RoundError::NoLeader) => {}
            }
            if let Ok(Err(_)) = tokio::time::timeout(RETRY_PAUSE, leadership.changed()).await {
                return Err(ReadError::Stopped);
            }
        }
    }
}
