//! Making a key that does not exist yet: its record and index row, sealed, ready to be proposed.

use eunoe_core::StateView;
use eunoe_core::control::{self, NewKey, NewRow};
use eunoe_crypto::{
    Entropy, IndexKind, IndexRecord, KeyGeneration, KeyKind, KeyRecord, LeafName, Locator, PageId, RowHeader,
    SecretBytes, SecretKey, key_commitment, subject_commitment,
};
use eunoe_types::{ConversationId, Kid, TimeMs};

use crate::KeyringError;
use crate::{Tenant, Unsealed};

/// The number of the first generation of every key.
const FIRST_GENERATION: u32 = 1;
/// The version of a row that was never changed.
const FIRST_VERSION: u32 = 1;

/// A key to propose. It must not be used before the control group said `Created`.
pub struct PreparedKey {
    /// Its name.
    pub kid: Kid,
    kind: KeyKind,
    parent: Option<Kid>,
    commit: [u8; 32],
    key_commit: [u8; 32],
    epoch: u64,
    returns: u64,
    rows: Vec<PreparedRow>,
}

/// A sealed row of a key tree.
struct PreparedRow {
    page: PageId,
    generation: u32,
    tag: [u8; 16],
    sealed: Vec<u8>,
}

impl PreparedKey {
    /// As a part of the command that creates it.
    pub fn as_new_key(&self) -> NewKey<'_> {
        let rows = self.rows.iter().map(|row| NewRow {
            tree: row.page.tree.tag(),
            page: row.page.index,
            generation: row.generation,
            tag: row.tag,
            sealed: &row.sealed,
        });
        NewKey {
            kid: self.kid,
            kind: self.kind.tag(),
            parent: self.parent,
            commit: self.commit,
            key_commit: self.key_commit,
            epoch: self.epoch,
            returns: self.returns,
            rows: rows.collect(),
        }
    }
}

/// What a new key is for.
struct Purpose<'a> {
    kind: KeyKind,
    kid: Kid,
    /// The key that it dies with.
    parent: Option<Kid>,
    tenant: &'a str,
    reference: &'a [u8],
    /// Where it is filed in the index, if it is.
    place: Option<Locator>,
    /// How often keys had come back when the place was looked for.
    returns: u64,
}

impl Unsealed {
    /// A tenant's key. None when its name has a key in use, as below.
    pub fn new_tenant(
        &self,
        view: &dyn StateView,
        tenant: &eunoe_types::TenantId,
        now: TimeMs,
        entropy: &mut dyn Entropy,
    ) -> Result<Option<PreparedKey>, KeyringError> {
        let returns = self.returns();
        let Some(place) = self.free_place(view, self.tenant_places(tenant))? else {
            return Ok(None);
        };
        let purpose = Purpose {
            kind: KeyKind::Tenant,
            kid: random_kid(entropy)?,
            parent: None,
            tenant: tenant.as_str(),
            reference: b"",
            place: Some(place),
            returns,
        };
        self.prepare(view, purpose, now, entropy).map(Some)
    }

    /// A data subject's key.
    pub fn new_subject(
        &self,
        view: &dyn StateView,
        tenant: &Tenant,
        subject: &str,
        now: TimeMs,
        entropy: &mut dyn Entropy,
    ) -> Result<Option<PreparedKey>, KeyringError> {
        let returns = self.returns();
        let places = tenant.places(IndexKind::Subject, subject.as_bytes());
        let Some(place) = self.free_place(view, places)? else {
            return Ok(None);
        };
        let purpose = Purpose {
            kind: KeyKind::Subject,
            kid: random_kid(entropy)?,
            parent: Some(tenant.key().kid()),
            tenant: tenant.id().as_str(),
            reference: subject.as_bytes(),
            place: Some(place),
            returns,
        };
        self.prepare(view, purpose, now, entropy).map(Some)
    }

    /// The key of a day's retention bucket.
    pub fn new_bucket(
        &self,
        view: &dyn StateView,
        tenant: &Tenant,
        name: &[u8],
        now: TimeMs,
        entropy: &mut dyn Entropy,
    ) -> Result<Option<PreparedKey>, KeyringError> {
        let returns = self.returns();
        let Some(place) = self.free_place(view, tenant.places(IndexKind::Bucket, name))? else {
            return Ok(None);
        };
        let purpose = Purpose {
            kind: KeyKind::Bucket,
            kid: random_kid(entropy)?,
            parent: Some(tenant.key().kid()),
            tenant: tenant.id().as_str(),
            reference: name,
            place: Some(place),
            returns,
        };
        self.prepare(view, purpose, now, entropy).map(Some)
    }

