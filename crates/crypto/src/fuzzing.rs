//! What the fuzzers call. Built only with the feature `fuzzing`.

use eunoe_types::fuzzing::{Form, Reader};
use eunoe_types::{Decoder, Encoder};

use crate::padding::{content_len, pad_into};
use crate::{IndexRecord, KeyRecord, KeyRefs, RowHeader, SecretBytes};

/// What is inside of sealed forms, and lists of key names.
pub const FORMS: &[Form] = &[
    ("key record", |bytes| {
        let record = KeyRecord::decode(&SecretBytes::from(&bytes[..]))?;
        Ok(record.encode().expose().to_vec().into())
    }),
    ("index record", |bytes| {
        let record = IndexRecord::decode(&SecretBytes::from(&bytes[..]))?;
        Ok(record.encode().expose().to_vec().into())
    }),
    ("key refs", |bytes| {
        let mut d = Decoder::new(bytes);
        let refs = KeyRefs::decode(&mut d)?;
        d.finish()?;
        let mut e = Encoder::new();
        refs.encode(&mut e);
        Ok(e.finish().into())
    }),
    ("root", crate::root::recode),
    ("root share", crate::sharing::recode),
    ("padding", |bytes| {
        let mut out = Vec::new();
        pad_into(&bytes[..content_len(bytes)?], &mut out);
        Ok(out.into())
    }),
];

/// Sealed forms that are opened, whose keys the attacker has not or has.
pub const READERS: &[Reader] = &[
    ("row header", |bytes| RowHeader::split(bytes).is_ok()),
    ("forged page", crate::tree::fuzzing::forged_page),
    ("page content", crate::tree::fuzzing::page_content),
    ("meta content", crate::tree::fuzzing::meta_content),
];
