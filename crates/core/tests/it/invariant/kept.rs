//! Whatever is proposed, in whatever order, and wherever a pass stands meanwhile.

use eunoe_core::control::ControlMachine;
use eunoe_core::data::DataMachine;
use eunoe_core::invariant::{self, Invariant, Pass};
use eunoe_core::{Machine, StateView};
use eunoe_types::GroupId;
use proptest::prelude::*;

use crate::support::{Rows, run, run_from};
use crate::{control, data};

const DATA: GroupId = GroupId(1);

fn broken(group: GroupId, view: &dyn StateView) -> Vec<Invariant> {
    Pass::new(group).finish(view).expect("the rows can be read")
}

fn digest(view: &dyn StateView) -> [u8; 32] {
    invariant::digest(view).expect("the rows can be read")
}

/// Applies commands one by one; after each, every rule holds, also as a slow pass meets them.
fn always_holds(
    machine: &impl Machine,
    group: GroupId,
    commands: &[Vec<u8>],
    steps: &[usize],
) -> Result<(), TestCaseError> {
    let mut rows = Rows::default();
    let mut slow = Pass::new(group);
    let steps = steps.iter().cycle();
    for ((index, command), step) in (1u64..).zip(commands).zip(steps) {
        run_from(machine, &mut rows, std::slice::from_ref(command), 1, index);
        prop_assert_eq!(broken(group, &rows), vec![]);
        let progress = slow.step(&rows, *step).expect("the rows can be read");
        prop_assert_eq!(progress.broken, vec![]);
        prop_assert!(progress.rows <= *step);
        if progress.is_over {
            slow = Pass::new(group);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_history_of_a_data_group_keeps_them(
        operations in data::generate::history(),
        steps in prop::collection::vec(1usize..9, 1..5),
    ) {
        always_holds(&DataMachine, DATA, &data::generate::commands(&operations), &steps)?;
    }

    #[test]
    fn every_history_of_the_control_group_keeps_them(
        commands in control::generate::history(),
        steps in prop::collection::vec(1usize..9, 1..5),
    ) {
        let commands = control::generate::encoded(&commands);
        always_holds(&ControlMachine, GroupId::CONTROL, &commands, &steps)?;
    }

    #[test]
    fn replicas_at_the_same_position_have_the_same_digest(
        operations in data::generate::history(),
        batch in 1usize..20,
    ) {
        let commands = data::generate::commands(&operations);
        let (mut one, mut other) = (Rows::default(), Rows::default());
        run(&DataMachine, &mut one, &commands, 1);
        run(&DataMachine, &mut other, &commands, batch);
        prop_assert_eq!(digest(&one), digest(&other));
    }

    #[test]
    fn a_changed_row_changes_the_digest(operations in data::generate::history(), at in any::<prop::sample::Index>()) {
        let mut rows = Rows::default();
        run(&DataMachine, &mut rows, &data::generate::commands(&operations), 1);
        prop_assume!(!rows.0.is_empty());
        let before = digest(&rows);
        let key = rows.0.keys().nth(at.index(rows.0.len())).expect("is there").clone();
        let value = rows.0.remove(&key).expect("is there");
        prop_assert_ne!(&digest(&rows), &before);
        rows.0.insert(key.clone(), [&value[..], &[0]].concat());
        prop_assert_ne!(&digest(&rows), &before);
        // The store's own row says where this replica is, and belongs to no machine.
        rows.0.insert(key, value);
        rows.0.insert(b"\0applied".to_vec(), vec![9]);
        prop_assert_eq!(&digest(&rows), &before);
    }
}
