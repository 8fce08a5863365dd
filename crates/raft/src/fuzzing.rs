//! What the fuzzers call. Built only with the feature `fuzzing`.

use eunoe_types::fuzzing::{Form, Reader};

/// Entries, log ids, votes, members, messages.
pub const FORMS: &[Form] = crate::codec::recode::FORMS;

/// The position in what a state engine keeps.
pub const READERS: &[Reader] = &[("applied position", |bytes| crate::applied_position(bytes).is_ok())];
