//! The Merkle tree of RFC 6962 and RFC 9162 over bytes: hashes, a growing frontier, proofs and their checks.
//!
//! It knows nothing of what the leaves mean and stores nothing; no input makes it panic.
#![forbid(unsafe_code)]

mod frontier;
mod hash;
mod prove;
mod verify;

pub use frontier::{Frontier, FrontierError};
pub use hash::{Hash, empty_root, leaf_hash, node_hash, root_of};
pub use prove::{
    HashSource, MissingLeaf, ProveError, consistency_proof, inclusion_proof, root_at, subtree_at,
};
pub use verify::{VerifyError, verify_consistency, verify_inclusion};
