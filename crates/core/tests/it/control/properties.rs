//! Determinism, idempotence, no change on a rejection, nothing taken back.

use eunoe_core::control::{self, Command, ControlMachine, KeyOutcome, NodeState, Reply};
use eunoe_types::{Kid, NodeId};
use proptest::prelude::*;

use super::generate::{encoded, history};
use crate::support::{Answered, Rows, run};

fn reply(answer: &Answered) -> Reply {
    Reply::decode(&answer.reply).expect("a reply decodes")
}

proptest! {
    #[test]
    fn batching_into_transactions_changes_nothing(commands in history(), batch in 1usize..20) {
        let (mut one_by_one, mut batched) = (Rows::default(), Rows::default());
        let expected = run(&ControlMachine, &mut one_by_one, &encoded(&commands), 1);
        let answers = run(&ControlMachine, &mut batched, &encoded(&commands), batch);
        prop_assert_eq!(answers, expected);
        prop_assert_eq!(batched, one_by_one);
    }

    #[test]
    fn a_command_decodes_to_what_was_encoded(commands in history()) {
        for command in &commands {
            let bytes = command.encode();
            prop_assert_eq!(&Command::decode(&bytes), &Ok(command.clone()));
        }
    }

    #[test]
    fn a_rejection_writes_nothing_and_wakes_nobody(commands in history()) {
        let mut rows = Rows::default();
        for command in encoded(&commands) {
            let before = rows.clone();
            let answers = run(&ControlMachine, &mut rows, &[command], 1);
            if matches!(reply(&answers[0]), Reply::Rejected(_)) {
                prop_assert_eq!(&rows, &before);
                prop_assert!(answers[0].effects.is_empty());
            }
        }
    }

    #[test]
    fn a_command_repeated_at_once_adds_nothing(commands in history()) {
        let mut rows = Rows::default();
        for command in &commands {
            let bytes = encoded(std::slice::from_ref(command));
            let first = reply(&run(&ControlMachine, &mut rows, &bytes, 1)[0]);
            let before = rows.clone();
            let again = reply(&run(&ControlMachine, &mut rows, &bytes, 1)[0]);
            prop_assert_eq!(&rows, &before);
            match (command, first) {
                (Command::CreateKeys { .. }, Reply::Keys(outcomes)) => {
                    let Reply::Keys(again) = again else { panic!("keys got another answer: {again:?}") };
                    for (first, again) in outcomes.into_iter().zip(again) {
                        // What was stale may exist since, by a later key of the same command.
                        let stale = (KeyOutcome::StaleGeneration, KeyOutcome::StaleGeneration);
                        prop_assert!(again == KeyOutcome::Exists || (first, again) == stale);
                    }
                }
                (Command::Genesis(_), Reply::Done) => {
                    prop_assert_eq!(again, Reply::Rejected(control::Rejection::GenesisDone));
                }
                (_, first) => prop_assert_eq!(again, first),
            }
        }
    }

    #[test]
    fn what_was_fixed_stays_fixed(commands in history()) {
        let mut rows = Rows::default();
        for command in encoded(&commands) {
            let before = rows.clone();
            run(&ControlMachine, &mut rows, &[command], 1);
            if let Some(genesis) = control::genesis(&before).expect("decodes") {
                prop_assert_eq!(control::genesis(&rows).expect("decodes"), Some(genesis));
            }
            prop_assert!(control::cluster_version(&rows).expect("decodes")
                >= control::cluster_version(&before).expect("decodes"));
            for kid in (0x41u8..0x49).map(|byte| Kid([byte; 16])) {
                if let Some(key) = control::key_state(&before, &kid).expect("decodes") {
                    prop_assert_eq!(control::key_state(&rows, &kid).expect("decodes"), Some(key));
                }
            }
            for id in (1..6).map(NodeId) {
                let Some(known) = control::node(&before, id).expect("decodes") else { continue };
                let now = control::node(&rows, id).expect("decodes").expect("a node id is never forgotten");
                prop_assert_eq!(now.spki_sha256, known.spki_sha256);
                prop_assert!(known.state == NodeState::Admitted || now.state == NodeState::Removed);
            }
        }
    }

    #[test]
    fn a_key_has_all_its_rows_or_none(commands in history()) {
        let mut rows = Rows::default();
        for command in &commands {
            let before = rows.clone();
            let answer = run(&ControlMachine, &mut rows, &encoded(std::slice::from_ref(command)), 1).remove(0);
            let (Command::CreateKeys { keys, .. }, Reply::Keys(outcomes)) = (command, reply(&answer)) else {
                continue;
            };
            prop_assert_eq!(keys.len(), outcomes.len());
            for (key, outcome) in keys.iter().zip(outcomes) {
                if outcome != KeyOutcome::Created {
                    continue;
                }
                prop_assert_eq!(control::key_state(&before, &key.kid).expect("decodes"), None);
                let state = control::key_state(&rows, &key.kid).expect("decodes").expect("a created key has a state");
                prop_assert_eq!((state.kind, state.commit, state.key_commit), (key.kind, key.commit, key.key_commit));
                for row in &key.rows {
                    let stored = control::leaf_row(&rows, row.tree, row.page, &row.tag).expect("decodes");
                    prop_assert!(stored.is_some(), "a row of a created key is missing");
                }
            }
        }
    }
}
