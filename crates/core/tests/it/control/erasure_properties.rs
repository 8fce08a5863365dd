//! What holds over every history of erasures and epochs, whoever proposed them.

use std::collections::{BTreeMap, BTreeSet};

use eunoe_core::control::{
    self, Command, ControlMachine, ErasureState, KeyOutcome, KeyState, KeyStateRow, Reply, Stage,
    chunk_digest,
};
use eunoe_types::{ErasureId, Kid, NodeId, TimeMs};
use proptest::prelude::*;

use super::generate::history;
use super::reach::Reach;
use crate::support::{Rows, run_from};

const LEAF_ROW: u8 = 0x23;
const STAGED_PAGE: u8 = 0x24;
const KEY_STATE: u8 = 0x26;
const PAGE_GENERATION: u8 = 0x2a;
const KEY_CHILD: u8 = 0x2b;
const FENCED: u8 = 0x2c;
const ERASURE: u8 = 0x2d;
const FROZEN: u8 = 0x30;
const EXPAND: u8 = 0x33;
const PENDING: u8 = 0x34;
const REKEYED: u8 = 0x35;
const DESTROYED: u8 = 0x37;

/// Keys of a table, without its byte.
fn table(rows: &Rows, table: u8) -> Vec<Vec<u8>> {
    let inside = rows.0.range(vec![table]..vec![table + 1]);
    inside.map(|(key, _)| key[1..].to_vec()).collect()
}

fn id<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("an id of this length")
}

fn keys(rows: &Rows) -> BTreeMap<Kid, KeyStateRow> {
    let kids = table(rows, KEY_STATE);
    let known = kids.iter().map(|kid| Kid(id(kid)));
    known
        .map(|kid| (kid, key(rows, &kid).expect("is listed")))
        .collect()
}

fn key(rows: &Rows, kid: &Kid) -> Option<KeyStateRow> {
    control::key_state(rows, kid).expect("decodes")
}

fn erasures(rows: &Rows) -> BTreeMap<ErasureId, control::ErasureRow> {
    let ids = table(rows, ERASURE);
    let known = ids.iter().map(|bytes| ErasureId(id(bytes)));
    known
        .map(|id| {
            (
                id,
                control::erasure(rows, &id).expect("decodes").expect("is listed"),
            )
        })
        .collect()
}

