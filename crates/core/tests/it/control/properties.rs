//! Determinism, idempotence, no change on a rejection, nothing taken back.

use eunoe_core::control::{self, Command, ControlMachine, KeyOutcome, NodeState, Reply};
use eunoe_types::NodeId;
use proptest::prelude::*;

use super::generate::{NODES, encoded, history};
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
            let mut repeated = rows.clone();
            let again = reply(&run(&ControlMachine, &mut repeated, &bytes, 1)[0]);
            match (command, first, again) {
                // These go on with what is left, and each report of a share that came back is one more.
                (Command::ExpandErasure(_) | Command::Sweep | Command::VaultRolledBack(_), ..) => continue,
                (Command::CreateKeys { keys, .. }, Reply::Keys(first), Reply::Keys(again)) => {
                    for ((key, first), again) in keys.iter().zip(first).zip(&again) {
                        if first == KeyOutcome::Created {
                            prop_assert_eq!(*again, KeyOutcome::Exists);
                            prop_assert_eq!(
                                control::key_state(&repeated, &key.kid).expect("decodes"),
                                control::key_state(&rows, &key.kid).expect("decodes")
                            );
                        }
                    }
                    // A key may stand before its parent, or before what it replaces, in the same command.
                    if again.contains(&KeyOutcome::Created) {
                        continue;
                    }
                }
                (Command::Genesis(_), Reply::Done, again) => {
                    prop_assert_eq!(again, Reply::Rejected(control::Rejection::GenesisDone));
                }
                (Command::RequestErasure(_), Reply::Erasure { id, .. }, again) => {
                    prop_assert_eq!(again, Reply::Erasure { id, created: false });
                }
                (Command::BeginEpoch(_), Reply::Done, again) => {
                    prop_assert_eq!(again, Reply::Rejected(control::Rejection::WrongAttempt));
                }
                (Command::EpochChunk(_), Reply::Done, again) => {
                    prop_assert_eq!(again, Reply::Rejected(control::Rejection::WrongChunk));
                }
                (Command::SwitchEpoch(_) | Command::AbortEpoch { .. }, Reply::Done, again) => {
                    prop_assert_eq!(again, Reply::Rejected(control::Rejection::WrongAttempt));
                }
                (_, first, again) => prop_assert_eq!(again, first),
            }
            prop_assert_eq!(&repeated, &rows);
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
            for id in NODES.map(NodeId) {
                let Some(known) = control::node(&before, id).expect("decodes") else { continue };
                let now = control::node(&rows, id).expect("decodes").expect("a node id is never forgotten");
                prop_assert_eq!(now.spki_sha256, known.spki_sha256);
                prop_assert!(known.state.is_admitted() || now.state == NodeState::Removed);
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
                prop_assert_eq!((state.kind, state.parent, state.commit, state.key_commit), (key.kind, key.parent, key.commit, key.key_commit));
                for row in &key.rows {
                    let stored = control::leaf_row(&rows, row.tree, row.page, &row.tag).expect("decodes");
                    prop_assert!(stored.is_some(), "a row of a created key is missing");
                }
            }
        }
    }
}
