//! Making a key that does not exist yet: its record and index row, sealed, ready to be proposed.

use eunoe_core::StateView;
use eunoe_core::control::{self, NewKey, NewRow};
use eunoe_crypto::{
    Entropy, IndexKind, IndexRecord, KeyGeneration, KeyKind, KeyRecord, LeafName, Locator, PageId, RowHeader,
    SecretBytes, SecretKey, key_commitment, subject_commitment,
};
use eunoe_types::{ConversationId, Kid, TimeMs, VirtualShard};

use crate::KeyringError;
use crate::keyring::{Tenant, Unsealed};

/// The number of the first generation of every key.
const FIRST_GENERATION: u32 = 1;
/// The version of a row that was never changed.
const FIRST_VERSION: u32 = 1;

/// A key to propose. It must not be used before the control group said `Created`.
pub struct PreparedKey {
    /// Its name.
    pub kid: Kid,
    kind: KeyKind,
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

/// What a new key is for.
struct Purpose<'a> {
    kind: KeyKind,
    kid: Kid,
    tenant: &'a str,
    reference: &'a [u8],
    filed: Option<Filed<'a>>,
}

impl Unsealed {
    /// A tenant's key.
    pub fn new_tenant(
        &self,
        view: &dyn StateView,
        tenant: &eunoe_types::TenantId,
        now: TimeMs,
        entropy: &mut dyn Entropy,
    ) -> Result<PreparedKey, KeyringError> {
        let locator = self.root_locator().locate(IndexKind::Tenant, tenant, b"", 0);
        let purpose = Purpose {
            kind: KeyKind::Tenant,
            kid: random_kid(entropy)?,
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
    ) -> Result<PreparedKey, KeyringError> {
        let purpose = Purpose {
            kind: KeyKind::Subject,
            kid: random_kid(entropy)?,
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
    ) -> Result<PreparedKey, KeyringError> {
        let purpose = Purpose {
            kind: KeyKind::Bucket,
            kid: random_kid(entropy)?,
            tenant: tenant.id().as_str(),
            reference: name,
            filed: Some(Filed {
                locator: tenant.bucket_locator(name),
                payload: b"",
            }),
        };
        self.prepare(view, purpose, now, entropy)
    }

    /// A conversation's key, whose name is the conversation's id. `shard` is the principal's; a conversation
    /// without a principal gets its own. `reference` is what it is found by, if it has one.
    pub fn new_conversation(
        &self,
        view: &dyn StateView,
        tenant: &Tenant,
        shard: Option<VirtualShard>,
        reference: Option<&[u8]>,
        now: TimeMs,
        entropy: &mut dyn Entropy,
    ) -> Result<PreparedKey, KeyringError> {
        let mut kid = random_kid(entropy)?;
        if let Some(shard) = shard {
            kid.0[0] = shard.0;
        }
        let filed = reference.map(|name| Filed {
            locator: tenant.conversation_locator(name),
            payload: b"",
        });
        let purpose = Purpose {
            kind: KeyKind::Conv,
            kid,
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
            blind: record_blind,
        };
        let mut rows = vec![self.seal(view, &LeafName::Key(purpose.kid), &record.encode(), entropy)?];
        if let Some(filed) = purpose.filed {
            let index = IndexRecord {
                kid: purpose.kid,
                blind: index_blind,
                locator: filed.locator,
                payload: SecretBytes::from(filed.payload),
            };
            rows.push(self.seal(view, &LeafName::Index(filed.locator), &index.encode(), entropy)?);
        }
        Ok(PreparedKey {
            kid: purpose.kid,
            kind: purpose.kind,
            commit,
            key_commit,
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
