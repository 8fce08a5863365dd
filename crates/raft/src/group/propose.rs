//! Proposals.

use bytes::Bytes;
use eunoe_core::Txn;
use eunoe_types::LogPosition;
use eunoe_types::limits::COMMAND_BYTES_MAX;
use eunoe_types::sabotage::{self, Sabotage};
use openraft::errors::{ClientWriteError, ForwardToLeader};
use openraft::raft::ClientWriteResult;
use tokio::sync::oneshot;

use super::{GroupHandle, Responder};
use crate::ProposeError;
use crate::types::{Command, TypeConfig, leader};

type Outcome = oneshot::Receiver<ClientWriteResult<TypeConfig>>;

impl GroupHandle {
    /// Proposes `command` and awaits the machine's reply, which comes after the command is committed on a
    /// majority and applied on this node.
    ///
    /// Dropping the future does not take the proposal back.
    pub async fn propose(&self, command: Bytes) -> Result<Bytes, ProposeError> {
        // Of data groups: nobody would find a key that the control group only says it has.
        if sabotage::is(Sabotage::AckBeforeCommit)
            && !self.id().is_control()
            && let Some(reply) = self.answer_early(&command)
        {
            return Ok(reply);
        }
        let outcome = self.submit(command).await?;
        await_outcome(outcome).await
    }

    /// Breaks the promise of [`Self::propose`]: a leader answers what the machine would answer now, while the
    /// proposal goes its way.
    fn answer_early(&self, command: &Bytes) -> Option<Bytes> {
        let now = self.leadership();
        if !now.is_leader {
            return None;
        }
        let at = LogPosition {
            term: now.term,
            index: self.metrics().last_log_index? + 1,
        };
        let machine = &self.inner.machine;
        let applied = self.with_view(|view| machine.apply(&mut Txn::new(view), at, command));
        let reply = applied.ok()?.ok()?.reply;
        let (group, command) = (self.clone(), command.clone());
        tokio::spawn(async move { group.submit(command).await.map(drop) });
        Some(reply.into())
    }

    /// Proposes commands that enter the log in this order, though others may come between them.
    pub async fn propose_many(&self, commands: Vec<Bytes>) -> Vec<Result<Bytes, ProposeError>> {
        let mut outcomes = Vec::with_capacity(commands.len());
        for command in commands {
            outcomes.push(self.submit(command).await);
        }
        let mut replies = Vec::with_capacity(outcomes.len());
        for outcome in outcomes {
            replies.push(match outcome {
                Ok(outcome) => await_outcome(outcome).await,
                Err(error) => Err(error),
            });
        }
        replies
    }

    /// Hands a command to openraft. An error means that it was not handed over.
    async fn submit(&self, command: Bytes) -> Result<Outcome, ProposeError> {
        if command.len() > COMMAND_BYTES_MAX {
            return Err(ProposeError::TooLarge {
                max: COMMAND_BYTES_MAX,
            });
        }
        let permit = self
            .inner
            .admission
            .enter(command.len())
            .ok_or(ProposeError::Overloaded)?;
        let (responder, outcome) = Responder::new(permit);
        let sent = self
            .inner
            .raft
            .client_write_ff(Command(command), Some(responder))
            .await;
        sent.map_err(|_| ProposeError::Stopped)?;
        Ok(outcome)
    }
}

async fn await_outcome(outcome: Outcome) -> Result<Bytes, ProposeError> {
    match outcome.await {
        Ok(Ok(response)) => Ok(response.data.0),
        Ok(Err(error)) => Err(propose_error(error)),
        // openraft's core is gone, and whether it had written the entry before is not known.
        Err(_) => Err(ProposeError::Unknown),
    }
}

fn propose_error(error: ClientWriteError<TypeConfig>) -> ProposeError {
    match error {
        // openraft answers so before it appends, and only then (raft_core.rs, write_entries).
        ClientWriteError::ForwardToLeader(ForwardToLeader {
            leader_id,
            leader_node,
            ..
        }) => ProposeError::NotLeader {
            leader: leader(leader_id, leader_node),
        },
        // It was in the log and was cut off or passed over by a snapshot: another leader may have kept it.
        ClientWriteError::LogEntryDiscarded(_) => ProposeError::Unknown,
        // Answers to changes of members; a proposal gets neither.
        ClientWriteError::ChangeMembershipError(_) | ClientWriteError::PreconditionFailed(_) => {
            ProposeError::Unknown
        }
    }
}
