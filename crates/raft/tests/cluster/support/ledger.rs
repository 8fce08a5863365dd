//! A machine that writes down what was proposed, each once, in the order of the log.

use eunoe_core::{Applied, Machine, ScanRange, StateView, Txn};
use eunoe_raft::GroupHandle;
use eunoe_types::{Fault, LogPosition};

const ENTRY: u8 = 1;
const SEEN: u8 = 2;
const COUNT: &[u8] = &[3];

/// The machine. A command is a number in 8 bytes and then anything; the reply is its place in the ledger.
pub(crate) struct Ledger;

fn key(kind: u8, number: u64) -> Vec<u8> {
    [&[kind][..], &number.to_be_bytes()].concat()
}

fn number(bytes: &[u8]) -> Result<u64, Fault> {
    let head = bytes
        .first_chunk()
        .ok_or_else(|| Fault::broken("eight bytes are wanted"))?;
    Ok(u64::from_be_bytes(*head))
}

impl Machine for Ledger {
    fn apply(&self, txn: &mut Txn<'_>, _at: LogPosition, command: &[u8]) -> Result<Applied, Fault> {
        let id = number(command)?;
        let place = match txn.get(&key(SEEN, id))? {
            Some(place) => number(&place)?,
            None => {
                let place = txn.get(COUNT)?.map_or(Ok(0), |count| number(&count))?;
                txn.put(key(ENTRY, place), command.to_vec());
                txn.put(key(SEEN, id), place.to_be_bytes().to_vec());
                txn.put(COUNT.to_vec(), (place + 1).to_be_bytes().to_vec());
                place
            }
        };
        Ok(Applied {
            reply: place.to_be_bytes().to_vec(),
            effects: Vec::new(),
        })
    }
}

/// The numbers in the ledger of this node, in their order.
pub(crate) fn read(handle: &GroupHandle) -> Vec<u64> {
    let rows = handle.with_view(|view: &dyn StateView| {
        view.scan(&ScanRange {
            from: &[ENTRY],
            to: &[ENTRY + 1],
            backward: false,
            rows_max: usize::MAX,
            bytes_max: usize::MAX,
        })
    });
    let rows = rows.expect("the state is open").expect("the state can be read");
    let numbers = rows
        .iter()
        .map(|(_, command)| number(command).expect("a command"));
    numbers.collect()
}
