//! One value for a whole state.

use eunoe_merkle::{leaf_hash, node_hash};
use eunoe_types::Fault;

use crate::{ScanRange, StateView, table};

/// Rows that are read at a time.
const ROWS: usize = 1_024;
/// Bytes of values that are read at a time.
const BYTES: usize = 1 << 20;

/// A digest over all rows of a group, those of the store left out: replicas that applied the same have the same. Reads
/// everything; for tests and tools.
pub fn digest(view: &dyn StateView) -> Result<[u8; 32], Fault> {
    let mut digest = [0; 32];
    let mut from = vec![table::FIRST];
    loop {
        let rows = view.scan(&ScanRange {
            from: &from,
            to: &[u8::MAX],
            backward: false,
            rows_max: ROWS,
            bytes_max: BYTES,
        })?;
        let Some((last, _)) = rows.last() else {
            return Ok(digest);
        };
        from = [last, &[0][..]].concat();
        for (key, value) in &rows {
            digest = node_hash(&digest, &node_hash(&leaf_hash(key), &leaf_hash(value)));
        }
    }
}
