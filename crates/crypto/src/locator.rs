//! How a caller's reference is found without being stored: a keyed hash that dies with its tenant.

use std::fmt;

use eunoe_types::{Encoder, TenantId};

use crate::hash::{derive, keyed};
use crate::{ArenaError, KeyArena, LockedKey, SecretKey};

/// What an index row leads to. The numbers are stored forms and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IndexKind {
    /// A tenant's key, by the tenant's name; under the root locator key.
    Tenant = 1,
    /// A subject's key, by the subject reference.
    Subject = 2,
    /// A conversation, by its external reference.
    ConvRef = 3,
    /// A bucket's key, by retention class and day.
    Bucket = 4,
}

/// The name of an index row. It never leaves the process: rows are filed under a tag of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Locator(pub(crate) [u8; 32]);

impl fmt::Debug for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Locator(…)")
    }
}

/// The key that references are located under: one for tenants, and one per tenant for everything of theirs.
#[derive(Debug)]
pub struct LocatorKey(LockedKey);

impl LocatorKey {
    /// The key that tenants are located under, from the `meta` page.
    pub fn root(arena: &KeyArena, locator_root: &SecretKey) -> Result<Self, ArenaError> {
        let key = derive("eunoe v1 root locator key", &[locator_root.expose()]);
        arena.store(&key).map(Self)
    }

    /// A tenant's key, from the `meta` page and the *first* generation of the tenant's record key: it never
    /// rotates and dies with the tenant.
    pub fn tenant(
        arena: &KeyArena,
        locator_root: &SecretKey,
        tenant_first_key: &SecretKey,
    ) -> Result<Self, ArenaError> {
        let key = derive(
            "eunoe v1 tenant locator key",
            &[locator_root.expose(), tenant_first_key.expose()],
        );
        arena.store(&key).map(Self)
    }

    /// Where `reference` is filed. `incarnation` counts how often the reference was erased and created anew.
    pub fn locate(&self, kind: IndexKind, tenant: &TenantId, reference: &[u8], incarnation: u32) -> Locator {
        let mut name = Encoder::with_capacity(reference.len() + 80);
        name.u8(kind as u8)
            .text(tenant.as_str())
            .bytes(reference)
            .fixed(&incarnation.to_le_bytes());
        let name = crate::SecretBytes::new(name.finish());
        Locator(keyed(&self.0, &[name.expose()]))
    }
}
