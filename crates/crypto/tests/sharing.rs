//! A shared root: any `t` holders have it, fewer have nothing, and a false share names who gave it.

mod common;

use common::*;
use eunoe_crypto::{DealtRoot, OsEntropy, Rebuilding, RootKey, RootShare, SecretBytes, ShareError, Sharing};

/// All sizes that clusters of up to seven voters have, and the largest.
const SIZES: [(usize, usize); 8] = [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4), (7, 4), (8, 5)];

fn dealt(holders: usize, threshold: usize, seed: u64) -> DealtRoot {
    let sharing = Sharing::new(holders, threshold).expect("a size that is used");
    sharing.deal(&arena(), &mut Seeded::new(seed)).expect("deals")
}

fn rebuilt(dealt: &DealtRoot, from: &[usize]) -> Option<RootKey> {
    let mut rebuilding = Rebuilding::new(dealt.sharing(), dealt.commitments()).expect("its own commitments");
    for position in from {
        let share = dealt.share(*position).expect("a holder");
        rebuilding.add(*position, share).expect("its own share");
    }
    rebuilding.root(&arena()).expect("memory")
}

/// All sets of `size` of `holders`.
fn sets(holders: usize, size: u32) -> impl Iterator<Item = Vec<usize>> {
    let masks = (0..1u32 << holders).filter(move |mask| mask.count_ones() == size);
    masks.map(move |mask| (0..holders).filter(|at| mask & (1 << at) != 0).collect())
}

#[test]
fn e28_any_t_holders_have_the_root_and_fewer_do_not() {
    for (holders, threshold) in SIZES {
        let dealt = dealt(holders, threshold, 1);
        for enough in sets(holders, threshold as u32) {
            let root = rebuilt(&dealt, &enough).expect("enough holders");
            assert_eq!(root.commitment(), dealt.root().commitment(), "{enough:?}");
        }
        for few in sets(holders, threshold as u32 - 1) {
            assert!(rebuilt(&dealt, &few).is_none(), "{few:?} of {holders}");
        }
    }
}

/// What `t − 1` holders see is the same whatever the root is: XOR of their sub-keys with the root leaves the one that they
/// miss, which is uniform. Checked by its bits and bytes over many roots.
#[test]
fn e28_what_fewer_holders_miss_is_uniform_and_says_nothing_of_the_root() {
    const ROOTS: usize = 2_000;
    let sharing = Sharing::new(3, 2).expect("a size");
    let arena = arena();
    let (mut of_key, mut beside_root) = ([0u32; 256], [0u32; 256]);
    for _ in 0..ROOTS {
        let dealt = sharing.deal(&arena, &mut OsEntropy).expect("deals");
        let share = dealt.share(0).expect("a holder").encode();
        let root = dealt.root().encode();
        let (share, root) = (&share.expose()[5..], &root.expose()[2..]);
        for (byte, of_root) in share[..32].iter().zip(root) {
            of_key[usize::from(*byte)] += 1;
            beside_root[usize::from(byte ^ of_root)] += 1;
        }
    }
    for counts in [of_key, beside_root] {
        let expected = (ROOTS * 32) as f64 / 256.0;
        let chi: f64 = counts
            .iter()
            .map(|count| (f64::from(*count) - expected).powi(2) / expected)
            .sum();
        // 255 degrees of freedom: a uniform source crosses this less than once in 10^9 runs.
        assert!(chi < 400.0, "{chi}");
    }
}

#[test]
fn a_false_share_names_who_gave_it_and_changes_nothing() {
    let (dealt, other) = (dealt(3, 2, 1), dealt(3, 2, 2));
    let mut rebuilding = Rebuilding::new(dealt.sharing(), dealt.commitments()).expect("commitments");
    let share = |of: &DealtRoot, position: usize| of.share(position).expect("a holder");
    assert_eq!(rebuilding.add(0, share(&other, 0)), Err(ShareError::False));
    assert_eq!(rebuilding.add(0, share(&dealt, 1)), Err(ShareError::Foreign));
    assert_eq!(
        rebuilding.add(0, share(&self::dealt(5, 3, 1), 0)),
        Err(ShareError::Foreign)
    );
    for position in [1, 2] {
        rebuilding
            .add(position, share(&dealt, position))
            .expect("right shares");
    }
    let root = rebuilding.root(&arena()).expect("memory").expect("two holders");
    assert_eq!(root.commitment(), dealt.root().commitment());
}

#[test]
fn shares_keep_their_form() {
    for (holders, threshold) in SIZES {
        let dealt = dealt(holders, threshold, 3);
        for position in 0..holders {
            let share = dealt.share(position).expect("a holder");
            let bytes = share.encode();
            assert!(bytes.len() <= 1_125);
            let again = RootShare::decode(&bytes).expect("its own form");
            assert!(again.encode().matches(&bytes));
            for cut in 0..bytes.len() {
                assert!(RootShare::decode(&SecretBytes::from(&bytes.expose()[..cut])).is_err());
            }
        }
        assert!(dealt.share(holders).is_none());
    }
}

#[test]
fn sizes_that_two_groups_could_have_at_once_are_refused() {
    for (holders, threshold) in [(0, 0), (1, 0), (1, 2), (2, 1), (4, 2), (3, 4), (9, 5)] {
        assert!(
            Sharing::new(holders, threshold).is_err(),
            "{threshold} of {holders}"
        );
    }
}
