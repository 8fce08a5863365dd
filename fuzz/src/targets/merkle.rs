//! The Merkle tree: stored frontiers, and proofs that anyone may have written.

use bytes::Bytes;
use eunoe_merkle::{
    Frontier, Hash, consistency_proof, inclusion_proof, leaf_hash, root_of, verify_consistency,
    verify_inclusion,
};
use eunoe_types::fuzzing::{Form, Reader};
use eunoe_types::{DecodeError, Decoder};

/// Leaves of a tree that is built to be proved; more only takes longer.
const LEAVES_MAX: u64 = 40;

pub(super) const FORMS: &[Form] = &[("frontier", |bytes| {
    let mut frontier = Frontier::decode(bytes).map_err(|_| DecodeError::Range)?;
    let encoded = frontier.encode();
    frontier.append([1; 32]);
    frontier.root();
    Ok(encoded.into())
})];

pub(super) const READERS: &[Reader] = &[
    ("inclusion of anything", |bytes| {
        any_proof(bytes, |[leaf, root], [index, size], path| {
            verify_inclusion(leaf, index, size, path, root).is_ok()
        })
    }),
    ("consistency of anything", |bytes| {
        any_proof(bytes, |[old_root, new_root], [old, new], path| {
            verify_consistency(old, new, old_root, new_root, path).is_ok()
        })
    }),
    ("inclusion", |bytes| changed_proof(bytes, false)),
    ("consistency", |bytes| changed_proof(bytes, true)),
];

/// Checks a proof all of whose parts are the input's.
fn any_proof(bytes: &Bytes, verify: impl Fn([&Hash; 2], [u64; 2], &[Hash]) -> bool) -> bool {
    let mut d = Decoder::new(bytes);
    let parts = (|| Ok::<_, DecodeError>((d.varint()?, d.varint()?, d.array()?, d.array()?)))();
    parts.is_ok_and(|(first, second, one, other)| {
        verify([&one, &other], [first, second], d.rest().as_chunks::<32>().0)
    })
}

/// Makes a true proof, changes one bit of it or nothing, and checks it: only the true one passes.
fn changed_proof(bytes: &Bytes, consistency: bool) -> bool {
    let mut d = Decoder::new(bytes);
    let parts = (|| Ok::<_, DecodeError>((d.varint()?, d.varint()?, d.varint()?, d.u8()?)))();
    let Ok((first, size, place, bit)) = parts else {
        return false;
    };
    let size = 1 + size % LEAVES_MAX;
    let leaves: Vec<Hash> = (0..size).map(|leaf| leaf_hash(&leaf.to_le_bytes())).collect();
    let root = root_of(leaves.iter().copied());
    let end = usize::try_from(first % size).unwrap_or_default();
    let (index, old) = (first % size, first % size + 1);
    let made = if consistency {
        consistency_proof(&leaves[..], old, size)
    } else {
        inclusion_proof(&leaves[..], index, size)
    };
    let mut proof = made.expect("a proof of a leaf that is there");
    let hashes = proof.len();
    let changed = usize::try_from(place).is_ok_and(|place| place < hashes);
    if changed {
        let hash = &mut proof[usize::try_from(place).unwrap_or_default()];
        hash[usize::from(bit / 8)] ^= 1 << (bit % 8);
    }
    let passes = if consistency {
        let old_root = root_of(leaves[..=end].iter().copied());
        verify_consistency(old, size, &old_root, &root, &proof).is_ok()
    } else {
        verify_inclusion(&leaves[end], index, size, &proof, &root).is_ok()
    };
    assert_eq!(passes, !changed, "a proof passes exactly if it is the true one");
    passes
}
