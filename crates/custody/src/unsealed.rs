//! From names to keys, cached while the node is unsealed.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use eunoe_core::StateView;
use eunoe_core::control::{self, EpochRow};
use eunoe_crypto::{
    ContentKey, IndexKind, IndexRecord, KeyArena, KeyRecord, KeyRefs, LeafName, Levels, Locator, LocatorKey,
    LockedKey, LookupKey, MetaPage, PageId, RootKey, SecretBytes, SecretKey,
};
use eunoe_types::{ConversationId, Fault, Kid, Realm, TenantId, limits};
use quick_cache::sync::Cache;

use crate::dead::{DeadKeys, Learned};
use crate::error::unopened;
use crate::held::HeldKeys;
use crate::pages::{Pages, page_name};
use crate::{HeldKey, KeyringError, KeyringLimits};

/// A tenant whose keys can be named.
pub struct Tenant {
    id: TenantId,
    key: Arc<HeldKey>,
    locators: LocatorKey,
    lookup: LookupKey,
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

    /// What ids of erasures and MACs of their requests come from.
    pub fn lookup(&self) -> &LookupKey {
        &self.lookup
    }

    pub(crate) fn places(&self, kind: IndexKind, name: &[u8]) -> impl Iterator<Item = Locator> {
        places(&self.locators, kind, &self.id, name)
    }
}

/// Where the keys of a name may be filed, one for each of its incarnations (erasure.md R9): the one in use, and those
/// before it that are fenced. A place is free again with the epoch that erases its key.
fn places(
    locators: &LocatorKey,
    kind: IndexKind,
    tenant: &TenantId,
    name: &[u8],
) -> impl Iterator<Item = Locator> {
    (0..limits::INCARNATIONS_MAX).map(move |incarnation| locators.locate(kind, tenant, name, incarnation))
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
    attempt: u64,
    /// Counts the keys of this root, whoever holds them.
    arena: KeyArena,
    pages: Pages,
    dead: DeadKeys,
    locator_root: LockedKey,
    log_key: LockedKey,
    root_locator: LocatorKey,
    tenants_max: usize,
    tenants: RwLock<HashMap<TenantId, Arc<Tenant>>>,
    records: Cache<Kid, Arc<HeldKey>>,
    index: Cache<Locator, Kid>,
    content_keys: Cache<KeyRefs, Arc<ContentKey>>,
    conversations: Cache<ConversationId, Arc<Conversation>>,
}

