//! The hashes of leaves, nodes and trees (RFC 6962 §2.1).

use sha2::{Digest, Sha256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

const LEAF: u8 = 0;
const NODE: u8 = 1;

/// The root of the tree without leaves.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// The hash of a leaf's content.
pub fn leaf_hash(content: &[u8]) -> Hash {
    Sha256::new_with_prefix([LEAF])
        .chain_update(content)
        .finalize()
        .into()
}

/// The hash of a node over two subtrees.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new_with_prefix([NODE])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

/// The root of the tree with these leaf hashes.
pub fn root_of(leaves: impl IntoIterator<Item = Hash>) -> Hash {
    let mut frontier = crate::Frontier::new();
    for leaf in leaves {
        frontier.append(leaf);
    }
    frontier.root()
}
