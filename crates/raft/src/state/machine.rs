//! openraft's state machine over a [`Machine`] and a state engine.
//!
//! Entries are applied in batches: one transaction and one commit with the position per batch, and only then the
//! effects and the replies, so that nobody is told of what a crash could still take back.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use eunoe_core::{Effect, Machine, Txn};
use eunoe_types::{Fault, GroupId, LogPosition};
use futures::{FutureExt, Stream, StreamExt};
use openraft::storage::{ApplyResponder, EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend};
use tokio::sync::Mutex;

use super::{Builder, GroupState, SnapshotDir, Snapshots, StateObserver};
use crate::alive::Alive;
use crate::codec::{decode_applied, encode_applied};
use crate::types::{Entry, LogId, Reply, SnapshotMeta, StoredMembership, TypeConfig, position};
use crate::{Blocking, watch};

/// Entries of one batch.
const BATCH_ENTRIES_MAX: usize = 256;
/// Bytes of commands of one batch; the last one may cross it.
const BATCH_BYTES_MAX: usize = 1024 * 1024;

type Snapshot = openraft::alias::SnapshotOf<TypeConfig, SnapshotDir>;
type Item = (Entry, Option<ApplyResponder<TypeConfig>>);

/// The state machine of one group.
pub(crate) struct StateMachine {
    group: GroupId,
    machine: Arc<dyn Machine>,
    state: Arc<dyn GroupState>,
    observer: Arc<dyn StateObserver>,
    snapshots: Arc<Snapshots>,
    /// Held while a batch is committed and while a checkpoint is taken, so that a snapshot's position is exact.
    gate: Arc<Mutex<()>>,
    applied: watch::Sender<Option<LogPosition>>,
    members: StoredMembership,
    alive: Alive,
}

/// What a batch gave.
#[derive(Default)]
struct Outcome {
    last: Option<LogId>,
    members: Option<StoredMembership>,
    effects: Vec<Effect>,
    replies: Vec<Bytes>,
}

impl StateMachine {
    /// The state machine, and a watch of its applied position.
    pub(crate) fn new(
        group: GroupId,
        machine: Arc<dyn Machine>,
        state: Arc<dyn GroupState>,
        snapshots: Arc<Snapshots>,
        observer: Arc<dyn StateObserver>,
        alive: Alive,
    ) -> Result<(Self, watch::Receiver<Option<LogPosition>>), Fault> {
        let (last, members) = stored_position(&*state)?;
        let (applied, receiver) = watch::channel(last.as_ref().map(position));
        let gate = Arc::new(Mutex::new(()));
        Ok((
            Self {
                group,
                machine,
                state,
                observer,
                snapshots,
                gate,
                applied,
                members,
                alive,
            },
            receiver,
        ))
    }

    /// The last entry that the state holds.
    pub(crate) fn last_applied(&self) -> Result<Option<LogId>, Fault> {
        Ok(stored_position(&*self.state)?.0)
    }

    /// The last entry that the current snapshot holds.
    pub(crate) fn last_snapshot(&self) -> Option<LogId> {
        self.snapshots.current()?.last().copied()
    }

    /// Makes a snapshot of what is applied.
    pub(crate) async fn make_snapshot(&self) -> Result<(), Fault> {
        self.builder().build().await.map(drop)
    }

    async fn apply_batch(&mut self, batch: Vec<Item>) -> Result<(), Fault> {
        let (entries, responders): (Vec<Entry>, Vec<_>) = batch.into_iter().unzip();
        let mut outcome = Outcome::default();
        let gate = self.gate.lock().await;
        self.state.commit(&mut |view| {
            outcome = Outcome::default();
            let mut txn = Txn::new(view);
            for entry in &entries {
                self.apply_entry(&mut txn, entry, &mut outcome)?;
            }
            let members = outcome.members.as_ref().unwrap_or(&self.members);
            let applied = encode_applied(outcome.last.as_ref(), members);
            Ok((txn.into_changes(), applied))
        })?;
        drop(gate);
        self.announce(outcome, responders);
        Ok(())
    }

