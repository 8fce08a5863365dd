//! Bytes that this project did not write: the same answer everywhere, no panic, and no write beside a fault.

use eunoe_core::data::{DataMachine, decode_replies};
use proptest::prelude::*;
use proptest::sample::Index;

use super::generate::{command, commands, history};
use crate::support::{Rows, attempt, run};

fn same_answer_everywhere(rows: &Rows, bytes: &[u8]) -> Result<(), TestCaseError> {
    let (changes, outcome) = attempt(&DataMachine, rows, bytes);
    if outcome.is_err() {
        prop_assert!(changes.is_empty(), "a fault left a write behind");
    }
    prop_assert_eq!((changes, outcome), attempt(&DataMachine, rows, bytes));
    Ok(())
}

proptest! {
    #[test]
    fn anything_gets_a_deterministic_answer(
        bytes in prop::collection::vec(any::<u8>(), 0..120),
        operations in 0u8..4,
        tag in 0u8..5,
    ) {
        let rows = Rows::default();
        same_answer_everywhere(&rows, &bytes)?;
        same_answer_everywhere(&rows, &[&[1, operations, tag][..], &bytes].concat())?;
    }

    #[test]
    fn a_damaged_command_gets_a_deterministic_answer(
        operations in history(),
        at in any::<Index>(),
        flip in 1u8..,
        cut in any::<Index>(),
    ) {
        let mut rows = Rows::default();
        run(&DataMachine, &mut rows, &commands(&operations), 9);
        let mut bytes = command(&operations);
        let cut = cut.index(bytes.len());
        prop_assert!(attempt(&DataMachine, &rows, &bytes[..cut]).1.is_err(), "a cut command was taken");
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        same_answer_everywhere(&rows, &bytes)?;
    }

    #[test]
    fn replies_decode_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..80), tag in 0u8..6) {
        let _any_answer_will_do = decode_replies(&bytes);
        let _any_answer_will_do = decode_replies(&[&[1, 1, tag][..], &bytes].concat());
    }
}

#[test]
fn an_unknown_format_and_a_trailing_byte_are_faults() {
    let rows = Rows::default();
    let good = command(&[]);
    assert!(attempt(&DataMachine, &rows, &good).1.is_ok());
    for bad in [
        [&[2][..], &good[1..]].concat(),
        [&good[..], &[0]].concat(),
        Vec::new(),
    ] {
        assert!(attempt(&DataMachine, &rows, &bad).1.is_err(), "{bad:?}");
    }
}
