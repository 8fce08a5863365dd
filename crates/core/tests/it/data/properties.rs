//! Determinism, idempotence, no change on a rejection, no gaps.

use eunoe_core::data::{Appended, DataMachine, Operation, Reply};
use eunoe_types::ConversationId;
use proptest::prelude::*;

use super::generate::{command, commands, history, operation, replies};
use super::invariants::checked_messages;
use crate::support::{Rows, run};

fn conversations() -> impl Iterator<Item = ConversationId> {
    (1u8..=3).map(|byte| ConversationId([byte; 16]))
}

proptest! {
    #[test]
    fn batching_into_transactions_and_commands_changes_nothing(
        operations in history(),
        batch in 1usize..20,
        per_command in 1usize..9,
    ) {
        let (mut one_by_one, mut batched, mut merged) = (Rows::default(), Rows::default(), Rows::default());
        let expected = run(&DataMachine, &mut one_by_one, &commands(&operations), 1);
        let answers = run(&DataMachine, &mut batched, &commands(&operations), batch);
        prop_assert_eq!(&answers, &expected);
        prop_assert_eq!(&batched, &one_by_one);

        let larger: Vec<Vec<u8>> = operations.chunks(per_command).map(command).collect();
        let answers = run(&DataMachine, &mut merged, &larger, batch);
        prop_assert_eq!(replies(&answers), replies(&expected));
        prop_assert_eq!(&merged, &one_by_one);
    }

    #[test]
    fn a_rejection_writes_nothing_and_wakes_nobody(operations in history()) {
        let mut rows = Rows::default();
        for command in commands(&operations) {
            let before = rows.clone();
            let answers = run(&DataMachine, &mut rows, &[command], 1);
            let rejected = matches!(replies(&answers)[..], [Reply::Rejected(_)]);
            if rejected {
                prop_assert_eq!(&rows, &before);
                prop_assert!(answers[0].effects.is_empty());
            }
        }
    }

    #[test]
    fn a_repeated_operation_adds_nothing_and_gets_the_first_answer(
        operations in history(),
        interlude in prop::collection::vec(operation(), 0..8),
    ) {
        let mut rows = Rows::default();
        let first = replies(&run(&DataMachine, &mut rows, &commands(&operations), 1));
        run(&DataMachine, &mut rows, &commands(&interlude), 1);
        let before = rows.clone();
        for (operation, first) in operations.iter().zip(first) {
            if matches!(first, Reply::Rejected(_)) {
                // It had no effect, so a later try may succeed: that is a new operation.
                continue;
            }
            let again = replies(&run(&DataMachine, &mut rows, &commands(std::slice::from_ref(operation)), 1));
            prop_assert_eq!(&again, &vec![as_repeated(first)]);
            prop_assert_eq!(&rows, &before);
        }
    }

    #[test]
    fn every_history_leads_to_a_sound_state(operations in history(), batch in 1usize..9) {
        let mut rows = Rows::default();
        let answers = replies(&run(&DataMachine, &mut rows, &commands(&operations), batch));
        for conversation in conversations() {
            let acknowledged: Vec<_> = operations.iter().zip(&answers).filter_map(|(operation, reply)| {
                match (operation, reply) {
                    (Operation::Append(message), Reply::Appended(appended))
                        if message.conversation == conversation && !appended.replayed => Some(message.id),
                    _ => None,
                }
            }).collect();
            prop_assert_eq!(checked_messages(&rows, &conversation), acknowledged);
        }
    }
}

/// The first answer to an operation, as it is given again.
fn as_repeated(first: Reply) -> Reply {
    match first {
        Reply::Appended(appended) => Reply::Appended(Appended {
            replayed: true,
            ..appended
        }),
        Reply::Created { .. } => Reply::Created { new: false },
        Reply::Closed { .. } | Reply::Rejected(_) => first,
    }
}
