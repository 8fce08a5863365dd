//! Reads find what the history put there, page by page.

use eunoe_core::data::{self, DataMachine};
use eunoe_types::{ConversationId, Kid, Seq, TimeMs};
use proptest::prelude::*;

use super::generate::{commands, history};
use crate::support::{Rows, run};

proptest! {
    #[test]
    fn a_search_by_time_finds_the_first_message_of_that_time(operations in history(), time in 0u64..6_000) {
        let mut rows = Rows::default();
        run(&DataMachine, &mut rows, &commands(&operations), 5);
        for id in (1u8..=3).map(|byte| ConversationId([byte; 16])) {
            let Some(head) = data::head(&rows, &id).expect("decodes") else { continue };
            let all = data::messages(&rows, &id, (Seq(1), head.last_seq), false, usize::MAX, usize::MAX)
                .expect("messages decode");
            let first = all.iter().find(|(_, message)| message.time >= TimeMs(time)).map(|(seq, _)| *seq);
            let found = data::seq_at_time(&rows, &id, TimeMs(time), head.last_seq).expect("no gap");
            prop_assert_eq!(found, first.unwrap_or(Seq(head.last_seq.0 + 1)));
        }
    }

    #[test]
    fn pages_in_both_directions_give_every_message_once(operations in history(), rows_max in 1usize..7) {
        let mut rows = Rows::default();
        run(&DataMachine, &mut rows, &commands(&operations), 5);
        for id in (1u8..=3).map(|byte| ConversationId([byte; 16])) {
            let Some(head) = data::head(&rows, &id).expect("decodes") else { continue };
            let last = head.last_seq.0;
            let (mut forward, mut backward) = (Vec::new(), Vec::new());
            while (forward.len() as u64) < last {
                let from = Seq(forward.len() as u64 + 1);
                let page = data::messages(&rows, &id, (from, Seq(last)), false, rows_max, 1).expect("decodes");
                prop_assert!(!page.is_empty() && page.len() <= rows_max);
                forward.extend(page.into_iter().map(|(seq, _)| seq.0));
            }
            while (backward.len() as u64) < last {
                let to = Seq(last - backward.len() as u64);
                let page = data::messages(&rows, &id, (Seq(1), to), true, rows_max, usize::MAX).expect("decodes");
                prop_assert!(!page.is_empty() && page.len() <= rows_max);
                backward.extend(page.into_iter().map(|(seq, _)| seq.0));
            }
            let expected: Vec<u64> = (1..=last).collect();
            prop_assert_eq!(&forward, &expected);
            backward.reverse();
            prop_assert_eq!(&backward, &expected);
        }
    }

    #[test]
    fn pages_of_somebodys_conversations_give_each_once(operations in history()) {
        let mut rows = Rows::default();
        run(&DataMachine, &mut rows, &commands(&operations), 5);
        for kid in (0x41u8..=0x44).map(|byte| Kid([byte; 16])) {
            let all = data::conversations_of(&rows, &kid, None, usize::MAX).expect("decodes");
            let mut paged = Vec::new();
            loop {
                let page = data::conversations_of(&rows, &kid, paged.last(), 1).expect("decodes");
                let Some(next) = page.first() else { break };
                paged.push(*next);
                prop_assert!(paged.len() <= all.len(), "a page repeats");
            }
            for id in (1u8..=3).map(|byte| ConversationId([byte; 16])) {
                let is_of = data::is_of(&rows, &id, &kid).expect("reads");
                prop_assert_eq!(is_of, all.contains(&id));
            }
            prop_assert_eq!(paged, all);
        }
    }
}
