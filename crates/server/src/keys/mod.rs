//! Keys by the names that callers use, created on first use.
//!
//! A lookup reads applied state of the control group on this node. A name that is not there is created through
//! the control group, many in one command; when another node was faster, its key is used.

mod creator;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use eunoe_core::StateView;
use eunoe_core::control::KeyOutcome;
use eunoe_crypto::{ContentKey, KeyRefs, SecretKey};
use eunoe_custody::{Conversation, HeldKey, Keyring, KeyringError, PreparedKey, Tenant, Unsealed};
use eunoe_types::{ConversationId, Day, Kid, TenantId};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::edge::{ApiError, ApiResult};
use crate::groups::Groups;
use crate::surroundings::{self, SystemEntropy};
use creator::Creator;

/// How long a caller waits for the control group's read position.
pub const BARRIER_TIMEOUT: Duration = Duration::from_secs(5);
/// How often work that waits looks whether the node still has keys.
const HELD_PAUSE: Duration = Duration::from_millis(100);
/// How long a key is tried to be created: an attempt that fails was overtaken by another node or by an epoch.
const CREATE_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause after an attempt that an epoch was in the way of.
const FROZEN_PAUSE: Duration = Duration::from_millis(20);
/// Epochs that may begin while one thing is looked up.
const EPOCHS_MAX: usize = 8;
/// How long a lookup waits for the keyring to follow an epoch that the state has begun: it does so at once, on the thread
/// that applied it.
const FOLLOW_TIMEOUT: Duration = Duration::from_secs(1);
/// Creations of one name exclude each other, so that a burst of messages by a new author makes one key.
const STRIPES: usize = 256;

/// The keys of the node.
pub struct Keys {
    keyring: Arc<Keyring>,
    groups: Arc<Groups>,
    creator: Creator,
    stripes: Vec<Mutex<()>>,
}

