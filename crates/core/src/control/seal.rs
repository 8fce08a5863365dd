//! The seal: while it is on, nobody is given a root or a lease, and whoever has one forgets it (erasure.md §4.6).

use eunoe_types::Fault;

use super::apply::{Answer, genesis};
use super::event::Event;
use super::reply::{Rejection, Reply};
use crate::{StateView, Txn, table};

fn key() -> Vec<u8> {
    table::key(table::SEAL, &[])
}

/// Whether an operator sealed the cluster.
pub fn is_sealed(view: &dyn StateView) -> Result<bool, Fault> {
    Ok(view.get(&key())?.is_some())
}

pub(super) fn is_on(txn: &Txn<'_>) -> Result<bool, Fault> {
    txn.contains(&key())
}

/// Puts the seal on or takes it off.
pub(super) fn set(txn: &mut Txn<'_>, sealed: bool) -> Result<Answer, Fault> {
    if genesis(txn)?.is_none() {
        return Ok(Err(Rejection::NoGenesis));
    }
    if is_on(txn)? == sealed {
        return Ok(Ok(Reply::Done));
    }
    if sealed {
        txn.put(key(), Vec::new());
    } else {
        txn.delete(key());
    }
    let what = if sealed {
        "eunoe/sealed@v1"
    } else {
        "eunoe/unsealed@v1"
    };
    Event::new().text("t", what).record(txn)?;
    Ok(Ok(Reply::Done))
}
