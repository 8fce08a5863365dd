//! Every tree proves what is in it and nothing else.

use std::convert::Infallible;

use eunoe_merkle::{
    Frontier, Hash, HashSource, ProveError, consistency_proof, inclusion_proof, leaf_hash, node_hash,
    root_at, verify_consistency, verify_inclusion,
};
use proptest::prelude::*;

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|index| leaf_hash(&index.to_le_bytes())).collect()
}

/// RFC 6962 §2.1 word for word, to compare with.
fn by_definition(leaves: &[Hash]) -> Hash {
    match leaves {
        [one] => *one,
        _ => {
            let split = leaves.len().next_power_of_two() / 2;
            node_hash(&by_definition(&leaves[..split]), &by_definition(&leaves[split..]))
        }
    }
}

/// Keeps complete subtrees, and only the last leaf itself.
struct Subtrees(Vec<Hash>);

impl HashSource for Subtrees {
    type Error = Infallible;

    fn leaf(&self, index: u64) -> Result<Hash, Infallible> {
        Ok(self.0[index as usize])
    }

    fn subtree(&self, level: u32, index: u64) -> Result<Option<Hash>, Infallible> {
        let (start, len) = ((index << level) as usize, 1 << level);
        Ok(Some(by_definition(&self.0[start..start + len])))
    }
}

#[test]
fn every_leaf_of_every_small_tree_is_proven_and_at_no_other_place() {
    let leaves = leaves(40);
    for size in 1..=40 {
        let root = by_definition(&leaves[..size as usize]);
        assert_eq!(root_at(&leaves[..], size), Ok(root));
        for index in 0..size {
            let proof = inclusion_proof(&leaves[..], index, size).expect("in the tree");
            let leaf = &leaves[index as usize];
            assert_eq!(verify_inclusion(leaf, index, size, &proof, &root), Ok(()));
            for other in (0..size).filter(|other| *other != index) {
                assert!(verify_inclusion(leaf, other, size, &proof, &root).is_err());
            }
        }
        assert_eq!(inclusion_proof(&leaves[..], size, size), Err(ProveError::Range));
    }
}

#[test]
fn every_small_tree_is_consistent_with_its_past_and_with_no_other() {
    let leaves = leaves(40);
    let roots: Vec<Hash> = (1..=40).map(|size| by_definition(&leaves[..size])).collect();
    for new in 1..=40u64 {
        for old in 1..=new {
            let proof = consistency_proof(&leaves[..], old, new).expect("a past of it");
            let (old_root, new_root) = (&roots[old as usize - 1], &roots[new as usize - 1]);
            assert_eq!(verify_consistency(old, new, old_root, new_root, &proof), Ok(()));
            let other = leaf_hash(b"forged");
            assert!(verify_consistency(old, new, &other, new_root, &proof).is_err());
            assert!(verify_consistency(old, new, old_root, &other, &proof).is_err());
        }
        assert_eq!(consistency_proof(&leaves[..], 0, new), Err(ProveError::Range));
        assert_eq!(
            consistency_proof(&leaves[..], new + 1, new),
            Err(ProveError::Range)
        );
    }
}

proptest! {
    #[test]
    fn the_frontier_has_the_trees_root_and_survives_storing(count in 0u64..600) {
        let mut frontier = Frontier::new();
        for leaf in leaves(count) {
            frontier.append(leaf);
            frontier = Frontier::decode(&frontier.encode()).expect("its own form");
        }
        prop_assert_eq!(frontier.size(), count);
        prop_assert_eq!(Ok(frontier.root()), root_at(&leaves(count)[..], count));
    }

    #[test]
    fn kept_subtrees_give_the_same_proofs(new in 1u64..300, part in 0.0f64..1.0) {
        let leaves = leaves(new);
        let at = (new as f64 * part) as u64;
        let source = Subtrees(leaves.clone());
        let inclusion = inclusion_proof(&source, at, new).expect("in the tree");
        prop_assert_eq!(Ok(inclusion), inclusion_proof(&leaves[..], at, new));
        let consistency = consistency_proof(&source, at + 1, new).expect("a past of it");
        prop_assert_eq!(Ok(consistency), consistency_proof(&leaves[..], at + 1, new));
    }

    #[test]
    fn a_changed_proof_is_refused(size in 2u64..200, part in 0.0f64..1.0, bit in any::<prop::sample::Index>()) {
        let leaves = leaves(size);
        let root = by_definition(&leaves);
        let index = (size as f64 * part) as u64;
        let leaf = &leaves[index as usize];
        let proof = inclusion_proof(&leaves[..], index, size).expect("in the tree");
        let mut flipped = proof.clone();
        let bit = bit.index(proof.len() * 256);
        flipped[bit / 256][bit % 256 / 8] ^= 1 << (bit % 8);
        prop_assert!(verify_inclusion(leaf, index, size, &flipped, &root).is_err());
        prop_assert!(verify_inclusion(leaf, index, size, &proof[1..], &root).is_err());
        let longer = [&proof[..], &[root]].concat();
        prop_assert!(verify_inclusion(leaf, index, size, &longer, &root).is_err());
    }

    #[test]
    fn nothing_panics(
        numbers in any::<[u64; 2]>(),
        small in 0u64..70,
        proof in prop::collection::vec(any::<[u8; 32]>(), 0..70),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let root = leaf_hash(&bytes);
        for (a, b) in [(numbers[0], numbers[1]), (small, numbers[0]), (u64::MAX - small, u64::MAX)] {
            prop_assert!(verify_inclusion(&root, a, b, &proof, &root).is_err() || proof.is_empty());
            prop_assert!(verify_consistency(a, b, &root, &root, &proof).is_err() || a == b);
            prop_assert!(inclusion_proof(&[root][..], a, b).is_err() || b == 1);
            prop_assert!(consistency_proof(&[root][..], a, b).is_err() || a == b);
        }
        if let Ok(mut frontier) = Frontier::decode(&bytes) {
            frontier.append(root);
            frontier.root();
        }
    }

    #[test]
    fn other_bytes_are_no_frontier(count in 1u64..100, cut in 1usize..40) {
        let mut frontier = Frontier::new();
        leaves(count).into_iter().for_each(|leaf| frontier.append(leaf));
        let encoded = frontier.encode();
        prop_assert!(Frontier::decode(&encoded[..encoded.len().saturating_sub(cut)]).is_err());
        prop_assert!(Frontier::decode(&[&encoded[..], &[0]].concat()).is_err());
    }
}
