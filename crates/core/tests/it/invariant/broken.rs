//! States that each break one rule, and are right otherwise.

use std::collections::BTreeSet;

use eunoe_core::control::Command;
use eunoe_core::data::DataMachine;
use eunoe_core::invariant::{Invariant, Pass};
use eunoe_types::GroupId;

use crate::control::group::{BOOT, Group, TENANT, erasure_id, kid, request};
use crate::data::generate::commands;
use crate::golden::data_commands::operations;
use crate::support::table::unhex;
use crate::support::{Rows, run};

/// A rule, what is done to the rows, and to which group's.
type Break = (Invariant, GroupId, fn(&mut Rows));

/// Leaves of a tile.
const TILE: usize = 256;
const CONTROL: GroupId = GroupId::CONTROL;
const DATA: GroupId = GroupId(1);

/// A conversation with people, key sets and two messages, and an empty one.
fn data_rows() -> Rows {
    let mut rows = Rows::default();
    let operations: Vec<_> = operations().into_iter().map(|(_, operation)| operation).collect();
    run(&DataMachine, &mut rows, &commands(&operations), 1);
    rows
}

/// Epoch 1, with one erasure that is destroyed although one node has not spoken, and one fenced, and a log of more
/// leaves than one tile has.
fn control_rows() -> Rows {
    let mut group = Group::with_subjects(4);
    for _ in 0..TILE / 2 {
        group.propose(&Command::Seal(true));
        group.propose(&Command::Seal(false));
    }
    group.grant_all();
    group.propose(&request(erasure_id(0), kid(0), 1, false));
    group.begin(vec![kid(0)], vec![(2, 7)]);
    group.switch();
    for node in 1..=2 {
        group.attest(node, 1);
    }
    group.lease_over(3);
    group.propose(&request(erasure_id(1), kid(1), 1, false));
    group.rows
}

/// The rows of a table.
fn of(rows: &Rows, table: u8) -> Vec<Vec<u8>> {
    let inside = rows.0.range(vec![table]..vec![table + 1]);
    inside.map(|(key, _)| key.clone()).collect()
}

/// Removes the last row of a table.
fn remove_last(rows: &mut Rows, table: u8) {
    let key = of(rows, table).pop().expect("the table has a row");
    rows.0.remove(&key);
}

/// Changes the byte at `at` of the first row of a table.
fn change_first(rows: &mut Rows, table: u8, at: usize, byte: u8) {
    let key = of(rows, table).remove(0);
    let value = rows.0.get_mut(&key).expect("the row is there");
    assert_ne!(value[at], byte, "nothing changes");
    value[at] = byte;
}

fn add(rows: &mut Rows, key: &[&[u8]], value: &[u8]) {
    rows.0.insert(key.concat(), value.to_vec());
}

