//! Rules of rows that every state engine shares.

use eunoe_core::{Changes, Row, ScanRange};
use eunoe_types::Fault;

/// Where the applied position is kept; keys that begin with byte 0 belong to the store.
pub(crate) const APPLIED_KEY: &[u8] = b"\0applied";

const FIRST_MACHINE_KEY: &[u8] = &[1];

/// Refuses changes to the store's own keys: they would move the applied position.
pub(crate) fn check_changes(changes: &Changes) -> Result<(), Fault> {
    match changes.first_key_value() {
        Some((key, _)) if key.as_slice() < FIRST_MACHINE_KEY => {
            Err(Fault::broken("a machine wrote a key that belongs to the store"))
        }
        _ => Ok(()),
    }
}

/// The first key that a scan of `range` may see; `None` if the range is empty.
pub(crate) fn first_key<'a>(range: &ScanRange<'a>) -> Option<&'a [u8]> {
    let first = range.from.max(FIRST_MACHINE_KEY);
    (first < range.to && range.rows_max > 0).then_some(first)
}

/// Takes rows until one of the limits of `range` is reached.
pub(crate) fn take(
    range: &ScanRange<'_>,
    rows: impl Iterator<Item = Result<Row, Fault>>,
) -> Result<Vec<Row>, Fault> {
    let mut taken = Vec::new();
    let mut bytes = 0usize;
    for row in rows.take(range.rows_max) {
        let row = row?;
        bytes = bytes.saturating_add(row.1.len());
        taken.push(row);
        if bytes >= range.bytes_max {
            break;
        }
    }
    Ok(taken)
}