/// What a key is looked up by and created for.
enum Name<'a> {
    Tenant(&'a TenantId),
    Subject(&'a Tenant, &'a str),
    Bucket(&'a Tenant, [u8; 4]),
    Conversation(&'a Tenant, Option<Kid>, &'a [u8]),
}

impl Keys {
    /// Keys of `keyring`, which may still be sealed.
    pub fn new(keyring: Arc<Keyring>, groups: Arc<Groups>, tasks: &TaskTracker) -> Self {
        let creator = Creator::start(Arc::clone(&groups), tasks);
        let stripes = (0..STRIPES).map(|_| Mutex::new(())).collect();
        Self {
            keyring,
            groups,
            creator,
            stripes,
        }
    }

    /// The keyring; an error while the node is sealed.
    pub fn unsealed(&self) -> ApiResult<Arc<Unsealed>> {
        Ok(self.keyring.unsealed()?)
    }

    /// Waits until this node knows every rule of the control group that was in effect at the call (erasure.md
    /// R2), and says how far that is. It stands before every open of a ciphertext.
    pub async fn barrier(&self) -> ApiResult<u64> {
        let control = self.groups.control();
        Ok(self
            .while_held(control.read_barrier(BARRIER_TIMEOUT))
            .await??
            .index)
    }

    /// Waits for something, for as long as the node has keys if it has any. Whoever waits may hold on to a tenant's, and
    /// when the lease is over none may be left (erasure.md §4.6).
    pub async fn while_held<T>(&self, wait: impl Future<Output = T>) -> ApiResult<T> {
        let has_keys = self.keyring.unsealed().is_ok();
        let mut wait = pin!(wait);
        loop {
            match tokio::time::timeout(HELD_PAUSE, &mut wait).await {
                Ok(done) => return Ok(done),
                Err(_) if has_keys => drop(self.keyring.unsealed()?),
                Err(_) => {}
            }
        }
    }

    /// Takes something from memory, or looks it up in applied state: most lookups need no view of the state.
    fn held_or<T>(
        &self,
        held: impl FnOnce(&Unsealed) -> Option<T>,
        read: impl Fn(&Unsealed, &dyn StateView) -> Result<Option<T>, KeyringError>,
    ) -> ApiResult<Option<T>> {
        if let Some(held) = held(&*self.keyring.unsealed()?) {
            return Ok(Some(held));
        }
        self.look(read)
    }

    /// Looks something up in applied state.
    fn look<T>(&self, read: impl Fn(&Unsealed, &dyn StateView) -> Result<T, KeyringError>) -> ApiResult<T> {
        let mut unsealed = self.keyring.unsealed()?;
        for _ in 0..EPOCHS_MAX {
            match self.groups.control().with_view(|view| read(&unsealed, view))? {
                // An epoch began in between.
                Err(KeyringError::StaleRoot) => {
                    unsealed = self.keyring.instead_of(&unsealed, FOLLOW_TIMEOUT)?
                }
                found => return Ok(found?),
            }
        }
        Err(KeyringError::StaleRoot.into())
    }

    /// A tenant that has keys already.
    pub fn known_tenant(&self, id: &TenantId) -> ApiResult<Option<Arc<Tenant>>> {
        self.held_or(|keys| keys.held_tenant(id), |keys, view| keys.tenant(view, id))
    }

    /// A tenant; its key is made on first use.
    pub async fn tenant(&self, id: &TenantId) -> ApiResult<Arc<Tenant>> {
        let in_use = |keys: &Unsealed, view: &dyn StateView| {
            let tenant = keys.tenant(view, id)?;
            Ok(tenant.filter(|tenant| !keys.is_fenced(&tenant.key().kid())))
        };
        if let Some(tenant) = self.look(in_use)? {
            return Ok(tenant);
        }
        self.ensure(&Name::Tenant(id)).await?;
        self.known_tenant(id)?
            .ok_or_else(|| ApiError::internal("a tenant's key vanished"))
    }

    /// A subject's kid, if the subject has a key, fenced or not: an erasure is asked about.
    pub fn known_subject(&self, tenant: &Tenant, subject: &str) -> ApiResult<Option<Kid>> {
        self.held_or(
            |keys| keys.held_subject(tenant, subject),
            |keys, view| keys.subject(view, tenant, subject),
        )
    }

    /// All keys in use of a subject's name; several after an erasure was taken back whose name was used again.
    pub fn subjects_in_use(&self, tenant: &Tenant, subject: &str) -> ApiResult<Vec<Kid>> {
        self.look(|keys, view| keys.subjects_in_use(view, tenant, subject))
    }

    /// All keys in use of a tenant's name, as for a subject.
    pub fn tenants_in_use(&self, id: &TenantId) -> ApiResult<Vec<Kid>> {
        self.look(|keys, view| keys.tenants_in_use(view, id))
    }

    /// A subject's kid, if the subject has a key in use: somebody who is erased is as absent as somebody who never was.
    pub fn present_subject(&self, tenant: &Tenant, subject: &str) -> ApiResult<Option<Kid>> {
        let name = Name::Subject(tenant, subject);
        self.held_or(
            |keys| keys.held_subject(tenant, subject),
            |keys, view| name.find(keys, view),
        )
    }

    /// A subject's kid; the key is made on first use, and anew after an erasure.
    pub async fn subject(&self, tenant: &Tenant, subject: &str) -> ApiResult<Kid> {
        match self.present_subject(tenant, subject)? {
            Some(kid) => Ok(kid),
            None => self.ensure(&Name::Subject(tenant, subject)).await,
        }
    }

    /// The kid of a day's retention bucket; the key is made on first use.
    pub async fn bucket(&self, tenant: &Tenant, day: Day) -> ApiResult<Kid> {
        let day = day.0.to_be_bytes();
        let name = Name::Bucket(tenant, day);
        let in_use = self.held_or(
            |keys| keys.held_bucket(tenant, &day),
            |keys, view| name.find(keys, view),
        )?;
        match in_use {
            Some(kid) => Ok(kid),
            None => self.ensure(&name).await,
        }
    }

    /// The conversation that `reference` leads to, if there is one.
    pub fn known_conversation(&self, tenant: &Tenant, reference: &[u8]) -> ApiResult<Option<ConversationId>> {
        self.look(|keys, view| keys.conversation_id(view, tenant, reference))
    }

    /// The conversation that `reference` leads to; its key, and with it its id, is made on first use, and anew after
    /// an erasure.
    pub async fn conversation(
        &self,
        tenant: &Tenant,
        principal: Option<Kid>,
        reference: &[u8],
    ) -> ApiResult<ConversationId> {
        let kid = self
            .ensure(&Name::Conversation(tenant, principal, reference))
            .await?;
        Ok(ConversationId(kid.0))
    }

    /// The keys of a conversation; none when it is erased or not known here yet.
    pub fn of_conversation(&self, id: &ConversationId) -> ApiResult<Option<Arc<Conversation>>> {
        self.held_or(
            |keys| keys.held_conversation(id),
            |keys, view| keys.conversation(view, id),
        )
    }

    /// The blind of a key's public commitment; none when the key is erased or not known here yet.
    pub fn blind(&self, kid: Kid) -> ApiResult<Option<SecretKey>> {
        self.look(|keys, view| keys.blind(view, kid))
    }

    /// A record key; none when it is erased or not known here yet.
    pub fn key(&self, kid: Kid) -> ApiResult<Option<Arc<HeldKey>>> {
        self.held_or(|keys| keys.held_key(kid), |keys, view| keys.key(view, kid))
    }

    /// The content key of these refs; none when one of them is erased or not known here yet.
    pub fn content_key(&self, refs: &KeyRefs) -> ApiResult<Option<Arc<ContentKey>>> {
        self.held_or(
            |keys| keys.held_content_key(refs),
            |keys, view| keys.content_key(view, refs),
        )
    }

    /// The key's kid, made if there is none yet.
    async fn ensure(&self, name: &Name<'_>) -> ApiResult<Kid> {
        let _turn = self.while_held(self.stripes[name.stripe()].lock()).await?;
        let deadline = Instant::now() + CREATE_TIMEOUT;
        while Instant::now() < deadline {
            if let Some(kid) = self.look(|keys, view| name.find(keys, view))? {
                return Ok(kid);
            }
            // Made on another node in this moment: it is found now.
            let Some(prepared) = self.look(|keys, view| name.prepare(keys, view))? else {
                continue;
            };
            let (kid, outcome) = (
                prepared.kid,
                self.while_held(self.creator.create(prepared)).await??,
            );
            // The key was created on the leader; it is usable here once it is applied here.
            self.barrier().await?;
            match outcome {
                KeyOutcome::Created => return Ok(kid),
                KeyOutcome::Exists | KeyOutcome::Stale => {}
                KeyOutcome::Frozen => tokio::time::sleep(FROZEN_PAUSE).await,
                KeyOutcome::ParentErased => return Err(ApiError::erased()),
            }
        }
        Err(ApiError::unavailable(
            "KEY_CONTENTION",
            "a key could not be created; try again",
        ))
    }
}

impl Name<'_> {
    fn stripe(&self) -> usize {
        let mut hasher = DefaultHasher::new();
        match self {
            Self::Tenant(id) => id.hash(&mut hasher),
            Self::Subject(tenant, subject) => (tenant.id(), subject).hash(&mut hasher),
            Self::Bucket(tenant, name) => (tenant.id(), name).hash(&mut hasher),
            Self::Conversation(tenant, _, reference) => (tenant.id(), reference).hash(&mut hasher),
        }
        usize::try_from(hasher.finish() % STRIPES as u64).unwrap_or_default()
    }

    /// The key in use of this name.
    fn find(&self, keys: &Unsealed, view: &dyn StateView) -> Result<Option<Kid>, KeyringError> {
        let named = match self {
            Self::Tenant(id) => keys.tenant(view, id)?.map(|tenant| tenant.key().kid()),
            Self::Subject(tenant, subject) => keys.subject(view, tenant, subject)?,
            Self::Bucket(tenant, name) => keys.bucket(view, tenant, name)?,
            Self::Conversation(tenant, _, reference) => {
                keys.conversation_id(view, tenant, reference)?.map(|id| id.kid())
            }
        };
        Ok(named.filter(|kid| !keys.is_fenced(kid)))
    }

    fn prepare(&self, keys: &Unsealed, view: &dyn StateView) -> Result<Option<PreparedKey>, KeyringError> {
        let (now, entropy) = (surroundings::now(), &mut SystemEntropy);
        match self {
            Self::Tenant(id) => keys.new_tenant(view, id, now, entropy),
            Self::Subject(tenant, subject) => keys.new_subject(view, tenant, subject, now, entropy),
            Self::Bucket(tenant, name) => keys.new_bucket(view, tenant, name, now, entropy),
            Self::Conversation(tenant, principal, reference) => {
                keys.new_conversation(view, tenant, *principal, Some(reference), now, entropy)
            }
        }
    }
}
