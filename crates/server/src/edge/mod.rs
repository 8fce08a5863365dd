//! The edge: what a call of the chat service means, from checked input to an answer. Here content is sealed before
//! anything is proposed, and opened after the control barrier; nothing below this module sees it.

mod append;
mod cache;
mod cancelling;
mod content;
mod conversations;
mod erasures;
mod error;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod guard;
mod hub;
mod opening;
mod outbox;
mod places;
mod quota;
mod read;
mod sequence;
mod tail;
mod tickets;
mod tokens;
mod typing;

use std::cell::RefCell;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use eunoe_core::control;
use eunoe_core::data::ParticipantKind;
use eunoe_crypto::{Entropy, PooledEntropy};
use eunoe_custody::Tenant;
use eunoe_raft::GroupHandle;
use eunoe_types::{ConversationId, Incarnation, LogPosition, Seq, TenantId};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::places::TailPlaces;
use crate::groups::{Groups, Submitted};
use crate::keys::{self, Keys};
use crate::peer::Peers;
use crate::surroundings::SystemEntropy;
use crate::telemetry::{self, Stage, metrics};

pub use append::{Ack, MessageInput};
pub use cancelling::ErasureCanceller;
pub use content::{PartContent, PartInput};
pub use conversations::{ConversationView, NewConversation};
pub use erasures::{ErasureRequest, ErasureTarget, ErasureView, ErasureViewer, Requested};
pub use error::{ApiError, ApiResult};
pub use hub::{Hub, TypingNotice};
pub use opening::{MessageView, Opened, PartView, ParticipantView};
pub use places::TailLimits;
pub use quota::Quota;
pub use read::{MessagePage, MessageRef, PageRequest, PageStart};
pub use sequence::Sequencer;
pub use tail::{TailEvent, TailStart};
pub use tokens::Position;

/// How long a call waits for a group's read position.
const BARRIER_TIMEOUT: Duration = keys::BARRIER_TIMEOUT;
/// How long an operation waits for room before its call is refused.
const ROOM_TIMEOUT: Duration = Duration::from_secs(5);

/// Typing notices that may be on their way to other nodes at once.
const RELAYS_MAX: usize = 256;

/// Somebody as a caller names them.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// The tenant's reference.
    pub subject: String,
    /// The role.
    pub kind: ParticipantKind,
}

/// Which conversations of a tenant a caller may read.
#[derive(Clone, PartialEq, Eq)]
pub enum Reader {
    /// All of them.
    Tenant,
    /// Those in which this person takes part.
    Participant(String),
    /// Those in which this person is the one served, or speaks for itself.
    Visitor(String),
}

/// How a caller names a conversation.
pub enum ConversationName {
    /// By the server's id.
    Id(ConversationId),
    /// By the tenant's own reference.
    ExternalRef(String),
}

/// The edge of one node. Clones share it.
#[derive(Clone)]
pub struct Edge {
    inner: Arc<Inner>,
}

struct Inner {
    groups: Arc<Groups>,
    keys: Keys,
    peers: Peers,
    hub: Arc<Hub>,
    quota: Quota,
    tails: Arc<TailPlaces>,
    cache: cache::Cache,
    incarnation: OnceLock<Incarnation>,
    /// Room for typing notices on their way to other nodes.
    relays: Arc<Semaphore>,
    stopping: CancellationToken,
}

impl Edge {
    /// An edge over groups and keys. Long calls end when `stopping` is cancelled.
    pub fn new(
        groups: Arc<Groups>,
        keys: Keys,
        peers: Peers,
        hub: Arc<Hub>,
        quota: Quota,
        tails: TailLimits,
        stopping: CancellationToken,
    ) -> Self {
        let inner = Inner {
            groups,
            keys,
            peers,
            hub,
            quota,
            tails: Arc::new(TailPlaces::new(tails)),
            cache: cache::Cache::new(),
            incarnation: OnceLock::new(),
            relays: Arc::new(Semaphore::new(RELAYS_MAX)),
            stopping,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// A tenant that has keys: one without has no conversation to be read or appended to.
    async fn known_tenant(&self, id: &TenantId) -> ApiResult<Arc<Tenant>> {
        if let Some(tenant) = self.inner.keys.known_tenant(id)? {
            return Ok(tenant);
        }
        // Another node may have made its keys a moment ago.
        self.inner.keys.barrier().await?;
        let tenant = self.inner.keys.known_tenant(id)?;
        tenant.ok_or_else(|| ApiError::not_found("tenant", "no such tenant"))
    }

    /// Hands in an operation, waiting for room.
    async fn hand_in(&self, conversation: &ConversationId, operation: Vec<u8>) -> ApiResult<Submitted> {
        let deadline = Instant::now() + ROOM_TIMEOUT;
        Ok(self
            .inner
            .groups
            .submit(conversation, operation, deadline)
            .await?)
    }

    /// Passes the barriers of a conversation's group and of the control group, side by side. Nothing is opened
    /// unless both are passed (erasure.md R2).
    async fn barriers(&self, conversation: &ConversationId) -> ApiResult<()> {
        let data = self.barrier_of(self.inner.groups.of(conversation));
        let begun = Instant::now();
        let both = async { tokio::join!(self.inner.keys.barrier(), data) };
        let (control, data) = telemetry::within(Stage::Barrier, &[], both).await;
        telemetry::took(&metrics::BARRIER, begun.elapsed(), &[]);
        control?;
        data?;
        Ok(())
    }

    /// Passes the barrier of one group.
    async fn barrier_of(&self, group: &GroupHandle) -> ApiResult<()> {
        let passed = group.read_barrier(BARRIER_TIMEOUT);
        self.inner.keys.while_held(passed).await??;
        Ok(())
    }

    fn incarnation(&self) -> ApiResult<Incarnation> {
        if let Some(known) = self.inner.incarnation.get() {
            return Ok(*known);
        }
        let genesis = self.inner.groups.control().with_view(control::genesis)??;
        let genesis =
            genesis.ok_or_else(|| ApiError::unavailable("NODE_SEALED", "the realm has not begun"))?;
        Ok(*self.inner.incarnation.get_or_init(|| genesis.incarnation))
    }

    fn position(&self, seq: Seq) -> ApiResult<Position> {
        let applied: Option<LogPosition> = self.inner.groups.control().applied();
        let control_index = applied.map_or(0, |at| at.index);
        Ok(Position {
            incarnation: self.incarnation()?,
            control_index,
            seq,
        })
    }
}

/// Randomness for the nonces of sealed content (never for keys).
fn with_nonces<T>(use_them: impl FnOnce(&mut dyn Entropy) -> T) -> T {
    thread_local! {
        static POOL: RefCell<PooledEntropy<SystemEntropy>> = RefCell::new(PooledEntropy::new(SystemEntropy));
    }
    POOL.with_borrow_mut(|pool| use_them(pool))
}
