//! What the fuzzers call. Built only with the feature `fuzzing`.

pub use crate::file::fuzzing::{BLOCKS, repair};
use eunoe_types::fuzzing::Form;

/// Blocks of a vault's file, with the checksum that every block ends with: a fuzzer finds no hash.
pub const FORMS: &[Form] = crate::file::fuzzing::FORMS;