/// Runs a history command by command; `check` sees the state before, the command, its reply and the state after.
fn each(
    commands: &[Command<'_>],
    mut check: impl FnMut(&Rows, &Command<'_>, &Reply, &Rows) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let mut rows = Rows::default();
    for (index, command) in (1u64..).zip(commands) {
        let before = rows.clone();
        let answer = run_from(&ControlMachine, &mut rows, &[command.encode()], 1, index).remove(0);
        let reply = Reply::decode(&answer.reply).expect("a reply decodes");
        check(&before, command, &reply, &rows)?;
    }
    Ok(())
}

fn is_returning(rows: &Rows, id: &ErasureId) -> bool {
    let row = control::erasure(rows, id).expect("decodes").expect("is there");
    matches!(row.state, ErasureState::Cancelling { .. })
}

proptest! {
    #[test]
    fn a_key_goes_from_use_to_fence_to_end_and_back_only_if_its_erasure_is_taken_back(commands in history()) {
        each(&commands, |before, command, _, after| {
            for (kid, was) in keys(before) {
                let now = key(after, &kid).expect("a key is never forgotten");
                prop_assert_eq!((now.kind, now.commit, now.key_commit), (was.kind, was.commit, was.key_commit));
                match (was.state, now.state) {
                    (same, other) if same == other => prop_assert_eq!(was.parent, now.parent),
                    (KeyState::Active, KeyState::Fenced { .. }) => prop_assert_eq!(was.parent, now.parent),
                    (KeyState::Fenced { erasure, .. }, KeyState::Active) => {
                        let by_command = matches!(command, Command::CancelErasure(cancel) if cancel.id == erasure);
                        prop_assert!(by_command || is_returning(before, &erasure));
                        prop_assert_eq!(was.parent, now.parent);
                    }
                    (KeyState::Fenced { erasure, .. }, KeyState::Fenced { .. }) => {
                        prop_assert!(is_returning(before, &erasure), "a fence changed hands");
                        prop_assert_eq!(was.parent, now.parent);
                    }
                    (KeyState::Fenced { .. }, KeyState::Erased { epoch }) => {
                        let ended = control::epoch(before).expect("decodes").expect("is there").epoch;
                        prop_assert_eq!(epoch, ended);
                    }
                    (was, now) => prop_assert!(false, "a key went from {was:?} to {now:?}"),
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_key_is_created_only_below_keys_in_use(commands in history()) {
        each(&commands, |_, command, reply, after| {
            let (Command::CreateKeys { keys, .. }, Reply::Keys(outcomes)) = (command, reply) else {
                return Ok(());
            };
            for (new, outcome) in keys.iter().zip(outcomes) {
                if *outcome != KeyOutcome::Created {
                    continue;
                }
                let mut above = new.parent;
                while let Some(kid) = above {
                    let row = key(after, &kid).expect("a parent exists");
                    prop_assert_eq!(row.state, KeyState::Active);
                    above = row.parent;
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn the_lists_of_fenced_keys_and_children_are_those_of_the_keys_states(commands in history()) {
        each(&commands, |_, _, _, after| {
            let (mut fenced, mut children) = (BTreeSet::new(), BTreeSet::new());
            for (kid, row) in keys(after) {
                if let KeyState::Fenced { index, .. } = row.state {
                    fenced.insert([&index.to_be_bytes()[..], &kid.0].concat());
                }
                if let Some(parent) = row.parent {
                    children.insert([parent.0, kid.0].concat());
                }
            }
            prop_assert_eq!(BTreeSet::from_iter(table(after, FENCED)), fenced);
            prop_assert_eq!(BTreeSet::from_iter(table(after, KEY_CHILD)), children);
            Ok(())
        })?;
    }

    #[test]
    fn an_erasure_counts_its_keys_and_is_as_far_as_they_are(commands in history()) {
        let mut taken: BTreeSet<(ErasureId, Kid)> = BTreeSet::new();
        each(&commands, |_, command, _, after| {
            let mut under_way = BTreeSet::new();
            let all = keys(after);
            for (kid, row) in &all {
                if let KeyState::Fenced { erasure, .. } = row.state {
                    taken.insert((erasure, *kid));
                }
            }
            let expanding = table(after, EXPAND);
            for (id, row) in erasures(after) {
                let fenced = |row: &&KeyStateRow| matches!(row.state, KeyState::Fenced { erasure, .. } if erasure == id);
                let left = all.values().filter(fenced).count() as u64;
                let open = expanding.iter().filter(|key| key.starts_with(&id.0)).count() as u64;
                let is_cancel = matches!(command, Command::CancelErasure(cancel) if cancel.id == id);
                let came_back_at_once = if is_cancel { row.keys } else { 0 };
                let of_it = taken.iter().filter(|(by, _)| *by == id).count() as u64;
                prop_assert_eq!(row.keys, of_it.max(came_back_at_once));
                prop_assert_eq!((row.left, row.expanding), (left, open));
                match row.state {
                    ErasureState::Requested => prop_assert_eq!((row.keys, row.fenced.1), (0, 0)),
                    ErasureState::Fenced | ErasureState::Cancelling { .. } => {
                        prop_assert!(left > 0 && row.fenced.1 > 0);
                        under_way.insert((row.fenced.1, id));
                    }
                    ErasureState::Cancelled { .. } => prop_assert_eq!(left + open, 0),
                    ErasureState::Rekeyed { .. } | ErasureState::Destroyed { .. } => {
                        prop_assert_eq!(left + open, 0);
                    }
                }
            }
            let listed: BTreeSet<_> = [Stage::Due, Stage::Held, Stage::Returning]
                .into_iter()
                .flat_map(|stage| control::under_way(after, stage, None, usize::MAX).expect("reads"))
                .collect();
            prop_assert_eq!(listed, under_way);
            Ok(())
        })?;
    }

    #[test]
    fn an_erasure_is_destroyed_only_when_nobody_can_rebuild_a_root_that_led_to_it(commands in history()) {
        let mut reach = Reach::default();
        each(&commands, |before, command, reply, after| {
            reach.follow(before, command, reply);
            let (mut rekeyed, mut destroyed) = (BTreeSet::new(), BTreeSet::new());
            for (id, now) in erasures(after) {
                let was = control::erasure(before, &id).expect("decodes");
                let by_present = |epoch: u64, full: Option<TimeMs>| {
                    reach.is_out_of_reach(epoch) && (full.is_none() || reach.is_gone(epoch))
                };
                match (was.map(|row| row.state), now.state) {
                    (None, ErasureState::Requested | ErasureState::Fenced) => {}
                    (Some(was), now) if was == now => {}
                    (Some(ErasureState::Requested), ErasureState::Fenced) => {}
                    (
                        Some(ErasureState::Requested | ErasureState::Fenced | ErasureState::Cancelling { .. }),
                        ErasureState::Cancelling { .. } | ErasureState::Cancelled { .. },
                    ) => {}
                    (Some(ErasureState::Fenced), ErasureState::Rekeyed { epoch, .. }) => {
                        let present = control::epoch(after).expect("decodes").expect("is there").epoch;
                        prop_assert_eq!(epoch + 1, present);
                    }
                    (Some(ErasureState::Rekeyed { epoch, time }), ErasureState::Destroyed { epoch: last, rekeyed, full, .. }) => {
                        prop_assert_eq!((epoch, time), (last, rekeyed));
                        prop_assert!(by_present(epoch, full));
                    }
                    (
                        Some(ErasureState::Destroyed { epoch, rekeyed, time, full: None }),
                        ErasureState::Destroyed { epoch: e, rekeyed: r, time: t, full },
                    ) => {
                        prop_assert_eq!((epoch, rekeyed, time), (e, r, t));
                        prop_assert!(by_present(epoch, full));
                    }
                    (was, now) => prop_assert!(false, "an erasure went from {was:?} to {now:?}"),
                }
                match now.state {
                    ErasureState::Rekeyed { epoch, .. } => rekeyed.insert([&epoch.to_be_bytes()[..], &id.0].concat()),
                    ErasureState::Destroyed { epoch, full: None, .. } => {
                        destroyed.insert([&epoch.to_be_bytes()[..], &id.0].concat())
                    }
                    ErasureState::Requested
                    | ErasureState::Fenced
                    | ErasureState::Destroyed { .. }
                    | ErasureState::Cancelling { .. }
                    | ErasureState::Cancelled { .. } => false,
                };
            }
            prop_assert_eq!(BTreeSet::from_iter(table(after, REKEYED)), rekeyed);
            prop_assert_eq!(BTreeSet::from_iter(table(after, DESTROYED)), destroyed);
            Ok(())
        })?;
    }

    #[test]
    fn what_is_destroyed_stays_out_of_reach(commands in history()) {
        let mut reach = Reach::default();
        each(&commands, |before, command, reply, after| {
            reach.follow(before, command, reply);
            for (_, row) in erasures(after) {
                if let ErasureState::Destroyed { epoch, full, .. } = row.state {
                    prop_assert!(reach.is_out_of_reach(epoch));
                    prop_assert!(full.is_none() || reach.is_gone(epoch));
                    let missing = control::missing_holders(after, &row).expect("reads");
                    prop_assert_eq!(missing.is_empty(), full.is_some());
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn what_a_node_may_hold_grows_younger_only_by_its_word_or_by_evidence(commands in history()) {
        each(&commands, |before, command, _, after| {
            let present = control::epoch(after).expect("decodes").map_or(0, |row| row.epoch);
            let held = control::holders(after).expect("decodes");
            for (node, was) in control::holders(before).expect("decodes") {
                let now = held.iter().find(|(id, _)| *id == node).expect("a holder is never forgotten").1;
                let said = if let Command::AttestDestroyed(said) = command && said.node == node {
                    Some(said.epoch)
                } else if let Command::Decommission(said) = command && said.node == node {
                    Some(control::HOLDS_NONE)
                } else {
                    None
                };
                for (was, now) in [(was.share, now.share), (was.memory, now.memory)] {
                    prop_assert!(now <= was || said == Some(now));
                }
                let over = if let Command::LeaseOver(over) = command && (over.node, over.boot) == (node, was.boot) {
                    Some(over.epoch)
                } else {
                    said
                };
                prop_assert!(now.dark <= was.dark || over == Some(now.dark));
                prop_assert!(now.retired || now.oldest() <= present);
                prop_assert!(now.retired == was.retired || (now.retired && said == Some(control::HOLDS_NONE)));
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_node_that_holds_none_for_good_is_given_none(commands in history()) {
        let mut retired = BTreeSet::new();
        each(&commands, |_, command, reply, after| {
            let given: Vec<NodeId> = match (command, reply) {
                (Command::BeginEpoch(begin), Reply::Done) => begin.recipients.iter().map(|(node, _)| *node).collect(),
                (Command::GrantRoot { node, .. }, Reply::Done) => vec![*node],
                _ => Vec::new(),
            };
            prop_assert!(given.iter().all(|node| !retired.contains(node)));
            let holders = control::holders(after).expect("decodes");
            retired.extend(holders.iter().filter(|(_, row)| row.retired).map(|(node, _)| *node));
            Ok(())
        })?;
    }

    #[test]
    fn pages_are_frozen_only_for_the_attempt_under_way(commands in history()) {
        each(&commands, |_, _, _, after| {
            let epoch = control::epoch(after).expect("decodes");
            let pending = control::pending_epoch(after).expect("decodes");
            let under_way = epoch.as_ref().is_some_and(|row| row.pending.is_some());
            prop_assert_eq!(table(after, PENDING).len(), usize::from(under_way));
            let named = pending.map_or_else(Vec::new, |list| list.pages);
            let frozen: Vec<_> = named.iter().map(|(tree, page)| [&[*tree][..], &page.to_be_bytes()].concat()).collect();
            // As a list: no page is named twice.
            prop_assert_eq!(table(after, FROZEN), frozen);
            if !under_way && epoch.is_some_and(|row| row.last_attempt > 0) {
                prop_assert!(table(after, STAGED_PAGE).is_empty(), "staged pages outlived their attempt");
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_page_has_the_generation_of_the_attempt_that_replaced_it(commands in history()) {
        let mut replaced = BTreeMap::new();
        each(&commands, |before, command, reply, after| {
            if let (Command::SwitchEpoch(switch), Reply::Done) = (command, reply) {
                let list = control::pending_epoch(before).expect("decodes").expect("is under way");
                replaced.extend(list.pages.iter().map(|page| (*page, switch.attempt)));
                let row = control::epoch(after).expect("decodes").expect("is there");
                prop_assert_eq!(row.attempt, u64::from(switch.attempt));
            } else {
                let count = |rows| control::epoch(rows).expect("decodes").map(|row| (row.epoch, row.attempt, row.root_commit));
                prop_assert!(count(before).is_none() || count(before) == count(after), "an epoch came without a switch");
            }
            for ((tree, page), attempt) in &replaced {
                prop_assert_eq!(control::page_generation(after, *tree, *page).expect("decodes"), *attempt);
            }
            prop_assert_eq!(table(after, PAGE_GENERATION).len(), replaced.len());
            Ok(())
        })?;
    }

    #[test]
    fn sweeping_leaves_exactly_the_rows_of_generations_in_use(commands in history()) {
        each(&commands, |_, _, _, after| {
            let mut swept = after.clone();
            for _ in 0..table(after, 0x31).len() {
                prop_assert!(control::sweep_is_due(&swept).expect("reads"));
                run_from(&ControlMachine, &mut swept, &[Command::Sweep.encode()], 1, 1_000);
            }
            prop_assert!(!control::sweep_is_due(&swept).expect("reads"));
            let epoch = control::epoch(after).expect("decodes");
            let attempt = epoch.filter(|row| row.pending.is_some()).map(|row| row.last_attempt);
            let frozen = table(after, FROZEN);
            let in_use = |key: &Vec<u8>| {
                let generation = u32::from_be_bytes(id(&key[5..9]));
                let present = control::page_generation(after, key[0], u32::from_be_bytes(id(&key[1..5])));
                generation == present.expect("decodes")
                    || (Some(generation) == attempt && frozen.contains(&key[..5].to_vec()))
            };
            let expected: Vec<_> = table(after, LEAF_ROW).into_iter().filter(in_use).collect();
            prop_assert_eq!(table(&swept, LEAF_ROW), expected);
            Ok(())
        })?;
    }

    #[test]
    fn a_switch_takes_what_was_staged_and_nothing_else(commands in history()) {
        let mut staged: Vec<Vec<u8>> = Vec::new();
        each(&commands, |_, command, reply, after| {
            match (command, reply) {
                (Command::BeginEpoch(_) | Command::AbortEpoch { .. }, Reply::Done) => staged.clear(),
                (Command::EpochChunk(_), Reply::Done) => staged.push(command.encode()),
                (Command::SwitchEpoch(switch), Reply::Done) => {
                    let digest = staged.iter().fold([0; 32], |digest, chunk| chunk_digest(&digest, chunk));
                    prop_assert_eq!(switch.digest, digest);
                    for chunk in staged.drain(..) {
                        let Ok(Command::EpochChunk(chunk)) = Command::decode(&chunk) else { panic!("a chunk") };
                        for row in chunk.rows {
                            let stored = control::leaf_row(after, row.tree, row.page, &row.tag).expect("reads");
                            prop_assert!(stored.is_some(), "a staged row did not come");
                        }
                        for page in chunk.pages {
                            let stored = control::page(after, page.name).expect("reads");
                            prop_assert!(stored.is_some(), "a staged page did not come");
                        }
                    }
                }
                _ => {}
            }
            Ok(())
        })?;
    }
}
