//! A group's state in a map, and what it takes to feed it commands.

pub(crate) mod table;

use std::collections::BTreeMap;

use eunoe_core::{Changes, Effect, Machine, Row, ScanRange, StateView, Txn};
use eunoe_types::{Fault, LogPosition};

/// State in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rows(pub(crate) BTreeMap<Vec<u8>, Vec<u8>>);

impl StateView for Rows {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.0.get(key).cloned())
    }

    fn scan(&self, range: &ScanRange<'_>) -> Result<Vec<Row>, Fault> {
        let inside = self
            .0
            .range(range.from.to_vec()..range.to.to_vec())
            .map(|(key, value)| (key.clone(), value.clone()));
        let ordered: Vec<Row> = if range.backward {
            inside.rev().collect()
        } else {
            inside.collect()
        };
        let mut bytes = 0;
        let fits = |row: &Row| {
            let crossed = bytes > range.bytes_max;
            bytes += row.1.len();
            !crossed
        };
        Ok(ordered
            .into_iter()
            .take(range.rows_max)
            .take_while(fits)
            .collect())
    }
}

impl Rows {
    pub(crate) fn commit(&mut self, changes: Changes) {
        for (key, change) in changes {
            match change {
                Some(value) => self.0.insert(key, value),
                None => self.0.remove(&key),
            };
        }
    }
}

/// What a replica answered to one command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) reply: Vec<u8>,
    pub(crate) effects: Vec<Effect>,
}

/// Applies `commands`, `batch` of them to a transaction, as a store does. The first of them is the log's first.
pub(crate) fn run(
    machine: &impl Machine,
    rows: &mut Rows,
    commands: &[Vec<u8>],
    batch: usize,
) -> Vec<Answered> {
    run_from(machine, rows, commands, batch, 1)
}

/// Applies `commands`, the first of which is at index `first` of the log.
pub(crate) fn run_from(
    machine: &impl Machine,
    rows: &mut Rows,
    commands: &[Vec<u8>],
    batch: usize,
    first: u64,
) -> Vec<Answered> {
    let mut answers = Vec::new();
    for commands in commands.chunks(batch.max(1)) {
        let view = rows.clone();
        let mut txn = Txn::new(&view);
        for command in commands {
            let at = LogPosition {
                term: 1,
                index: first + answers.len() as u64,
            };
            let applied = machine
                .apply(&mut txn, at, command)
                .expect("a command of this project applies");
            answers.push(Answered {
                reply: applied.reply,
                effects: applied.effects,
            });
        }
        rows.commit(txn.into_changes());
    }
    answers
}

/// Applies bytes that may be anything; what a replica would write and say, or why it would stop.
pub(crate) fn attempt(
    machine: &impl Machine,
    rows: &Rows,
    command: &[u8],
) -> (Changes, Result<Answered, String>) {
    let mut txn = Txn::new(rows);
    let outcome = machine
        .apply(&mut txn, LogPosition { term: 1, index: 1 }, command)
        .map(|applied| Answered {
            reply: applied.reply,
            effects: applied.effects,
        })
        .map_err(|fault| fault.to_string());
    (txn.into_changes(), outcome)
}
