//! The SDK against nodes in the test's own process: real TLS and gRPC, faults on demand.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod credentials;
mod erasures;
mod streams;
mod support;
mod unary;
