//! What the fuzzers call. Built only with the feature `fuzzing`.

use eunoe_types::fuzzing::{Reader, text};
use prost::Message as _;
use tonic::{Code, Status};
use tonic_types::pb;

use crate::context::{ClientCertificate, Pem, Token};
use crate::{ClientError, Outcome, tls};

/// Files of a caller, and errors of a server.
pub const READERS: &[Reader] = &[
    ("token file", |bytes| {
        text(bytes).is_ok_and(|text| Token::Text(text.to_owned()).read().is_ok())
    }),
    ("certificates", |pem| {
        let pem = Pem::Bytes(pem.to_vec());
        tls::Files::read(&pem, None).is_ok_and(|files| files.config().is_ok())
    }),
    ("certificate and key", |pem| {
        let pem = Pem::Bytes(pem.to_vec());
        let own = ClientCertificate {
            cert: pem.clone(),
            key: pem.clone(),
        };
        tls::Files::read(&pem, Some(&own)).is_ok_and(|files| files.config().is_ok())
    }),
    ("status", |bytes| {
        let (code, details) = bytes.split_first().unwrap_or((&0, &[]));
        let code = Code::from_i32(i32::from(*code));
        let status = Status::with_details(code, "said by the server", details.to_vec().into());
        is_named(&ClientError::from(status))
    }),
    ("status of a message", |bytes| {
        pb::Status::decode(bytes.clone()).is_ok_and(|status| is_named(&ClientError::from_rpc(&status)))
    }),
];

/// Whether an error is one that a node of the cluster wrote and that had no effect.
fn is_named(error: &ClientError) -> bool {
    assert!(!error.to_string().is_empty(), "an error without words");
    error.outcome == Outcome::NoEffect
}
