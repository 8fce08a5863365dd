//! Making a key that does not exist yet: its record and index row, sealed, ready to be proposed.

use eunoe_core::StateView;
use eunoe_core::control::{self, NewKey, NewRow};
use eunoe_crypto::{
    Entropy, IndexKind, IndexRecord, KeyGeneration, KeyKind, KeyRecord, LeafName, Locator, PageId, RowHeader,
    SecretBytes, SecretKey, key_commitment, subject_commitment,
};
use eunoe_types::{ConversationId, Fault, Kid, TimeMs};

use crate::KeyringError;
use crate::error::unopened;
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
    rows: Vec<PreparedRow>,
}

/// A sealed row of a key tree.
struct PreparedRow {
    page: PageId,
    generation: u32,
    tag: [u8; 16],
    sealed: Vec<u8>,
    replaces: Option<[u8; 32]>,
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
            replaces: row.replaces,
        });
        NewKey {
            kid: self.kid,
            kind: self.kind.tag(),
            parent: self.parent,
            commit: self.commit,
            key_commit: self.key_commit,
            rows: rows.collect(),
        }
    }
}

/// Where a new key is filed in the index, if it is.
struct Filed<'a> {
    locator: Locator,
    payload: &'a [u8],
}

/// What is in the place of an index row to be made.
enum Taken {
    Free,
    /// The row of a fenced key, sealed: its name is free again, the row's bytes die with the epoch.
    ByFenced(Vec<u8>),
    InUse,
}

/// What a new key is for.
struct Purpose<'a> {
    kind: KeyKind,
    kid: Kid,
    /// The key that it dies with.
    parent: Option<Kid>,
    tenant: &'a str,
    reference: &'a [u8],
    filed: Option<Filed<'a>>,
}

impl Unsealed {
    /// A tenant's key. None when its name is taken by a key in use, as below.
    pub fn new_tenant(
        &self,
        view: &dyn StateView,
        tenant: &eunoe_types::TenantId,
        now: TimeMs,
        entropy: &mut dyn Entropy,
    ) -> Result<Option<PreparedKey>, KeyringError> {
        let locator = self.root_locator().locate(IndexKind::Tenant, tenant, b"", 0);
        let purpose = Purpose {
            kind: KeyKind::Tenant,
            kid: random_kid(entropy)?,
            parent: None,
            tenant: tenant.as_str(),
            reference: b"",
            filed: Some(Filed {
                locator,
                payload: b"",
            }),
        };
        self.prepare(view, purpose, now, entropy)
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
        let purpose = Purpose {
            kind: KeyKind::Subject,
            kid: random_kid(entropy)?,
            parent: Some(tenant.key().kid()),
            tenant: tenant.id().as_str(),
            reference: subject.as_bytes(),
            filed: Some(Filed {
                locator: tenant.subject_locator(subject),
                payload: b"",
            }),
        };
        self.prepare(view, purpose, now, entropy)
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
        let purpose = Purpose {
            kind: KeyKind::Bucket,
            kid: random_kid(entropy)?,
            parent: Some(tenant.key().kid()),
            tenant: tenant.id().as_str(),
            reference: name,
            filed: Some(Filed {
                locator: tenant.bucket_locator(name),
                payload: b"",
            }),
        };
        self.prepare(view, purpose, now, entropy)
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
        let mut kid = random_kid(entropy)?;
        if let Some(principal) = principal {
            kid.0[0] = principal.shard().0;
        }
        let filed = reference.map(|name| Filed {
            locator: tenant.conversation_locator(name),
            payload: b"",
        });
        let purpose = Purpose {
            kind: KeyKind::Conv,
            kid,
            parent: Some(principal.unwrap_or(tenant.key().kid())),
            tenant: tenant.id().as_str(),
            reference: reference.unwrap_or_default(),
            filed,
        };
        self.prepare(view, purpose, now, entropy)
    }

    fn prepare(
        &self,
        view: &dyn StateView,
        purpose: Purpose<'_>,
        now: TimeMs,
        entropy: &mut dyn Entropy,
    ) -> Result<Option<PreparedKey>, KeyringError> {
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
            locator: purpose.filed.as_ref().map(|filed| filed.locator),
            blind: record_blind,
        };
        let key_name = LeafName::Key(purpose.kid);
        let mut rows = vec![self.seal(view, &key_name, &record.encode(), None, entropy)?];
        if let Some(filed) = purpose.filed {
            let index = IndexRecord {
                kid: purpose.kid,
                blind: index_blind,
                locator: filed.locator,
                payload: SecretBytes::from(filed.payload),
            };
            let index_name = LeafName::Index(filed.locator);
            let before = match self.taken(view, &index_name)? {
                Taken::Free => None,
                Taken::ByFenced(row) => Some(row),
                Taken::InUse => return Ok(None),
            };
            rows.push(self.seal(view, &index_name, &index.encode(), before.as_deref(), entropy)?);
        }
        Ok(Some(PreparedKey {
            kid: purpose.kid,
            kind: purpose.kind,
            parent: purpose.parent,
            commit,
            key_commit,
            rows,
        }))
    }

    /// What is in an index row's place.
    fn taken(&self, view: &dyn StateView, name: &LeafName) -> Result<Taken, KeyringError> {
        let page = self.pages().levels().leaf(name);
        let keys = self.pages().leaf(view, page)?;
        let tag = keys.tag(name);
        let Some(sealed) = control::leaf_row(view, page.tree.tag(), page.index, &tag.0)? else {
            return Ok(Taken::Free);
        };
        let row = keys
            .open_row(self.realm(), page, tag, &sealed)
            .map_err(unopened("a row of a key tree"))?;
        let record = IndexRecord::decode(&row.content).map_err(Fault::from)?;
        Ok(if self.is_fenced(&record.kid) {
            Taken::ByFenced(sealed)
        } else {
            Taken::InUse
        })
    }

    fn seal(
        &self,
        view: &dyn StateView,
        name: &LeafName,
        content: &SecretBytes,
        before: Option<&[u8]>,
        entropy: &mut dyn Entropy,
    ) -> Result<PreparedRow, KeyringError> {
        self.check_epoch(view)?;
        let page = self.pages().levels().leaf(name);
        let keys = self.pages().leaf(view, page)?;
        let tag = keys.tag(name);
        let generation = control::page_generation(view, page.tree.tag(), page.index)?;
        let header = RowHeader {
            generation,
            version: match before {
                None => FIRST_VERSION,
                Some(row) => {
                    RowHeader::of(row)
                        .map_err(unopened("a row of a key tree"))?
                        .version
                        + 1
                }
            },
        };
        let sealed = keys.seal_row(self.realm(), page, tag, header, content, entropy)?;
        Ok(PreparedRow {
            page,
            generation,
            tag: tag.0,
            sealed,
            replaces: before.map(control::row_digest),
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
