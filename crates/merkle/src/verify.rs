//! Checking proofs (RFC 9162 §2.1.3.2 and §2.1.4.2). Proofs come from anyone and may be anything.

use crate::hash::{Hash, node_hash};

/// Why a proof was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The leaf or the older tree cannot be part of the tree.
    #[error("outside of the tree")]
    Range,
    /// The proof is longer or shorter than one of these sizes is.
    #[error("a proof of the wrong length")]
    Length,
    /// The proof leads to another root.
    #[error("a proof of another root")]
    Root,
}

/// Checks that leaf `index`, with this hash, is in the tree of `size` leaves with this root.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), VerifyError> {
    if index >= size {
        return Err(VerifyError::Range);
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return Err(VerifyError::Length);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            (node, last) = skip_missing_levels(node, last);
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(VerifyError::Length);
    }
    if hash == *root {
        Ok(())
    } else {
        Err(VerifyError::Root)
    }
}

/// Checks that the tree of `new` leaves begins with the leaves of the tree of `old`.
pub fn verify_consistency(
    old: u64,
    new: u64,
    old_root: &Hash,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), VerifyError> {
    if old == 0 || old > new {
        return Err(VerifyError::Range);
    }
    if old == new {
        return match proof {
            [] if old_root == new_root => Ok(()),
            [] => Err(VerifyError::Root),
            _ => Err(VerifyError::Length),
        };
    }
    // An old tree that is a whole subtree of the new one begins the path itself.
    let begun_by_old_root = old.is_power_of_two().then_some(old_root);
    let mut path = begun_by_old_root.into_iter().chain(proof);
    let first = *path.next().ok_or(VerifyError::Length)?;
    check_path(old - 1, new - 1, first, path, old_root, new_root)
}

fn check_path<'a>(
    mut node: u64,
    mut last: u64,
    first: Hash,
    path: impl Iterator<Item = &'a Hash>,
    old_root: &Hash,
    new_root: &Hash,
) -> Result<(), VerifyError> {
    while node & 1 == 1 {
        (node, last) = (node >> 1, last >> 1);
    }
    let (mut old_hash, mut new_hash) = (first, first);
    for hash in path {
        if last == 0 {
            return Err(VerifyError::Length);
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(hash, &old_hash);
            new_hash = node_hash(hash, &new_hash);
            (node, last) = skip_missing_levels(node, last);
        } else {
            new_hash = node_hash(&new_hash, hash);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(VerifyError::Length);
    }
    if old_hash == *old_root && new_hash == *new_root {
        Ok(())
    } else {
        Err(VerifyError::Root)
    }
}

/// The last node of a level has no sibling on the levels where its number is even: they are left out.
fn skip_missing_levels(mut node: u64, mut last: u64) -> (u64, u64) {
    while node & 1 == 0 && node != 0 {
        (node, last) = (node >> 1, last >> 1);
    }
    (node, last)
}
