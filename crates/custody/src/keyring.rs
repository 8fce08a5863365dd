//! The keyring: from names to keys, cached while the node is unsealed and gone when it is sealed.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use eunoe_core::StateView;
use eunoe_core::control::{self, GenesisRow};
use eunoe_crypto::{
    ContentKey, IndexKind, IndexRecord, KeyArena, KeyRecord, KeyRefs, LeafName, Levels, Locator, LocatorKey,
    LookupKey, MetaPage, PageId, RootKey, SecretBytes, SecretKey,
};
use eunoe_types::{ConversationId, Fault, Kid, Realm, TenantId};
use quick_cache::sync::Cache;

use crate::error::unopened;
use crate::pages::{Pages, page_name};
use crate::{HeldKey, KeyringError};

/// How much a keyring keeps at hand. What does not fit is opened again when needed.
#[derive(Clone, Copy, Debug)]
pub struct KeyringLimits {
    /// Record keys.
    pub records: usize,
    /// Content keys.
    pub content_keys: usize,
    /// Conversations' lookup keys.
    pub conversations: usize,
    /// Answers of the index.
    pub index_rows: usize,
    /// Tenants.
    pub tenants: usize,
}

impl Default for KeyringLimits {
    fn default() -> Self {
        Self {
            records: 65_536,
            content_keys: 65_536,
            conversations: 65_536,
            index_rows: 65_536,
            tenants: 4_096,
        }
    }
}

/// The keys of this node, if it has any now.
pub struct Keyring {
    arena: KeyArena,
    limits: KeyringLimits,
    unsealed: RwLock<Option<Arc<Unsealed>>>,
}

impl Keyring {
    /// A sealed keyring that keeps its keys in `arena`.
    pub fn new(arena: KeyArena, limits: KeyringLimits) -> Self {
        Self {
            arena,
            limits,
            unsealed: RwLock::new(None),
        }
    }

    /// The memory that keys are kept in.
    pub fn arena(&self) -> &KeyArena {
        &self.arena
    }

    /// The keys; an error while the node is sealed.
    pub fn unsealed(&self) -> Result<Arc<Unsealed>, KeyringError> {
        let state = self.unsealed.read().unwrap_or_else(PoisonError::into_inner);
        state.clone().ok_or(KeyringError::Sealed)
    }

