//! The machines: any commands that decode, in any order, and commands that do not. A machine may refuse, or call it a
//! fault; it never panics, and what it leaves is the same however commands share transactions.

use std::collections::BTreeMap;

use bytes::Bytes;
use eunoe_core::control::ControlMachine;
use eunoe_core::data::DataMachine;
use eunoe_core::{Changes, Machine, Row, ScanRange, StateView, Txn};
use eunoe_types::fuzzing::Reader;
use eunoe_types::{Decoder, Fault, LogPosition};

/// Commands of one input; more only takes longer.
const COMMANDS_MAX: usize = 64;

pub(super) const READERS: &[Reader] = &[
    ("control commands", |script| applies(&ControlMachine, script)),
    ("data commands", |script| applies(&DataMachine, script)),
];

#[derive(Clone, Default, PartialEq, Eq)]
struct Rows(BTreeMap<Vec<u8>, Vec<u8>>);

impl StateView for Rows {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.0.get(key).cloned())
    }

    fn scan(&self, range: &ScanRange<'_>) -> Result<Vec<Row>, Fault> {
        if range.from >= range.to {
            return Ok(Vec::new());
        }
        let inside = self.0.range(range.from.to_vec()..range.to.to_vec());
        let inside = inside.map(|(key, value)| (key.clone(), value.clone()));
        let mut bytes = 0;
        let fits = |row: &Row| {
            let crossed = bytes > range.bytes_max;
            bytes += row.1.len();
            !crossed
        };
        Ok(if range.backward {
            inside.rev().take(range.rows_max).take_while(fits).collect()
        } else {
            inside.take(range.rows_max).take_while(fits).collect()
        })
    }
}

impl Rows {
    fn commit(&mut self, changes: Changes) {
        for (key, change) in changes {
            match change {
                Some(value) => self.0.insert(key, value),
                None => self.0.remove(&key),
            };
        }
    }
}

/// Applies the commands of a script, each with its length before it; whether all were applied, refused or not.
fn applies(machine: &impl Machine, script: &Bytes) -> bool {
    let mut d = Decoder::new(script);
    let commands: Vec<&[u8]> = std::iter::from_fn(|| d.bytes().ok()).take(COMMANDS_MAX).collect();
    let one_by_one = run(machine, &commands, 1);
    let together = run(machine, &commands, COMMANDS_MAX);
    match (one_by_one, together) {
        (Ok(one_by_one), Ok(together)) => {
            assert!(
                one_by_one == together,
                "what commands leave depends on their transactions"
            );
            !commands.is_empty()
        }
        (Err(_), Err(_)) => false,
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => panic!("a fault depends on transactions"),
    }
}

/// What a replica would hold and have said.
fn run(machine: &impl Machine, commands: &[&[u8]], batch: usize) -> Result<(Rows, Vec<Vec<u8>>), Fault> {
    let (mut rows, mut replies) = (Rows::default(), Vec::new());
    for commands in commands.chunks(batch) {
        let view = rows.clone();
        let mut txn = Txn::new(&view);
        for command in commands {
            let index = replies.len() as u64 + 1;
            let applied = machine.apply(&mut txn, LogPosition { term: 1, index }, command)?;
            replies.push(applied.reply);
        }
        rows.commit(txn.into_changes());
    }
    Ok((rows, replies))
}
