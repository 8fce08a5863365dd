//! What a membership entry says about a node beside its id.

use std::fmt;

/// How to reach a node and how to recognise it.
///
/// It is part of the replicated membership, so that every node that knows a member also knows its key: a peer
/// that answers at `address` with another key is not that member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Host and port of its peer listener.
    pub address: String,
    /// SHA-256 of the public key in its TLS certificate (SubjectPublicKeyInfo).
    pub spki_sha256: [u8; 32],
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}