const BREAKS: &[Break] = &[
    (Invariant::RowsDecode, DATA, |rows| add(rows, &[&[0x17]], b"")),
    (Invariant::RowsDecode, CONTROL, |rows| add(rows, &[&[0x3e]], b"")),
    // A row of the other kind of group.
    (Invariant::RowsDecode, DATA, |rows| {
        add(rows, &[&[0x22, 1, 1, 0, 0, 0, 0]], b"")
    }),
    (Invariant::ConversationHasHead, DATA, |rows| {
        remove_last(rows, 0x11)
    }),
    (Invariant::ConversationHasHead, DATA, |rows| {
        remove_last(rows, 0x10)
    }),
    // The head counts one more, or one less.
    (Invariant::MessagesWithoutGap, DATA, |rows| {
        change_first(rows, 0x11, 1, 3)
    }),
    (Invariant::TimesRise, DATA, |rows| {
        change_first(rows, 0x11, 2, 0xad)
    }),
    (Invariant::TimesRise, DATA, |rows| {
        change_first(rows, 0x14, 17, 0xad)
    }),
    (Invariant::MessageIdsLead, DATA, |rows| remove_last(rows, 0x15)),
    (Invariant::MessageIdsLead, DATA, |rows| {
        add(
            rows,
            &[&[0x15], &[0x11; 16], &[0x43; 16]],
            &[1, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        );
    }),
    (Invariant::NumbersInRange, DATA, |rows| {
        change_first(rows, 0x14, 23, 9)
    }),
    (Invariant::ParticipantsNumbered, DATA, |rows| {
        change_first(rows, 0x11, 8, 4)
    }),
    (Invariant::ParticipantsNumbered, DATA, |rows| {
        remove_last(rows, 0x16)
    }),
    (Invariant::KeySetsNumbered, DATA, |rows| {
        change_first(rows, 0x11, 9, 3)
    }),
    (Invariant::GenesisWhole, CONTROL, |rows| remove_last(rows, 0x25)),
    (Invariant::GenesisWhole, CONTROL, |rows| remove_last(rows, 0x20)),
    (Invariant::NodesFiled, CONTROL, |rows| {
        let first = of(rows, 0x21).remove(0);
        let row = rows.0[&first].clone();
        add(rows, &[&[0x21], &9u64.to_be_bytes()], &row);
    }),
    // The attempt that made the root is beyond the last one.
    (Invariant::EpochNumbers, CONTROL, |rows| {
        change_first(rows, 0x2f, 2, 2);
        let known = of(rows, 0x36).pop().expect("the current root is there");
        let row = rows.0.remove(&known).expect("is there");
        add(rows, &[&[0x36], &1u64.to_be_bytes(), &2u64.to_be_bytes()], &row);
    }),
    // The current root is not there.
    (Invariant::RootsShared, CONTROL, |rows| remove_last(rows, 0x36)),
    // More nodes are needed than there are.
    (Invariant::RootsShared, CONTROL, |rows| {
        change_first(rows, 0x36, 6, 4)
    }),
    (Invariant::EpochUnderPreparation, CONTROL, |rows| {
        add(rows, &[&[0x30, 1, 0, 0, 0, 1]], b"")
    }),
    (Invariant::EpochUnderPreparation, CONTROL, |rows| {
        add(rows, &[&[0x24, 1, 0, 0, 0, 0, 0]], &1u64.to_be_bytes());
    }),
    (Invariant::PageGenerations, CONTROL, |rows| {
        add(rows, &[&[0x2a, 1, 0, 0, 0, 1]], &9u32.to_be_bytes());
    }),
    // A row of a generation that nobody made.
    (Invariant::PageGenerations, CONTROL, |rows| {
        add(
            rows,
            &[&[0x23, 1, 0, 0, 0, 1], &9u32.to_be_bytes(), &[5; 16]],
            b"sealed",
        );
    }),
    // What is in use is to be swept.
    (Invariant::PageGenerations, CONTROL, |rows| {
        add(rows, &[&[0x31, 1, 0, 0, 0, 1, 0, 0, 0, 0]], b"")
    }),
    (Invariant::KeyParents, CONTROL, |rows| remove_last(rows, 0x2b)),
    (Invariant::KeyParents, CONTROL, |rows| {
        add(rows, &[&[0x2b], &TENANT.0, &[0x99; 16]], b"")
    }),
    (Invariant::KeyStates, CONTROL, |rows| remove_last(rows, 0x2c)),
    (Invariant::KeyStates, CONTROL, |rows| {
        add(rows, &[&[0x2c], &99u64.to_be_bytes(), &kid(2).0], b"");
    }),
    (Invariant::ErasuresListed, CONTROL, |rows| remove_last(rows, 0x2e)),
    (Invariant::ErasureLadder, CONTROL, |rows| {
        add(rows, &[&[0x35], &0u64.to_be_bytes(), &erasure_id(1).0], b"");
    }),
    (Invariant::ErasureLadder, CONTROL, |rows| {
        add(rows, &[&[0x33], &erasure_id(1).0, &kid(1).0], b"");
    }),
    // What waits for the last node's word does not wait, and what is fenced does.
    (Invariant::ErasureLadder, CONTROL, |rows| remove_last(rows, 0x37)),
    (Invariant::ErasureLadder, CONTROL, |rows| {
        add(rows, &[&[0x37], &0u64.to_be_bytes(), &erasure_id(1).0], b"");
    }),
    // An erasure that nothing waits for, and one that is not listed.
    (Invariant::ErasureLadder, CONTROL, |rows| {
        add(rows, &[&[0x3a, 0], &9u64.to_be_bytes(), &erasure_id(0).0], b"");
    }),
    (Invariant::ErasureLadder, CONTROL, |rows| remove_last(rows, 0x3a)),
    (Invariant::KeyStates, CONTROL, |rows| remove_last(rows, 0x39)),
    (Invariant::KeyStates, CONTROL, |rows| {
        add(rows, &[&[0x39], &erasure_id(1).0, &kid(2).0], b"");
    }),
    // A node has its share of the root of epoch 0 again, with which there are enough.
    (Invariant::DestroyedByAll, CONTROL, |rows| {
        change_first(rows, 0x32, 1, 0)
    }),
    // The memory of the silent node is not known to be dark.
    (Invariant::DestroyedByAll, CONTROL, |rows| {
        let last = of(rows, 0x32).pop().expect("the table has a row");
        rows.0.get_mut(&last).expect("is there")[3] = 0;
    }),
    (Invariant::HoldersKnown, CONTROL, |rows| {
        add(
            rows,
            &[&[0x29], &0u64.to_be_bytes(), &77u64.to_be_bytes(), &BOOT.0],
            b"",
        );
    }),
    // One that holds none for good holds something.
    (Invariant::HoldersKnown, CONTROL, |rows| {
        change_first(rows, 0x32, 20, 1)
    }),
    // A root is shared with a node that is not known to hold anything.
    (Invariant::HoldersKnown, CONTROL, |rows| {
        let root = of(rows, 0x36).pop().expect("the current root is there");
        let row = rows.0.get_mut(&root).expect("is there");
        // Among those who share it, and those who keep their shares.
        (row[5], row[140]) = (7, 7);
    }),
    (Invariant::TransparencyLog, CONTROL, |rows| {
        change_first(rows, 0x27, 2, b'_')
    }),
    (Invariant::TransparencyLog, CONTROL, |rows| {
        remove_last(rows, 0x27)
    }),
    // A hash that is kept beside the leaves is another one, is missing, is too early, or is not one of those kept.
    (Invariant::TransparencyLog, CONTROL, |rows| {
        let kept = of(rows, 0x3c).pop().expect("a tile is complete");
        rows.0.get_mut(&kept).expect("is there")[31] ^= 1;
    }),
    (Invariant::TransparencyLog, CONTROL, |rows| {
        remove_last(rows, 0x3c)
    }),
    (Invariant::TransparencyLog, CONTROL, |rows| {
        add(
            rows,
            &[&[0x3c], &8_u32.to_be_bytes(), &1_u64.to_be_bytes()],
            &[7; 32],
        )
    }),
    (Invariant::TransparencyLog, CONTROL, |rows| {
        add(
            rows,
            &[&[0x3c], &7_u32.to_be_bytes(), &0_u64.to_be_bytes()],
            &[7; 32],
        )
    }),
];

fn broken(group: GroupId, rows: &Rows) -> BTreeSet<Invariant> {
    let found = Pass::new(group).finish(rows).expect("the rows can be read");
    found.into_iter().collect()
}

fn rows_of(group: GroupId) -> Rows {
    if group.is_control() {
        control_rows()
    } else {
        data_rows()
    }
}

#[test]
fn each_rule_sees_what_breaks_it_and_no_other_does() {
    for group in [CONTROL, DATA] {
        assert_eq!(broken(group, &rows_of(group)), BTreeSet::new());
    }
    for (number, (invariant, group, damage)) in BREAKS.iter().enumerate() {
        let mut rows = rows_of(*group);
        damage(&mut rows);
        assert_eq!(
            broken(*group, &rows),
            BTreeSet::from([*invariant]),
            "case {number}"
        );
    }
    let shown: BTreeSet<Invariant> = BREAKS.iter().map(|(invariant, ..)| *invariant).collect();
    assert_eq!(shown, Invariant::ALL.iter().copied().collect());
}

#[test]
fn a_message_in_the_middle_is_missed() {
    let mut rows = data_rows();
    rows.0
        .remove(&unhex("14111111111111111111111111111111110000000000000001"));
    let found = broken(DATA, &rows);
    assert!(found.contains(&Invariant::MessagesWithoutGap) && found.contains(&Invariant::MessageIdsLead));
}

#[test]
fn an_unreadable_row_is_reported_and_the_others_are_looked_at() {
    let mut rows = data_rows();
    let head = unhex("1112121212121212121212121212121212");
    rows.0.insert(head, vec![0xff]);
    remove_last(&mut rows, 0x15);
    let found = broken(DATA, &rows);
    assert!(found.contains(&Invariant::RowsDecode) && found.contains(&Invariant::MessageIdsLead));
}

#[test]
fn a_name_belongs_to_one_rule() {
    let names: BTreeSet<&str> = Invariant::ALL.iter().map(|invariant| invariant.name()).collect();
    assert_eq!(names.len(), Invariant::ALL.len());
}
