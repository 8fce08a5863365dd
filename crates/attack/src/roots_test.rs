use super::*;

const SLOT: Slot = Slot { epoch: 3, attempt: 4 };

/// The share of a holder, from one byte for each sub-key.
fn share((holders, threshold, position): (u8, u8, u8), sub_key: impl Fn(u16) -> u8) -> SecretBytes {
    let mut bytes = vec![VERSION, SHARE, holders, threshold, position];
    let sets = sets(holders, threshold).expect("a sharing");
    for set in sets.into_iter().filter(|set| set & 1 << position == 0) {
        bytes.extend_from_slice(&[sub_key(set); 32]);
    }
    SecretBytes::new(bytes)
}

fn found(shares: &[SecretBytes]) -> Vec<u8> {
    let mut roots = Roots::default();
    shares.iter().for_each(|share| roots.take_secret(SLOT, share));
    assert_eq!(roots.strange, 0);
    roots.found().iter().map(|root| root.key.expose()[31]).collect()
}

#[test]
fn so_many_shares_make_the_root_and_one_fewer_make_none() {
    for (holders, threshold) in [(1, 1), (3, 2), (5, 3), (7, 4)] {
        let all = sets(holders, threshold).expect("a sharing");
        let value = |set: u16| (set as u8).wrapping_mul(31).wrapping_add(7);
        let root = all.iter().fold(0, |sum, set| sum ^ value(*set));
        let shares = |from: u8, count: u8| -> Vec<SecretBytes> {
            let positions = from..from + count;
            positions
                .map(|position| share((holders, threshold, position), value))
                .collect()
        };
        for from in 0..=holders - threshold {
            assert_eq!(found(&shares(from, threshold)), [root]);
            assert_eq!(found(&shares(from, threshold - 1)), [0; 0]);
        }
    }
}

#[test]
fn a_holder_that_contradicts_the_others_hides_nothing() {
    let honest = |set: u16| set as u8;
    let shares = [
        share((3, 2, 0), honest),
        share((3, 2, 1), |set| honest(set) ^ 0x40),
        share((3, 2, 2), honest),
    ];
    let root = sets(3, 2)
        .expect("a sharing")
        .into_iter()
        .fold(0, |sum, set| sum ^ honest(set));
    assert!(found(&shares).contains(&root));
}

#[test]
fn a_whole_root_is_taken_and_what_is_neither_is_counted() {
    let mut roots = Roots::default();
    roots.take_secret(
        SLOT,
        &SecretBytes::new([&[VERSION, WHOLE][..], &[9; 32]].concat()),
    );
    for strange in [&[][..], &[1, 0, 9], &[1, 1, 3, 2, 0], &[1, 7], &[2, 0]] {
        roots.take_secret(SLOT, &SecretBytes::from(strange));
    }
    assert_eq!((roots.found().len(), roots.strange), (1, 5));
}
