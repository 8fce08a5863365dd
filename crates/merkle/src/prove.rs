//! Inclusion and consistency proofs, made from leaf hashes (RFC 9162 §2.1.3.1 and §2.1.4.1).

use crate::hash::{Hash, empty_root, node_hash};

/// Where leaf hashes are read from.
pub trait HashSource {
    /// What reading may fail with.
    type Error;

    /// The hash of leaf `index`.
    fn leaf(&self, index: u64) -> Result<Hash, Self::Error>;

    /// The hash of the complete subtree of `2^level` leaves that begins at leaf `index · 2^level`, where the
    /// source keeps it. A source that keeps none makes proofs cost a pass over the leaves.
    fn subtree(&self, level: u32, index: u64) -> Result<Option<Hash>, Self::Error> {
        let _ = (level, index);
        Ok(None)
    }
}

impl HashSource for [Hash] {
    type Error = MissingLeaf;

    fn leaf(&self, index: u64) -> Result<Hash, MissingLeaf> {
        let found = usize::try_from(index).ok().and_then(|index| self.get(index));
        found.copied().ok_or(MissingLeaf)
    }
}

/// A slice has no such leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such leaf")]
pub struct MissingLeaf;

/// Why there is no proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProveError<E> {
    /// The leaf or the older tree is not part of the tree.
    #[error("outside of the tree")]
    Range,
    /// The source failed.
    #[error(transparent)]
    Source(#[from] E),
}

/// The root of the first `size` leaves.
pub fn root_at<S: HashSource + ?Sized>(source: &S, size: u64) -> Result<Hash, ProveError<S::Error>> {
    if size == 0 {
        Ok(empty_root())
    } else {
        subtree_root(source, 0, size)
    }
}

/// The root of the complete subtree of `2^level` leaves that begins at leaf `index · 2^level`.
pub fn subtree_at<S: HashSource + ?Sized>(
    source: &S,
    level: u32,
    index: u64,
) -> Result<Hash, ProveError<S::Error>> {
    let len = 1_u64.checked_shl(level).ok_or(ProveError::Range)?;
    let start = index.checked_mul(len).ok_or(ProveError::Range)?;
    start.checked_add(len - 1).ok_or(ProveError::Range)?;
    subtree_root(source, start, len)
}

/// The hashes that lead from leaf `index` to the root of the first `size` leaves.
pub fn inclusion_proof<S: HashSource + ?Sized>(
    source: &S,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, ProveError<S::Error>> {
    if index >= size {
        return Err(ProveError::Range);
    }
    let mut proof = Vec::new();
    let (mut start, mut len) = (0, size);
    while len > 1 {
        let left = split(len);
        if index - start < left {
            proof.push(subtree_root(source, start + left, len - left)?);
            len = left;
        } else {
            proof.push(subtree_root(source, start, left)?);
            (start, len) = (start + left, len - left);
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The hashes that show that the first `old` leaves of the tree of `new` are those of the tree of `old`.
pub fn consistency_proof<S: HashSource + ?Sized>(
    source: &S,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>, ProveError<S::Error>> {
    if old == 0 || old > new {
        return Err(ProveError::Range);
    }
    let mut proof = Vec::new();
    let (mut start, mut len) = (0, new);
    // The old tree's own root is known to whoever checks, as long as it is a whole subtree of the new one.
    let mut is_old_root = true;
    while old - start < len {
        let left = split(len);
        if old - start <= left {
            proof.push(subtree_root(source, start + left, len - left)?);
            len = left;
        } else {
            proof.push(subtree_root(source, start, left)?);
            (start, len) = (start + left, len - left);
            is_old_root = false;
        }
    }
    if !is_old_root {
        proof.push(subtree_root(source, start, len)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The largest power of two below `len`, for `len` > 1.
fn split(len: u64) -> u64 {
    1 << (len - 1).ilog2()
}

/// The root of `len` > 0 leaves from `start`; as RFC 6962 splits, `start` is a multiple of `len`'s power.
fn subtree_root<S: HashSource + ?Sized>(
    source: &S,
    start: u64,
    len: u64,
) -> Result<Hash, ProveError<S::Error>> {
    if len == 1 {
        return Ok(source.leaf(start)?);
    }
    if len.is_power_of_two()
        && let Some(hash) = source.subtree(len.ilog2(), start / len)?
    {
        return Ok(hash);
    }
    let left = split(len);
    let (first, second) = (
        subtree_root(source, start, left)?,
        subtree_root(source, start + left, len - left)?,
    );
    Ok(node_hash(&first, &second))
}
