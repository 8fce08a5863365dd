//! A root is put together from any shares that are enough, and a false one names whose it is.

mod support;

use eunoe_core::control::{MadeRoot, RootRow, Sharing};
use eunoe_crypto::{DealtRoot, SecretBytes, ShareError};
use eunoe_custody::{Gathering, KeyringError, RefusedShare, dealing, made_root, share_among};
use eunoe_types::NodeId;
use support::{Seeded, arena};

/// A root that 2, 5 and 7 share, and the row of it.
fn shared(seed: u64) -> (DealtRoot, RootRow) {
    let sharing = share_among([7, 2, 5].map(NodeId), 3);
    let dealt = dealing(&sharing)
        .expect("is sound")
        .deal(&arena(), &mut Seeded(seed));
    let dealt = dealt.expect("deals");
    let row = RootRow {
        leads_to: 0,
        made: Some(made_root(&dealt, vec![NodeId(7), NodeId(2)])),
        sharing,
        verified: Vec::new(),
    };
    (dealt, row)
}

fn gathering(row: &RootRow) -> Gathering {
    Gathering::new(row).expect("is shared soundly").expect("is made")
}

fn share(dealt: &DealtRoot, position: usize) -> SecretBytes {
    dealt.share(position).expect("is a holder").encode()
}

#[test]
fn a_root_is_shared_among_the_holders_in_their_order_by_most_of_the_voters() {
    let nodes = |ids: &[u64]| ids.iter().copied().map(NodeId).collect::<Vec<_>>();
    for (voters, threshold) in [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (7, 4)] {
        let sharing = share_among(nodes(&[3, 1, 2, 3]), voters);
        assert_eq!(
            sharing,
            Sharing {
                holders: nodes(&[1, 2, 3]),
                threshold
            }
        );
    }
    let (dealt, row) = shared(1);
    assert_eq!(
        row.made,
        Some(MadeRoot {
            root_commit: dealt.root().commitment(),
            sub_keys: dealt.commitments(),
            kept: nodes(&[2, 7]),
        })
    );
    for unsound in [share_among(nodes(&[]), 0), share_among(nodes(&[1, 2]), 9)] {
        assert!(dealing(&unsound).is_err());
    }
}

#[test]
fn any_two_of_three_have_the_root_and_one_has_not() {
    let (dealt, row) = shared(1);
    let holders = row.sharing.holders.clone();
    for from in [
        &[0][..],
        &[1],
        &[2],
        &[0, 1],
        &[1, 2],
        &[2, 0],
        &[0, 1, 2],
        &[1, 1],
    ] {
        let mut gathering = gathering(&row);
        for position in from {
            let taken = gathering.add(holders[*position], &share(&dealt, *position));
            assert_eq!(taken, Ok(()));
        }
        let root = gathering.root(&arena()).expect("memory");
        let expected = (from.len() > 1 && from[0] != from[1]).then(|| dealt.root().commitment());
        assert_eq!(root.map(|root| root.commitment()), expected, "{from:?}");
    }
}

#[test]
fn a_false_share_is_refused_with_whose_it_is_and_spoils_nothing() {
    let (dealt, row) = shared(1);
    let (other, _) = shared(2);
    let mut gathering = gathering(&row);
    let refused = |why: ShareError| Err(RefusedShare::Share(why));
    assert_eq!(
        gathering.add(NodeId(2), &share(&other, 0)),
        refused(ShareError::False)
    );
    assert_eq!(
        gathering.add(NodeId(2), &share(&dealt, 1)),
        refused(ShareError::Foreign),
        "the share of the next holder"
    );
    assert_eq!(
        gathering.add(NodeId(3), &share(&dealt, 0)),
        refused(ShareError::Foreign),
        "no holder at all"
    );
    let cut = share(&dealt, 0).expose()[1..].to_vec();
    assert_eq!(
        gathering.add(NodeId(2), &SecretBytes::new(cut)),
        Err(RefusedShare::Malformed)
    );
    assert!(gathering.root(&arena()).expect("memory").is_none());
    for (holder, position) in [(5, 1), (7, 2)] {
        assert_eq!(gathering.add(NodeId(holder), &share(&dealt, position)), Ok(()));
    }
    assert_eq!(
        gathering.add(NodeId(2), &share(&other, 0)),
        refused(ShareError::False)
    );
    let root = gathering.root(&arena()).expect("memory").expect("two of three");
    assert_eq!(root.commitment(), dealt.root().commitment());
}

#[test]
fn commitments_that_contradict_each_other_give_no_root() {
    let (dealt, mut row) = shared(1);
    row.made.as_mut().expect("is made").root_commit[0] ^= 1;
    let mut gathering = gathering(&row);
    for (holder, position) in [(2, 0), (5, 1)] {
        assert_eq!(gathering.add(NodeId(holder), &share(&dealt, position)), Ok(()));
    }
    assert!(matches!(gathering.root(&arena()), Err(KeyringError::WrongRoot)));
}

#[test]
fn of_a_root_that_was_not_made_nothing_is_gathered() {
    let (_, mut row) = shared(1);
    row.made.as_mut().expect("is made").sub_keys.pop();
    assert!(Gathering::new(&row).is_err(), "a sub-key has no commitment");
    row.made = None;
    assert!(Gathering::new(&row).expect("reads").is_none());
}
