//! What the fuzzers call. Built only with the feature `fuzzing`.

pub use crate::file::fuzzing::{BLOCKS, repair};
use eunoe_types::fuzzing::Form;

/// Blocks of a vault's file, with the checksum that every block ends with: a fuzzer finds no hash.
pub const FORMS: &[Form] = crate::file::fuzzing::FORMS;

/// The catalog of a vault whose keys are elsewhere, without its checksum.
pub const CATALOGS: &[Form] = &[("vault catalog", |bytes| {
    let catalog = crate::wrapped::Catalog::decode_body(bytes)?;
    Ok(catalog.encode_body().into())
})];