    /// A conversation's key, whose name is the conversation's id. With a principal it is on the principal's shard and
    /// dies with the principal's key, without one with the tenant's. `reference` is what it is found by, if it has
    /// one.
    pub fn new_conversation(
        &self,
        view: &dyn StateView,
        tenant: &Tenant,
        principal: Option<Kid>,
        reference: Option<&[u8]>,
        now: TimeMs,
        entropy: &mut dyn Entropy,
    ) -> Result<Option<PreparedKey>, KeyringError> {
        let returns = self.returns();
        let place = match reference {
            None => None,
            Some(name) => match self.free_place(view, tenant.places(IndexKind::ConvRef, name))? {
                None => return Ok(None),
                place => place,
            },
        };
        let mut kid = random_kid(entropy)?;
        if let Some(principal) = principal {
            kid.0[0] = principal.shard().0;
        }
        let purpose = Purpose {
            kind: KeyKind::Conv,
            kid,
            parent: Some(principal.unwrap_or(tenant.key().kid())),
            tenant: tenant.id().as_str(),
            reference: reference.unwrap_or_default(),
            place,
            returns,
        };
        self.prepare(view, purpose, now, entropy).map(Some)
    }

    /// The first place where nothing is filed; none if a key in one of them is in use.
    ///
    /// # Errors
    ///
    /// [`KeyringError::NameTaken`] if fenced keys are in all of them.
    fn free_place(
        &self,
        view: &dyn StateView,
        places: impl Iterator<Item = Locator>,
    ) -> Result<Option<Locator>, KeyringError> {
        let mut free = None;
        for place in places {
            match self.filed(view, place)? {
                Some(kid) if self.is_fenced(&kid) => {}
                Some(_) => return Ok(None),
                None => free = free.or(Some(place)),
            }
        }
        free.map(Some).ok_or(KeyringError::NameTaken)
    }

    fn prepare(
        &self,
        view: &dyn StateView,
        purpose: Purpose<'_>,
        now: TimeMs,
        entropy: &mut dyn Entropy,
    ) -> Result<PreparedKey, KeyringError> {
        let (key, blind) = (SecretKey::generate(entropy)?, SecretKey::generate(entropy)?);
        let commit = subject_commitment(
            self.realm(),
            purpose.kid,
            &blind,
            purpose.tenant,
            purpose.reference,
        );
        let key_commit = key_commitment(&key);
        // A subject's blind is in its index row; all others keep it beside the key (erasure.md §6.2).
        let (index_blind, record_blind) = match purpose.kind {
            KeyKind::Subject => (Some(blind), None),
            KeyKind::Conv | KeyKind::Bucket | KeyKind::Tenant | KeyKind::Purpose | KeyKind::Hold => {
                (None, Some(blind))
            }
        };
        let record = KeyRecord {
            kind: purpose.kind,
            kid: purpose.kid,
            created_epoch: self.epoch(),
            generations: vec![KeyGeneration {
                generation: FIRST_GENERATION,
                key,
                created: now,
            }],
            flags: 0,
            locator: purpose.place,
            blind: record_blind,
        };
        let key_name = LeafName::Key(purpose.kid);
        let mut rows = vec![self.seal(view, &key_name, &record.encode(), entropy)?];
        if let Some(locator) = purpose.place {
            let index = IndexRecord {
                kid: purpose.kid,
                blind: index_blind,
                locator,
                payload: SecretBytes::from(&b""[..]),
            };
            let index_name = LeafName::Index(locator);
            rows.push(self.seal(view, &index_name, &index.encode(), entropy)?);
        }
        Ok(PreparedKey {
            kid: purpose.kid,
            kind: purpose.kind,
            parent: purpose.parent,
            commit,
            key_commit,
            epoch: self.epoch(),
            returns: purpose.returns,
            rows,
        })
    }

    fn seal(
        &self,
        view: &dyn StateView,
        name: &LeafName,
        content: &SecretBytes,
        entropy: &mut dyn Entropy,
    ) -> Result<PreparedRow, KeyringError> {
        self.check_epoch(view)?;
        let page = self.pages().levels().leaf(name);
        let keys = self.pages().leaf(view, page)?;
        let tag = keys.tag(name);
        let generation = control::page_generation(view, page.tree.tag(), page.index)?;
        let header = RowHeader {
            generation,
            version: FIRST_VERSION,
        };
        let sealed = keys.seal_row(self.realm(), page, tag, header, content, entropy)?;
        Ok(PreparedRow {
            page,
            generation,
            tag: tag.0,
            sealed,
        })
    }
}

fn random_kid(entropy: &mut dyn Entropy) -> Result<Kid, KeyringError> {
    let mut kid = Kid::default();
    entropy.fill(&mut kid.0)?;
    Ok(kid)
}

/// The conversation that a CONV key names.
impl From<&PreparedKey> for ConversationId {
    fn from(key: &PreparedKey) -> Self {
        ConversationId(key.kid.0)
    }
}
