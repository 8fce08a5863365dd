//! Public commitments (erasure.md §6.2): what the transparency log says about a key instead of naming it.

use aws_lc_rs::digest::{Context, SHA256};
use eunoe_types::{Kid, Realm};

use crate::SecretKey;

/// A SHA-256 commitment. Public.
pub type Commitment = [u8; 32];

/// `c`: the subject (or conversation, bucket, tenant) that a key record belongs to.
///
/// Nobody can test a guess without `blind`, which dies with the record. `reference` is the caller's name for
/// it; kinds that have none pass nothing.
pub fn subject_commitment(
    realm: Realm,
    kid: Kid,
    blind: &SecretKey,
    tenant: &str,
    reference: &[u8],
) -> Commitment {
    // A tenant's name has no zero byte, so the separator is unambiguous.
    let named = sha256(&[tenant.as_bytes(), &[0], reference]);
    sha256(&[
        b"eunoe/subject-commit/v1\0",
        &realm.0,
        &kid.0,
        blind.expose(),
        &named,
    ])
}

/// `kc`: a record key. If the key ever shows up after its erasure, this convicts.
pub fn key_commitment(record_key: &SecretKey) -> Commitment {
    sha256(&[b"eunoe/key-commit/v1\0", record_key.expose()])
}

/// `root_commit`: an epoch's root.
pub fn root_commitment(root: &SecretKey) -> Commitment {
    sha256(&[b"eunoe/root-commit/v1\0", root.expose()])
}

/// A part of a shared root: a false one names who gave it (erasure.md R16).
pub fn sub_key_commitment(sub_key: &SecretKey) -> Commitment {
    sha256(&[b"eunoe/sub-key-commit/v1\0", sub_key.expose()])
}

fn sha256(parts: &[&[u8]]) -> Commitment {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}
