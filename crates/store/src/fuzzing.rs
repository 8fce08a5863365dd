//! What the fuzzers call. Built only with the feature `fuzzing`.

use std::collections::BTreeMap;

use eunoe_types::DecodeError;
use eunoe_types::fuzzing::{Form, Reader};

use crate::snapshot::{FileEntry, Manifest};

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

/// The manifest of a snapshot with these files, by name.
pub fn manifest(meta: &[u8], files: &BTreeMap<String, Vec<u8>>) -> Manifest {
    let files = files.iter().map(|(name, content)| FileEntry {
        name: name.clone(),
        bytes: content.len() as u64,
        hash: *blake3::hash(content).as_bytes(),
    });
    Manifest {
        meta: meta.to_vec(),
        files: files.collect(),
    }
}

/// Segment files, as they are and with the checksums that a script of frames needs.
pub const READERS: &[Reader] = crate::segment::fuzzing::READERS;
