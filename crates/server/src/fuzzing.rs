//! What the fuzzers call. Built only with the feature `fuzzing`.

use eunoe_types::fuzzing::{Form, Reader, text};

use crate::config::Config;

/// Tokens that callers keep.
pub const TOKENS: &[Form] = crate::edge::fuzzing::TOKENS;

/// What is inside of envelopes.
pub const CONTENTS: &[Form] = crate::edge::fuzzing::CONTENTS;

/// Requests of clients, from their bytes to what the edge gets.
pub const REQUESTS: &[Reader] = crate::grpc::fuzzing::REQUESTS;

/// Messages of peers.
pub const PEERS: &[Reader] = crate::peer::fuzzing::MESSAGES;

/// Certificates, SPIFFE URIs, key sets, tokens and their claims.
pub const IDENTITIES: &[&[Reader]] = &[crate::tls::fuzzing::READERS, crate::oidc::fuzzing::READERS];

/// Headers and files.
pub const TEXTS: &[Reader] = &[
    ("config", |bytes| {
        text(bytes).is_ok_and(|text| match Config::parse(text) {
            Ok(config) => config.member(config.node_id).is_some(),
            Err(error) => {
                assert!(!error.to_string().is_empty(), "an error without words");
                false
            }
        })
    }),
    ("traceparent", |bytes| {
        text(bytes).is_ok_and(crate::telemetry::is_traceparent)
    }),
    ("timeout", crate::grpc::fuzzing::is_timeout),
    ("hex", |bytes| {
        text(bytes).is_ok_and(|text| crate::hex::bytes::<16>(text).is_some())
    }),
];
