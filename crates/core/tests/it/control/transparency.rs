//! The transparency log: append-only, canonical, and without any key's or person's name.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eunoe_core::control::{self, ControlMachine};
use eunoe_evidence::Object;
use eunoe_merkle::{Frontier, leaf_hash};
use proptest::prelude::*;

use super::generate::{encoded, history};
use crate::support::table::hex;
use crate::support::{Rows, run};

fn leaves(rows: &Rows) -> Vec<Vec<u8>> {
    let count = control::event_count(rows).expect("a frontier decodes");
    (0..count)
        .map(|index| {
            control::event(rows, index)
                .expect("reads")
                .expect("a leaf is missing")
        })
        .collect()
}

proptest! {
    #[test]
    fn leaves_are_only_ever_added(commands in history()) {
        let mut rows = Rows::default();
        let mut before = Vec::new();
        for command in encoded(&commands) {
            run(&ControlMachine, &mut rows, &[command], 1);
            let now = leaves(&rows);
            prop_assert!(now.starts_with(&before), "a leaf changed");
            before = now;
        }
        let next = control::event(&rows, before.len() as u64).expect("reads");
        prop_assert_eq!(next, None, "a leaf stands beyond the frontier");
    }

    #[test]
    fn the_stored_frontier_is_the_tree_over_the_leaves(commands in history()) {
        let mut rows = Rows::default();
        run(&ControlMachine, &mut rows, &encoded(&commands), 4);
        let mut frontier = Frontier::new();
        leaves(&rows).iter().for_each(|leaf| frontier.append(leaf_hash(leaf)));
        let stored = rows.0.get(&vec![0x28]).cloned();
        let expected = (frontier.size() > 0).then(|| frontier.encode());
        prop_assert_eq!(stored, expected);
    }

    #[test]
    fn leaves_are_canonical_and_name_no_key(commands in history()) {
        let mut rows = Rows::default();
        run(&ControlMachine, &mut rows, &encoded(&commands), 4);
        for leaf in leaves(&rows) {
            let text = std::str::from_utf8(&leaf).expect("ASCII");
            let read = Object::parse(&leaf).map(|object| object.to_string());
            prop_assert_eq!(read.as_deref(), Ok(text), "not canonical");
            prop_assert!(text.contains("\"t\":\"eunoe/"), "no type: {text}");
            for kid in 0x41u8..0x49 {
                let forms = [format!("\"{}\"", STANDARD.encode([kid; 16])), hex(&[kid; 16])];
                prop_assert!(forms.iter().all(|form| !text.contains(form)), "a leaf names a key: {text}");
            }
        }
    }
}
