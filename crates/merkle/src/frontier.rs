//! The right edge of a tree: all that appending and the root need, in one small row.

use crate::hash::{Hash, empty_root, node_hash};

const VERSION: u8 = 1;
const HASH_BYTES: usize = 32;

/// Why bytes are not a frontier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrontierError {
    /// A version that this release does not know.
    #[error("unknown version of a Merkle frontier")]
    UnknownVersion,
    /// The number of hashes is not that of the size.
    #[error("a Merkle frontier of another length than its size asks for")]
    Length,
}

/// The roots of the complete subtrees that a tree of some size consists of, largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// One hash per set bit of `size`, from the highest bit down.
    subtrees: Vec<Hash>,
}

impl Frontier {
    /// The frontier of the tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf by its hash. Each complete subtree that it ends becomes one hash.
    pub fn append(&mut self, leaf: Hash) {
        self.append_and_tell(leaf, |_, _, _| {});
    }

    /// Appends a leaf by its hash, and tells of each complete subtree of two leaves or more that it ends: its level, which
    /// is the logarithm of its leaves, its place among those of its level, and its hash.
    pub fn append_and_tell(&mut self, leaf: Hash, mut tell: impl FnMut(u32, u64, &Hash)) {
        let mut hash = leaf;
        for level in 1..=self.size.trailing_ones() {
            if let Some(left) = self.subtrees.pop() {
                hash = node_hash(&left, &hash);
                tell(level, self.size >> level, &hash);
            }
        }
        self.subtrees.push(hash);
        // 2^64 leaves take longer than the world has.
        self.size = self.size.saturating_add(1);
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        let mut smallest_first = self.subtrees.iter().rev();
        let Some(last) = smallest_first.next() else {
            return empty_root();
        };
        smallest_first.fold(*last, |right, left| node_hash(left, &right))
    }

    /// The stored form: at most 2 kB.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(9 + self.subtrees.len() * HASH_BYTES);
        out.push(VERSION);
        out.extend_from_slice(&self.size.to_le_bytes());
        out.extend(self.subtrees.iter().flatten());
        out
    }

    /// Reads a stored form.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrontierError> {
        let (version, rest) = bytes.split_first().ok_or(FrontierError::Length)?;
        if *version != VERSION {
            return Err(FrontierError::UnknownVersion);
        }
        let (size, rest) = rest.split_first_chunk().ok_or(FrontierError::Length)?;
        let size = u64::from_le_bytes(*size);
        let (subtrees, left_over) = rest.as_chunks::<HASH_BYTES>();
        let complete = left_over.is_empty() && subtrees.len() == size.count_ones() as usize;
        if complete {
            Ok(Self {
                size,
                subtrees: subtrees.to_vec(),
            })
        } else {
            Err(FrontierError::Length)
        }
    }
}
