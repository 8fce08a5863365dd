//! Getting a command to the leader and its reply back, over leader changes.

use std::time::Duration;

use bytes::Bytes;
use eunoe_raft::{GroupHandle, ProposeError};
use eunoe_types::NodeId;
use tokio::time::{Instant, sleep_until};

use super::{SubmitError, news};
use crate::peer::{Peers, ProposeOutcome};

const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_millis(250);
/// A forwarded command that got no answer for so long is tried again.
const FORWARD_TIMEOUT: Duration = Duration::from_secs(5);

/// Proposes until a reply comes or `deadline` passes. A command may take effect more than once.
pub(super) async fn propose(
    group: &GroupHandle,
    peers: &Peers,
    command: Bytes,
    deadline: Instant,
) -> Result<Bytes, SubmitError> {
    let mut leadership = group.watch_leadership();
    let mut pause = PAUSE_MIN;
    let mut unknown = false;
    loop {
        leadership.mark_unchanged();
        match attempt(group, peers, command.clone(), deadline).await {
            Attempt::Reply(reply) => return Ok(reply),
            Attempt::Stopped if unknown => return Err(SubmitError::Unknown),
            Attempt::Stopped => return Err(SubmitError::Stopped),
            Attempt::Unknown => unknown = true,
            Attempt::NoEffect => {}
        }
        if Instant::now() + pause >= deadline {
            return Err(if unknown {
                SubmitError::Unknown
            } else {
                SubmitError::NoLeader
            });
        }
        // A new leader is worth an attempt at once.
        news(&mut leadership, pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

enum Attempt {
    Reply(Bytes),
    NoEffect,
    Unknown,
    Stopped,
}

async fn attempt(group: &GroupHandle, peers: &Peers, command: Bytes, deadline: Instant) -> Attempt {
    let now = group.leadership();
    match now.leader {
        _ if now.is_leader => {
            // A leader that lost its majority answers nothing for long: the caller's time is bounded here.
            tokio::select! {
                biased;
                proposed = group.propose(command) => local(proposed),
                () = sleep_until(deadline) => Attempt::Unknown,
            }
        }
        Some(leader) => forward(group, peers, leader, command, deadline).await,
        None => Attempt::NoEffect,
    }
}

fn local(proposed: Result<Bytes, ProposeError>) -> Attempt {
    match proposed {
        Ok(reply) => Attempt::Reply(reply),
        Err(ProposeError::Unknown) => Attempt::Unknown,
        Err(ProposeError::Stopped) => Attempt::Stopped,
        Err(ProposeError::NotLeader { .. } | ProposeError::Overloaded | ProposeError::TooLarge { .. }) => {
            Attempt::NoEffect
        }
    }
}

async fn forward(
    group: &GroupHandle,
    peers: &Peers,
    leader: NodeId,
    command: Bytes,
    deadline: Instant,
) -> Attempt {
    let left = deadline
        .saturating_duration_since(Instant::now())
        .min(FORWARD_TIMEOUT);
    match peers.propose(leader, group.id(), command, left).await {
        ProposeOutcome::Reply(reply) => Attempt::Reply(reply),
        ProposeOutcome::Unknown => Attempt::Unknown,
        ProposeOutcome::NotLeader(_) | ProposeOutcome::Overloaded | ProposeOutcome::Unreachable => {
            Attempt::NoEffect
        }
    }
}