    /// Takes the current root: checks that it is the one that the control group committed to.
    pub fn unseal(&self, view: &dyn StateView, root: &RootKey) -> Result<(), KeyringError> {
        let genesis = control::genesis(view)?.ok_or(KeyringError::WrongRoot)?;
        if root.commitment() != genesis.root_commit {
            return Err(KeyringError::WrongRoot);
        }
        let unsealed = Unsealed::new(&self.arena, self.limits, view, &genesis, root)?;
        *self.unsealed.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(unsealed));
        Ok(())
    }

    /// Forgets every key. Tasks that hold one finish with it.
    pub fn seal(&self) {
        *self.unsealed.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A tenant whose keys can be named.
pub struct Tenant {
    id: TenantId,
    key: Arc<HeldKey>,
    locators: LocatorKey,
}

impl Tenant {
    /// The tenant's name.
    pub fn id(&self) -> &TenantId {
        &self.id
    }

    /// The tenant's own key.
    pub fn key(&self) -> &HeldKey {
        &self.key
    }

    pub(crate) fn subject_locator(&self, subject: &str) -> Locator {
        self.locators
            .locate(IndexKind::Subject, &self.id, subject.as_bytes(), 0)
    }

    pub(crate) fn conversation_locator(&self, reference: &[u8]) -> Locator {
        self.locators.locate(IndexKind::ConvRef, &self.id, reference, 0)
    }

    pub(crate) fn bucket_locator(&self, name: &[u8]) -> Locator {
        self.locators.locate(IndexKind::Bucket, &self.id, name, 0)
    }
}

/// A conversation's own keys.
pub struct Conversation {
    /// Its record key.
    pub key: Arc<HeldKey>,
    /// What message ids and request MACs come from.
    pub lookup: LookupKey,
}

/// The keys of an unsealed node.
pub struct Unsealed {
    realm: Realm,
    epoch: u64,
    arena: KeyArena,
    pages: Pages,
    locator_root: SecretKey,
    root_locator: LocatorKey,
    tenants_max: usize,
    tenants: RwLock<HashMap<TenantId, Arc<Tenant>>>,
    records: Cache<Kid, Arc<HeldKey>>,
    index: Cache<Locator, Kid>,
    content_keys: Cache<KeyRefs, Arc<ContentKey>>,
    conversations: Cache<ConversationId, Arc<Conversation>>,
}

impl Unsealed {
    fn new(
        arena: &KeyArena,
        limits: KeyringLimits,
        view: &dyn StateView,
        genesis: &GenesisRow,
        root: &RootKey,
    ) -> Result<Self, KeyringError> {
        let levels =
            Levels::new(genesis.levels).map_err(|_| Fault::broken("the key trees' depth is malformed"))?;
        let sealed = control::page(view, page_name(PageId::META))?
            .ok_or_else(|| Fault::broken("the locator page is missing"))?;
        let (_, meta) = MetaPage::open(&root.page_keys(), genesis.realm, &sealed)
            .map_err(unopened("the locator page"))?;
        Ok(Self {
            realm: genesis.realm,
            epoch: genesis.epoch,
            arena: arena.clone(),
            pages: Pages::new(genesis.realm, levels, arena.clone(), root),
            root_locator: LocatorKey::root(arena, &meta.locator_root)?,
            locator_root: meta.locator_root,
            tenants_max: limits.tenants,
            tenants: RwLock::default(),
            records: Cache::new(limits.records),
            index: Cache::new(limits.index_rows),
            content_keys: Cache::new(limits.content_keys),
            conversations: Cache::new(limits.conversations),
        })
    }

    /// Identity of the data.
    pub fn realm(&self) -> Realm {
        self.realm
    }

    /// Epoch of the root.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(crate) fn pages(&self) -> &Pages {
        &self.pages
    }

    pub(crate) fn root_locator(&self) -> &LocatorKey {
        &self.root_locator
    }

    /// A tenant by its name.
    pub fn tenant(&self, view: &dyn StateView, id: &TenantId) -> Result<Option<Arc<Tenant>>, KeyringError> {
        if let Some(known) = self
            .tenants
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
        {
            return Ok(Some(known.clone()));
        }
        let locator = self.root_locator.locate(IndexKind::Tenant, id, b"", 0);
        let Some(kid) = self.find(view, locator)? else {
            return Ok(None);
        };
        let Some(key) = self.key(view, kid)? else {
            return Ok(None);
        };
        let first = key
            .first()
            .ok_or_else(|| Fault::broken("a key record has no key"))?;
        let locators = LocatorKey::tenant(&self.arena, &self.locator_root, first)?;
        let tenant = Arc::new(Tenant {
            id: id.clone(),
            key: key.clone(),
            locators,
        });
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        if tenants.len() >= self.tenants_max {
            tenants.clear();
        }
        tenants.insert(id.clone(), tenant.clone());
        Ok(Some(tenant))
    }

    /// A data subject's kid.
    pub fn subject(
        &self,
        view: &dyn StateView,
        tenant: &Tenant,
        subject: &str,
    ) -> Result<Option<Kid>, KeyringError> {
        self.find(view, tenant.subject_locator(subject))
    }

    /// A conversation by what it is found by.
    pub fn conversation_id(
        &self,
        view: &dyn StateView,
        tenant: &Tenant,
        reference: &[u8],
    ) -> Result<Option<ConversationId>, KeyringError> {
        Ok(self
            .find(view, tenant.conversation_locator(reference))?
            .map(|kid| ConversationId(kid.0)))
    }

    /// A retention bucket's kid.
    pub fn bucket(
        &self,
        view: &dyn StateView,
        tenant: &Tenant,
        name: &[u8],
    ) -> Result<Option<Kid>, KeyringError> {
        self.find(view, tenant.bucket_locator(name))
    }

    /// A record key by its kid; none when it does not exist or is erased.
    pub fn key(&self, view: &dyn StateView, kid: Kid) -> Result<Option<Arc<HeldKey>>, KeyringError> {
        if let Some(held) = self.records.get(&kid) {
            return Ok(Some(held));
        }
        let Some(content) = self.row(view, &LeafName::Key(kid))? else {
            return Ok(None);
        };
        let record = KeyRecord::decode(&content).map_err(Fault::from)?;
        if record.kid != kid {
            return Err(Fault::broken("a key record is filed under another name").into());
        }
        let held = Arc::new(HeldKey::new(&self.arena, &record)?);
        self.records.insert(kid, held.clone());
        Ok(Some(held))
    }

    /// The content key of these refs; none when one of them does not exist or is erased.
    pub fn content_key(
        &self,
        view: &dyn StateView,
        refs: &KeyRefs,
    ) -> Result<Option<Arc<ContentKey>>, KeyringError> {
        if let Some(key) = self.content_keys.get(refs) {
            return Ok(Some(key));
        }
        let mut held = Vec::with_capacity(refs.as_slice().len());
        for key_ref in refs.as_slice() {
            match self.key(view, key_ref.kid)? {
                Some(key) => held.push((*key_ref, key)),
                None => return Ok(None),
            }
        }
        let mut keys: Vec<_> = Vec::with_capacity(held.len());
        for (key_ref, held) in &held {
            match held.generation(key_ref.generation) {
                Some(key) => keys.push((*key_ref, &**key)),
                None => return Ok(None),
            }
        }
        let key = Arc::new(ContentKey::derive(&self.arena, &keys)?);
        self.content_keys.insert(refs.clone(), key.clone());
        Ok(Some(key))
    }

    /// A conversation's own keys; none when it does not exist or is erased.
    pub fn conversation(
        &self,
        view: &dyn StateView,
        id: &ConversationId,
    ) -> Result<Option<Arc<Conversation>>, KeyringError> {
        if let Some(known) = self.conversations.get(id) {
            return Ok(Some(known));
        }
        let Some(key) = self.key(view, id.kid())? else {
            return Ok(None);
        };
        let first = key
            .first()
            .ok_or_else(|| Fault::broken("a key record has no key"))?;
        let lookup = LookupKey::derive(&self.arena, first)?;
        let conversation = Arc::new(Conversation { key, lookup });
        self.conversations.insert(*id, conversation.clone());
        Ok(Some(conversation))
    }

    /// A subject's kid, if it is in memory: what [`Self::subject`] would answer without looking at any state.
    pub fn held_subject(&self, tenant: &Tenant, subject: &str) -> Option<Kid> {
        self.index.get(&tenant.subject_locator(subject))
    }

    /// A retention bucket's kid, if it is in memory.
    pub fn held_bucket(&self, tenant: &Tenant, name: &[u8]) -> Option<Kid> {
        self.index.get(&tenant.bucket_locator(name))
    }

    /// A record key, if it is in memory.
    pub fn held_key(&self, kid: Kid) -> Option<Arc<HeldKey>> {
        self.records.get(&kid)
    }

    /// A content key, if it is in memory.
    pub fn held_content_key(&self, refs: &KeyRefs) -> Option<Arc<ContentKey>> {
        self.content_keys.get(refs)
    }

    /// A conversation's own keys, if they are in memory.
    pub fn held_conversation(&self, id: &ConversationId) -> Option<Arc<Conversation>> {
        self.conversations.get(id)
    }

    fn find(&self, view: &dyn StateView, locator: Locator) -> Result<Option<Kid>, KeyringError> {
        if let Some(kid) = self.index.get(&locator) {
            return Ok(Some(kid));
        }
        let Some(content) = self.row(view, &LeafName::Index(locator))? else {
            return Ok(None);
        };
        let record = IndexRecord::decode(&content).map_err(Fault::from)?;
        self.index.insert(locator, record.kid);
        Ok(Some(record.kid))
    }

    fn row(&self, view: &dyn StateView, name: &LeafName) -> Result<Option<SecretBytes>, KeyringError> {
        let page = self.pages.levels().leaf(name);
        let keys = self.pages.leaf(view, page)?;
        let tag = keys.tag(name);
        let Some(sealed) = control::leaf_row(view, page.tree.tag(), page.index, &tag.0)? else {
            return Ok(None);
        };
        let row = keys
            .open_row(self.realm, page, tag, &sealed)
            .map_err(unopened("a row of a key tree"))?;
        Ok(Some(row.content))
    }
}
