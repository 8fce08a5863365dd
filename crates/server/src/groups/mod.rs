//! The node's Raft groups as the edge uses them: commands reach the leader wherever it is, operations of data
//! groups share log entries.

mod changing;
mod lane;
mod proposing;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eunoe_core::data;
use eunoe_raft::{GroupHandle, watch};
use eunoe_types::{ConversationId, GroupId, VirtualShard};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::peer::Peers;
pub use changing::{ChangeError, change, change_here, hand_over};
use lane::Lane;

/// Lanes of one data group. A conversation always takes the same one, and a lane has one command under way at a
/// time, so that nothing overtakes within a conversation even when commands are forwarded.
const LANES: usize = 4;

/// How long a command looks for a leader before it gives up.
pub const PROPOSE_TIMEOUT: Duration = Duration::from_secs(15);

/// Why a command has no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// Too many wait already. It had no effect.
    #[error("too many writes are waiting")]
    Overloaded,
    /// No leader was found in time. It had no effect.
    #[error("no leader was found in time")]
    NoLeader,
    /// It may or may not take effect.
    #[error("the outcome is unknown")]
    Unknown,
    /// The node is stopping. It had no effect.
    #[error("the node is stopping")]
    Stopped,
}

/// Waits for news of `watched`, for `pause` at most. Of what is gone none comes any more: that is no reason to ask again
/// without a pause.
pub(crate) async fn news<T>(watched: &mut watch::Receiver<T>, pause: Duration) {
    let waiting = async {
        if watched.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let _news_or_not = tokio::time::timeout(pause, waiting).await;
}

/// The reply to an operation that was handed in.
pub type Submitted = oneshot::Receiver<Result<data::Reply, SubmitError>>;

/// All groups of this node.
pub struct Groups {
    control: GroupHandle,
    data: Vec<GroupHandle>,
    lanes: Vec<Lane>,
    peers: Peers,
}

impl Groups {
    /// The groups behind their handles; `data[i]` is group `i + 1`. The lanes' tasks end with the groups.
    pub fn new(control: GroupHandle, data: Vec<GroupHandle>, peers: Peers, tasks: &TaskTracker) -> Arc<Self> {
        let lanes = data
            .iter()
            .flat_map(|group| (0..LANES).map(|_| Lane::start(group.clone(), peers.clone(), tasks)))
            .collect();
        Arc::new(Self {
            control,
            data,
            lanes,
            peers,
        })
    }

    /// The control group.
    pub fn control(&self) -> &GroupHandle {
        &self.control
    }

    /// All data groups.
    pub fn data(&self) -> &[GroupHandle] {
        &self.data
    }

    /// All groups, the control group first.
    pub fn all(&self) -> impl Iterator<Item = &GroupHandle> {
        std::iter::once(&self.control).chain(&self.data)
    }

    /// A group by its id.
    pub fn get(&self, id: GroupId) -> Option<&GroupHandle> {
        self.all().find(|group| group.id() == id)
    }

    /// Number of data groups.
    pub fn data_groups(&self) -> u32 {
        u32::try_from(self.data.len()).unwrap_or(u32::MAX)
    }

    /// The data group of a virtual shard.
    pub fn of_shard(&self, shard: VirtualShard) -> &GroupHandle {
        &self.data[self.position(shard)]
    }

    /// The data group of a conversation.
    pub fn of(&self, conversation: &ConversationId) -> &GroupHandle {
        self.of_shard(conversation.shard())
    }

    fn position(&self, shard: VirtualShard) -> usize {
        shard.group(self.data_groups()).0 as usize - 1
    }

    fn lane(&self, conversation: &ConversationId) -> &Lane {
        let spread = usize::from(conversation.as_bytes()[1]) % LANES;
        &self.lanes[self.position(conversation.shard()) * LANES + spread]
    }

    /// Hands in an operation; those of one conversation take effect in the order of these calls. Waits for room
    /// until `deadline`.
    pub async fn submit(
        &self,
        conversation: &ConversationId,
        operation: Vec<u8>,
        deadline: Instant,
    ) -> Result<Submitted, SubmitError> {
        self.lane(conversation).submit(operation, deadline).await
    }

    /// Hands in an operation if there is room now.
    pub fn try_submit(
        &self,
        conversation: &ConversationId,
        operation: Vec<u8>,
    ) -> Result<Submitted, SubmitError> {
        self.lane(conversation).try_submit(operation)
    }

    /// Proposes a command to the control group's leader. It may be tried more than once: only for commands that
    /// are safe to repeat.
    pub async fn propose_control(&self, command: Bytes) -> Result<Bytes, SubmitError> {
        proposing::propose(
            &self.control,
            &self.peers,
            command,
            Instant::now() + PROPOSE_TIMEOUT,
        )
        .await
    }
}
