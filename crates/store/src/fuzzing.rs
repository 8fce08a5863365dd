//! What the fuzzers call. Built only with the feature `fuzzing`.

use eunoe_types::DecodeError;
use eunoe_types::fuzzing::{Form, Reader};

use crate::snapshot::Manifest;

pub use crate::segment::fuzzing::segment;

/// Manifests, with and without the hash that every manifest ends with: a fuzzer finds no hash.
pub const FORMS: &[Form] = &[
    ("manifest", |bytes| {
        let manifest = Manifest::decode(bytes).map_err(|_| DecodeError::Range)?;
        Ok(manifest.encode().into())
    }),
    ("manifest body", |body| {
        let whole = [body, &blake3::hash(body).as_bytes()[..]].concat();
        let manifest = Manifest::decode(&whole).map_err(|_| DecodeError::Range)?;
        let mut again = manifest.encode();
        again.truncate(again.len().saturating_sub(32));
        Ok(again.into())
    }),
];

/// Segment files, as they are and with the checksums that a script of frames needs.
pub const READERS: &[Reader] = crate::segment::fuzzing::READERS;
