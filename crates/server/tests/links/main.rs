//! Who may connect to a node, and what nodes say to each other: real sockets, TLS and gRPC.

mod clients;
mod peers;
mod support;
