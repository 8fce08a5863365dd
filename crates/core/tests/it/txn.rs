//! What a transaction reads is the store's rows with its own writes over them.

use std::collections::BTreeMap;

use eunoe_core::{Row, Txn};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::support::Rows;

/// Keys that share prefixes, with the highest byte among their bytes.
fn key() -> impl Strategy<Value = Vec<u8>> {
    vec(select(vec![0x00, 0x01, 0x7f, 0xfe, 0xff]), 0..4).prop_map(|tail| [&[0x23][..], &tail].concat())
}

/// Rows of other tables on both sides.
fn stored() -> impl Strategy<Value = BTreeMap<Vec<u8>, Vec<u8>>> {
    proptest::collection::btree_map(key(), vec(any::<u8>(), 0..3), 0..12).prop_map(|mut rows| {
        rows.insert(vec![0x22, 0xff], vec![1]);
        rows.insert(vec![0x24], vec![2]);
        rows
    })
}

proptest! {
    #[test]
    fn scans_see_the_store_under_own_writes(
        stored in stored(),
        writes in vec((key(), proptest::option::of(vec(any::<u8>(), 0..3))), 0..12),
        (prefix, after) in (key(), proptest::option::of(key())),
        rows_max in prop_oneof![0usize..6, Just(usize::MAX)],
    ) {
        let view = Rows(stored.clone());
        let (mut txn, mut model) = (Txn::new(&view), stored);
        for (key, change) in writes {
            match change {
                Some(value) => {
                    txn.put(key.clone(), value.clone());
                    model.insert(key, value);
                }
                None => {
                    txn.delete(key.clone());
                    model.remove(&key);
                }
            }
        }
        let inside: Vec<Row> = model.into_iter().filter(|(key, _)| key.starts_with(&prefix)).collect();
        let expected: Vec<Row> = inside
            .iter()
            .filter(|(key, _)| after.as_ref().is_none_or(|after| key > after))
            .take(rows_max)
            .cloned()
            .collect();
        prop_assert_eq!(txn.scan_prefix(&prefix, after.as_deref(), rows_max).expect("reads"), expected);
        prop_assert_eq!(txn.last_with_prefix(&prefix).expect("reads"), inside.last().cloned());
    }
}
