//! Gathers keys to create into commands of the control group.

use std::sync::Arc;

use eunoe_core::control::{Command, KeyOutcome, Rejection, Reply};
use eunoe_custody::PreparedKey;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::edge::{ApiError, ApiResult};
use crate::groups::{Groups, SubmitError};
use crate::surroundings;

/// Keys that may wait.
const QUEUE: usize = 4_096;
/// Keys of one command: some 300 KiB.
const COMMAND_KEYS: usize = 512;

struct Pending {
    key: PreparedKey,
    outcome: oneshot::Sender<Result<KeyOutcome, SubmitError>>,
}

/// The way to a task that creates keys.
pub(super) struct Creator {
    queue: mpsc::Sender<Pending>,
}

impl Creator {
    /// Starts the task. It ends when the creator is dropped.
    pub(super) fn start(groups: Arc<Groups>, tasks: &TaskTracker) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        tasks.spawn(run(groups, waiting));
        Self { queue }
    }

    /// Creates a key, or learns that something is in its place.
    ///
    /// An attempt that was repeated may answer `Exists` for the very key that it created: look it up again.
    pub(super) async fn create(&self, key: PreparedKey) -> ApiResult<KeyOutcome> {
        let (outcome, created) = oneshot::channel();
        self.queue
            .try_send(Pending { key, outcome })
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => {
                    ApiError::exhausted("OVERLOADED", "too many keys wait to be created", 50)
                }
                mpsc::error::TrySendError::Closed(_) => SubmitError::Stopped.into(),
            })?;
        match created.await {
            Ok(Ok(outcome)) => Ok(outcome),
            // A key that was created without anybody's knowledge is found by the next attempt: no effect that
            // the caller could see.
            Ok(Err(SubmitError::Unknown)) => Err(ApiError::unavailable(
                "KEY_NOT_CREATED",
                "a key was not created in time; try again",
            )),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(SubmitError::Stopped.into()),
        }
    }
}

async fn run(groups: Arc<Groups>, mut waiting: mpsc::Receiver<Pending>) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, COMMAND_KEYS).await > 0 {
        let keys = batch.iter().map(|pending| pending.key.as_new_key()).collect();
        let command = Command::CreateKeys {
            time: surroundings::now(),
            keys,
        }
        .encode();
        let outcomes = match groups.propose_control(command.into()).await {
            Ok(reply) => outcomes(&reply, batch.len()),
            Err(error) => Err(error),
        };
        for (index, pending) in batch.drain(..).enumerate() {
            let outcome = outcomes
                .as_ref()
                .map(|outcomes| outcomes[index])
                .map_err(|error| *error);
            // A caller that is gone needs no answer.
            let _gone = pending.outcome.send(outcome);
        }
    }
}

fn outcomes(reply: &[u8], expected: usize) -> Result<Vec<KeyOutcome>, SubmitError> {
    match Reply::decode(reply) {
        Ok(Reply::Keys(outcomes)) if outcomes.len() == expected => Ok(outcomes),
        Ok(Reply::Rejected(Rejection::NoGenesis)) => Err(SubmitError::NoLeader),
        Ok(_) | Err(_) => Err(SubmitError::Unknown),
    }
}
