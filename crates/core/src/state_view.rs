//! What a machine or a query may ask of stored state.

use eunoe_types::{DecodeError, Fault};

/// A stored key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// A range of keys to read, bounded in rows and bytes.
#[derive(Clone, Debug)]
pub struct ScanRange<'a> {
    /// First key of the range.
    pub from: &'a [u8],
    /// First key after the range.
    pub to: &'a [u8],
    /// From the last key backwards.
    pub backward: bool,
    /// At most so many rows.
    pub rows_max: usize,
    /// Stops after the row that crosses so many bytes of values, so that one row always fits.
    pub bytes_max: usize,
}

/// A consistent view of one group's state.
///
/// ### To ensure correctness
///
/// - Two reads of one view see the same committed prefix of the log.
/// - A view is short-lived: it pins files on disk.
pub trait StateView {
    /// The value under `key`.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault>;

    /// The rows of a range, in the order asked for.
    fn scan(&self, range: &ScanRange<'_>) -> Result<Vec<Row>, Fault>;
}

/// Decodes what is under a key, if anything is.
pub(crate) fn decoded<T>(
    view: &dyn StateView,
    key: &[u8],
    decode: impl FnOnce(&[u8]) -> Result<T, DecodeError>,
) -> Result<Option<T>, Fault> {
    Ok(view.get(key)?.map(|bytes| decode(&bytes)).transpose()?)
}
