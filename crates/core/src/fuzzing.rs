//! What the fuzzers call. Built only with the feature `fuzzing`.

use eunoe_types::fuzzing::{Form, Reader, text};

use crate::placement::Site;

/// Commands, replies and rows of the control group.
pub const CONTROL: &[Form] = crate::control::fuzzing::FORMS;

/// Commands, replies and rows of a data group.
pub const DATA: &[Form] = crate::data::fuzzing::FORMS;

/// Texts that name where a node stands. An alias of a country is read, so a site has several spellings.
pub const READERS: &[Reader] = &[("site", |bytes| {
    text(bytes).is_ok_and(|text| {
        Site::parse(text).is_ok_and(|site| {
            let again = Site::parse(site.as_str());
            assert_eq!(again, Ok(site), "a site's own spelling is not read as that site");
            true
        })
    })
})];
