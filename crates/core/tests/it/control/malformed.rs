//! Bytes that this project did not write: the same answer everywhere, no panic, and no write beside a fault.

use eunoe_core::control::{Command, ControlMachine, Reply};
use proptest::prelude::*;
use proptest::sample::Index;

use super::generate::{encoded, history};
use super::group::{BOOT, among, made, node};
use crate::support::{Rows, attempt, run};

fn same_answer_everywhere(rows: &Rows, bytes: &[u8]) -> Result<(), TestCaseError> {
    let (changes, outcome) = attempt(&ControlMachine, rows, bytes);
    if outcome.is_err() {
        prop_assert!(changes.is_empty(), "a fault left a write behind");
    }
    prop_assert_eq!((changes, outcome), attempt(&ControlMachine, rows, bytes));
    Ok(())
}

proptest! {
    #[test]
    fn anything_gets_a_deterministic_answer(bytes in prop::collection::vec(any::<u8>(), 0..120), tag in 0u8..27) {
        let rows = Rows::default();
        same_answer_everywhere(&rows, &bytes)?;
        same_answer_everywhere(&rows, &[&[1, tag][..], &bytes].concat())?;
    }

    #[test]
    fn a_damaged_command_gets_a_deterministic_answer(
        commands in history(),
        at in any::<Index>(),
        flip in 1u8..,
        cut in any::<Index>(),
    ) {
        let mut rows = Rows::default();
        run(&ControlMachine, &mut rows, &encoded(&commands), 9);
        for mut bytes in encoded(&commands) {
            let cut = cut.index(bytes.len());
            prop_assert!(Command::decode(&bytes[..cut]).is_err(), "a cut command was taken");
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            same_answer_everywhere(&rows, &bytes)?;
        }
    }

    #[test]
    fn a_decoded_command_is_the_only_form_of_itself(
        commands in history(),
        at in any::<Index>(),
        flip in 1u8..,
    ) {
        for mut bytes in encoded(&commands) {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            if let Ok(command) = Command::decode(&bytes) {
                prop_assert_eq!(command.encode(), bytes);
            }
        }
    }

    #[test]
    fn replies_decode_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..80), tag in 0u8..6) {
        for bytes in [&bytes[..], &[&[1, tag][..], &bytes].concat()] {
            if let Ok(reply) = Reply::decode(bytes) {
                prop_assert_eq!(reply.encode(), bytes);
            }
        }
    }
}

#[test]
fn a_version_that_this_release_does_not_know_stops_the_node() {
    let mut rows = Rows::default();
    let sharing = among([1]);
    let genesis = eunoe_core::control::Genesis {
        realm: eunoe_types::Realm([1; 16]),
        attempt: 1,
        pages: Vec::new(),
        levels: 2,
        made: made(&sharing, [2; 32]),
        sharing,
        founder: (eunoe_types::NodeId(1), BOOT),
        data_groups: 1,
        time: eunoe_types::TimeMs(1),
        nodes: vec![node(1)],
        policy: eunoe_core::placement::Policy::Eu27,
        log_key: [0x4b; 32],
    };
    run(
        &ControlMachine,
        &mut rows,
        &encoded(&[Command::Genesis(genesis)]),
        1,
    );
    let (changes, outcome) = attempt(&ControlMachine, &rows, &Command::RaiseVersion(2).encode());
    assert!(outcome.is_err() && changes.is_empty());
}