impl Unsealed {
    pub(crate) fn new(
        arena: &KeyArena,
        limits: KeyringLimits,
        view: &dyn StateView,
        epoch: &EpochRow,
        root: &RootKey,
    ) -> Result<Self, KeyringError> {
        let genesis = control::genesis(view)?.ok_or(KeyringError::WrongRoot)?;
        let levels =
            Levels::new(genesis.levels).map_err(|_| Fault::broken("the key trees' depth is malformed"))?;
        let sealed = control::page(view, page_name(PageId::META))?
            .ok_or_else(|| Fault::broken("the locator page is missing"))?;
        let (_, meta) = MetaPage::open(&root.page_keys(), genesis.realm, &sealed)
            .map_err(unopened("the locator page"))?;
        let arena = arena.apart();
        Ok(Self {
            realm: genesis.realm,
            epoch: epoch.epoch,
            attempt: epoch.attempt,
            dead: DeadKeys::read(view)?,
            pages: Pages::new(genesis.realm, levels, arena.clone(), root)?,
            root_locator: LocatorKey::root(&arena, &meta.locator_root)?,
            locator_root: arena.store(&meta.locator_root)?,
            log_key: arena.store(&meta.log_key)?,
            arena,
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

    /// The root itself, in the form in which it goes from memory to memory, and its commitment.
    pub fn root(&self) -> (SecretBytes, [u8; 32]) {
        let root = self.pages.root();
        (root.encode(), root.commitment())
    }

    /// Epoch of the root.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(crate) fn pages(&self) -> &Pages {
        &self.pages
    }

    pub(crate) fn locator_root(&self) -> &SecretKey {
        &self.locator_root
    }

    /// The seed of the key that signs the transparency log's checkpoints.
    pub fn log_key(&self) -> &SecretKey {
        &self.log_key
    }

    /// Whether a key is fenced. One that is erased altogether is not known as anything.
    pub fn is_fenced(&self, kid: &Kid) -> bool {
        self.dead.contains(kid)
    }

    fn is_dead(&self, refs: &KeyRefs) -> bool {
        refs.as_slice()
            .iter()
            .any(|key_ref| self.dead.contains(&key_ref.kid))
    }

    /// How often keys had come back when this node learned of it last.
    pub(crate) fn returns(&self) -> u64 {
        self.dead.returns()
    }

    /// Learns what was fenced and what came back. What was cached for fenced keys goes, and for names that may have got
    /// another key.
    pub(crate) fn learn_fences(&self, view: &dyn StateView) -> Result<Learned, KeyringError> {
        let learned = self.dead.learn(view)?;
        for kid in &learned.fenced {
            self.records.remove(kid);
            self.conversations.remove(&ConversationId(kid.0));
        }
        if !learned.fenced.is_empty() {
            self.content_keys.retain(|refs, _| !self.is_dead(refs));
        }
        if learned.returned {
            // A name leads to its first key in use, and the cache may know a later one.
            self.index.clear();
            let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
            tenants.clear();
        }
        Ok(learned)
    }

    /// An error unless `view` is of the epoch whose root this is: under another root, pages and rows are other ones,
    /// and a key that lives would seem not to.
    pub(crate) fn check_epoch(&self, view: &dyn StateView) -> Result<(), KeyringError> {
        match control::epoch(view)? {
            Some(epoch) if self.is_of(&epoch) => Ok(()),
            Some(_) | None => Err(KeyringError::StaleRoot),
        }
    }

    /// Whether the root is the one of this epoch.
    pub(crate) fn is_of(&self, epoch: &EpochRow) -> bool {
        (self.epoch, self.attempt) == (epoch.epoch, epoch.attempt)
    }

    /// What counts the keys that hang on this root.
    pub(crate) fn held(&self) -> HeldKeys {
        HeldKeys::new(self.epoch, self.attempt, self.arena.clone())
    }

    pub(crate) fn tenant_places(&self, id: &TenantId) -> impl Iterator<Item = Locator> {
        places(&self.root_locator, IndexKind::Tenant, id, b"")
    }

    /// A tenant by its name.
    pub fn tenant(&self, view: &dyn StateView, id: &TenantId) -> Result<Option<Arc<Tenant>>, KeyringError> {
        if let Some(known) = self.held_tenant(id) {
            return Ok(Some(known));
        }
        let Some(kid) = self.find(view, self.tenant_places(id))? else {
            return Ok(None);
        };
        // A fenced tenant can still be named: its erasure is asked about.
        let Some(record) = self.record(view, kid)? else {
            return Ok(None);
        };
        let key = Arc::new(HeldKey::new(&self.arena, &record)?);
        let first = key
            .first()
            .ok_or_else(|| Fault::broken("a key record has no key"))?;
        let tenant = Arc::new(Tenant {
            id: id.clone(),
            locators: LocatorKey::tenant(&self.arena, &self.locator_root, first)?,
            lookup: LookupKey::derive(&self.arena, first)?,
            key,
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
        self.find(view, tenant.places(IndexKind::Subject, subject.as_bytes()))
    }

    /// All keys in use of a data subject's name. It has several when an erasure was taken back after the name was used
    /// again; [`Self::subject`] says the first.
    pub fn subjects_in_use(
        &self,
        view: &dyn StateView,
        tenant: &Tenant,
        subject: &str,
    ) -> Result<Vec<Kid>, KeyringError> {
        self.in_use(view, tenant.places(IndexKind::Subject, subject.as_bytes()))
    }

    /// All keys in use of a tenant's name, as for a subject.
    pub fn tenants_in_use(&self, view: &dyn StateView, id: &TenantId) -> Result<Vec<Kid>, KeyringError> {
        self.in_use(view, self.tenant_places(id))
    }

    fn in_use(
        &self,
        view: &dyn StateView,
        places: impl Iterator<Item = Locator>,
    ) -> Result<Vec<Kid>, KeyringError> {
        let mut kids = Vec::new();
        for place in places {
            kids.extend(self.filed(view, place)?.filter(|kid| !self.is_fenced(kid)));
        }
        Ok(kids)
    }

    /// A conversation by what it is found by.
    pub fn conversation_id(
        &self,
        view: &dyn StateView,
        tenant: &Tenant,
        reference: &[u8],
    ) -> Result<Option<ConversationId>, KeyringError> {
        Ok(self
            .find(view, tenant.places(IndexKind::ConvRef, reference))?
            .map(|kid| ConversationId(kid.0)))
    }

    /// A retention bucket's kid.
    pub fn bucket(
        &self,
        view: &dyn StateView,
        tenant: &Tenant,
        name: &[u8],
    ) -> Result<Option<Kid>, KeyringError> {
        self.find(view, tenant.places(IndexKind::Bucket, name))
    }

    /// A key's record, fenced or not; none when it does not exist or is erased.
    pub(crate) fn record(&self, view: &dyn StateView, kid: Kid) -> Result<Option<KeyRecord>, KeyringError> {
        let Some(content) = self.row(view, &LeafName::Key(kid))? else {
            return Ok(None);
        };
        let record = KeyRecord::decode(&content).map_err(Fault::from)?;
        if record.kid != kid {
            return Err(Fault::broken("a key record is filed under another name").into());
        }
        Ok(Some(record))
    }

    /// The blind of a key's public commitment, fenced or not; none when the key does not exist or is erased. With it
    /// whoever knows whom the key is of can show it (erasure.md §6.3).
    pub fn blind(&self, view: &dyn StateView, kid: Kid) -> Result<Option<SecretKey>, KeyringError> {
        let Some(record) = self.record(view, kid)? else {
            return Ok(None);
        };
        if record.blind.is_some() {
            return Ok(record.blind);
        }
        // A subject's is in its index row.
        let Some(locator) = record.locator else {
            return Ok(None);
        };
        let Some(content) = self.row(view, &LeafName::Index(locator))? else {
            return Ok(None);
        };
        let index = IndexRecord::decode(&content).map_err(Fault::from)?;
        Ok(index.blind.filter(|_| index.kid == kid))
    }

    /// A record key by its kid; none when it does not exist, is fenced or is erased.
    pub fn key(&self, view: &dyn StateView, kid: Kid) -> Result<Option<Arc<HeldKey>>, KeyringError> {
        if self.dead.contains(&kid) {
            return Ok(None);
        }
        if let Some(held) = self.records.get(&kid) {
            return Ok(Some(held));
        }
        let Some(record) = self.record(view, kid)? else {
            return Ok(None);
        };
        let held = Arc::new(HeldKey::new(&self.arena, &record)?);
        self.records.insert(kid, held.clone());
        Ok(Some(held))
    }

    /// The content key of these refs, which something stored names; none when one of them is fenced or erased.
    ///
    /// # Errors
    ///
    /// [`KeyringError::Behind`] if the control group's state here does not know one of them yet: what names it was read from
    /// a data group that is ahead.
    pub fn content_key(
        &self,
        view: &dyn StateView,
        refs: &KeyRefs,
    ) -> Result<Option<Arc<ContentKey>>, KeyringError> {
        if self.is_dead(refs) {
            return Ok(None);
        }
        if let Some(key) = self.content_keys.get(refs) {
            return Ok(Some(key));
        }
        let mut held = Vec::with_capacity(refs.as_slice().len());
        for key_ref in refs.as_slice() {
            match self.key(view, key_ref.kid)? {
                Some(key) => held.push((*key_ref, key)),
                // A key is there before anything that is sealed under it, and its state for ever after.
                None if control::key_state(view, &key_ref.kid)?.is_none() => {
                    return Err(KeyringError::Behind);
                }
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

    /// A conversation's own keys; none when it does not exist, is fenced or is erased.
    pub fn conversation(
        &self,
        view: &dyn StateView,
        id: &ConversationId,
    ) -> Result<Option<Arc<Conversation>>, KeyringError> {
        if let Some(known) = self.held_conversation(id) {
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

    /// A tenant, if its keys are in memory and in use.
    pub fn held_tenant(&self, id: &TenantId) -> Option<Arc<Tenant>> {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        let known = tenants.get(id).cloned();
        known.filter(|tenant| !self.dead.contains(&tenant.key.kid()))
    }

    /// A subject's kid, if it is in memory and in use: what [`Self::subject`] would answer without looking at any
    /// state.
    pub fn held_subject(&self, tenant: &Tenant, subject: &str) -> Option<Kid> {
        self.held_index(tenant.places(IndexKind::Subject, subject.as_bytes()))
    }

    /// A retention bucket's kid, if it is in memory and in use.
    pub fn held_bucket(&self, tenant: &Tenant, name: &[u8]) -> Option<Kid> {
        self.held_index(tenant.places(IndexKind::Bucket, name))
    }

    /// A record key, if it is in memory and in use.
    pub fn held_key(&self, kid: Kid) -> Option<Arc<HeldKey>> {
        self.records.get(&kid).filter(|_| !self.dead.contains(&kid))
    }

    /// A content key, if it is in memory and in use.
    pub fn held_content_key(&self, refs: &KeyRefs) -> Option<Arc<ContentKey>> {
        self.content_keys.get(refs).filter(|_| !self.is_dead(refs))
    }

    /// A conversation's own keys, if they are in memory and in use.
    pub fn held_conversation(&self, id: &ConversationId) -> Option<Arc<Conversation>> {
        self.conversations
            .get(id)
            .filter(|_| !self.dead.contains(&id.kid()))
    }

    fn held_index(&self, places: impl Iterator<Item = Locator>) -> Option<Kid> {
        let mut held = places.filter_map(|place| self.index.get(&place));
        held.find(|kid| !self.dead.contains(kid))
    }

    /// The key of a name: the first in use, else the one that was fenced last, which is asked about until it is erased.
    fn find(
        &self,
        view: &dyn StateView,
        places: impl Iterator<Item = Locator>,
    ) -> Result<Option<Kid>, KeyringError> {
        let mut last_fenced = None;
        for place in places {
            let Some(kid) = self.filed(view, place)? else {
                continue;
            };
            match self.dead.fence_of(&kid) {
                None => return Ok(Some(kid)),
                fence => last_fenced = last_fenced.max(fence.map(|index| (index, kid))),
            }
        }
        Ok(last_fenced.map(|(_, kid)| kid))
    }

    /// What is filed in a place, fenced or not. It stays the same as long as the root does.
    pub(crate) fn filed(&self, view: &dyn StateView, place: Locator) -> Result<Option<Kid>, KeyringError> {
        if let Some(kid) = self.index.get(&place) {
            return Ok(Some(kid));
        }
        let Some(content) = self.row(view, &LeafName::Index(place))? else {
            return Ok(None);
        };
        let record = IndexRecord::decode(&content).map_err(Fault::from)?;
        self.index.insert(place, record.kid);
        Ok(Some(record.kid))
    }

    fn row(&self, view: &dyn StateView, name: &LeafName) -> Result<Option<SecretBytes>, KeyringError> {
        self.check_epoch(view)?;
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
