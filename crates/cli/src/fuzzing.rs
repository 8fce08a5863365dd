//! What the fuzzers call. Built only with the feature `fuzzing`.

use eunoe_types::fuzzing::{Reader, text};

use crate::context::ContextFile;
use crate::{dev, import};

/// Files that the program reads.
pub const READERS: &[Reader] = &[
    ("import", |file| import::fuzzing::is_good(file)),
    ("context", |bytes| {
        text(bytes).is_ok_and(|text| toml::from_str::<ContextFile>(text).is_ok())
    }),
    ("cluster", |bytes| text(bytes).is_ok_and(dev::fuzzing::is_cluster)),
    ("processes", dev::fuzzing::is_processes),
    ("seconds", |bytes| {
        text(bytes).is_ok_and(|text| crate::args::seconds(text).is_ok())
    }),
];
