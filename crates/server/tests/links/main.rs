//! Who may connect to a node, and what nodes say to each other: real sockets, TLS and gRPC.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod clients;
mod pair;
mod peers;
mod placement;
mod support;