    fn apply_entry(&self, txn: &mut Txn<'_>, entry: &Entry, outcome: &mut Outcome) -> Result<(), Fault> {
        let mut reply = Bytes::new();
        match &entry.payload {
            EntryPayload::Blank => {}
            EntryPayload::Normal(command) => {
                let applied = self.machine.apply(txn, position(&entry.log_id), &command.0)?;
                outcome.effects.extend(applied.effects);
                reply = applied.reply.into();
            }
            EntryPayload::Membership(members) => {
                outcome.members = Some(StoredMembership::new(Some(entry.log_id), members.clone()));
            }
        }
        outcome.replies.push(reply);
        outcome.last = Some(entry.log_id);
        Ok(())
    }

    /// Tells everybody, after the commit: the observer, then those who wait for a position, then those who proposed.
    /// The observer is first, so that whoever passes a barrier meets what it made of the state.
    fn announce(&mut self, outcome: Outcome, responders: Vec<Option<ApplyResponder<TypeConfig>>>) {
        if let Some(members) = outcome.members {
            self.members = members;
        }
        if !outcome.effects.is_empty() {
            self.observer.applied(self.group, &outcome.effects);
        }
        self.applied.send_replace(outcome.last.as_ref().map(position));
        for (responder, reply) in responders.into_iter().zip(outcome.replies) {
            if let Some(responder) = responder {
                responder.send(Reply(reply));
            }
        }
    }

    async fn replace(&mut self, meta: &SnapshotMeta, snapshot: SnapshotDir) -> Result<(), Fault> {
        let snapshots = Arc::clone(&self.snapshots);
        let how = snapshots.blocking();
        let prepared = blocking(how, move || snapshots.prepare_install(&snapshot)).await?;
        self.observer.replacing(self.group);
        let gate = Arc::clone(&self.gate).lock_owned().await;
        let state = Arc::clone(&self.state);
        let (last, members) = blocking(how, move || {
            let _gate = gate;
            state.replace(&prepared)?;
            stored_position(&*state)
        })
        .await?;
        if (&last, &members) != (&meta.last_log_id, &meta.last_membership) {
            return Err(Fault::broken(
                "the snapshot holds another position than it was said to",
            ));
        }
        self.members = members;
        self.observer.replaced(self.group);
        self.applied.send_replace(last.as_ref().map(position));
        Ok(())
    }

    fn builder(&self) -> Builder {
        Builder::new(
            Arc::clone(&self.state),
            Arc::clone(&self.snapshots),
            Arc::clone(&self.gate),
            self.alive.clone(),
        )
    }
}

/// The position that a state was brought to.
pub(super) fn stored_position(state: &dyn GroupState) -> Result<(Option<LogId>, StoredMembership), Fault> {
    match state.applied()? {
        Some(applied) => Ok(decode_applied(&applied)?),
        None => Ok((None, StoredMembership::default())),
    }
}

/// Runs what blocks for long.
pub(super) async fn blocking<T: Send + 'static>(
    how: Blocking,
    run: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    match how.run(run).await {
        Ok(result) => result,
        Err(panicked) => Err(Fault::broken(panicked.to_string())),
    }
}

/// Takes what is ready, up to the bounds of a batch, behind `first`.
async fn gather<S>(first: Item, entries: &mut S) -> Result<Vec<Item>, io::Error>
where
    S: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin,
{
    let mut bytes = command_bytes(&first.0);
    let mut batch = vec![first];
    while batch.len() < BATCH_ENTRIES_MAX && bytes < BATCH_BYTES_MAX {
        let Some(Some(next)) = entries.next().now_or_never() else {
            break;
        };
        let next = next?;
        bytes += command_bytes(&next.0);
        batch.push(next);
    }
    Ok(batch)
}

fn command_bytes(entry: &Entry) -> usize {
    match &entry.payload {
        EntryPayload::Normal(command) => command.0.len(),
        EntryPayload::Blank | EntryPayload::Membership(_) => 0,
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = SnapshotDir;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        Ok(stored_position(&*self.state)?)
    }

    async fn apply<S>(&mut self, entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        let mut entries = entries.fuse();
        while let Some(first) = entries.next().await {
            let batch = gather(first?, &mut entries).await?;
            self.apply_batch(batch).await?;
            // A long backlog must not keep other tasks from their turn.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        self.builder()
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: SnapshotDir,
    ) -> Result<(), io::Error> {
        Ok(self.replace(meta, snapshot).await?)
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        Ok(self.snapshots.current().map(SnapshotDir::into_snapshot))
    }
}
