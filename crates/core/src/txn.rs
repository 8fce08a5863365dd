//! Writes of commands that are applied but not yet committed to the store, readable by the commands after them.

use std::collections::BTreeMap;

use eunoe_types::{DecodeError, Fault};

use crate::{Row, ScanRange, StateView, table};

/// An ordered set of writes: a value to put, or `None` to delete.
pub type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// State as a command sees it: the store's view under the writes of the commands before it.
///
/// One transaction spans many commands, and the store commits it together with the applied position, so that
/// a crash never separates the two.
pub struct Txn<'a> {
    view: &'a dyn StateView,
    changes: Changes,
}

impl<'a> Txn<'a> {
    /// A transaction over `view` without writes.
    pub fn new(view: &'a dyn StateView) -> Self {
        Self {
            view,
            changes: Changes::new(),
        }
    }

    /// The value under `key`, own writes included.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        match self.changes.get(key) {
            Some(change) => Ok(change.clone()),
            None => self.view.get(key),
        }
    }

    /// What is under `key`, decoded, own writes included.
    pub fn decoded<T>(
        &self,
        key: &[u8],
        decode: impl FnOnce(&[u8]) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, Fault> {
        Ok(self.get(key)?.map(|bytes| decode(&bytes)).transpose()?)
    }

    /// Whether there is a value under `key`.
    pub fn contains(&self, key: &[u8]) -> Result<bool, Fault> {
        match self.changes.get(key) {
            Some(change) => Ok(change.is_some()),
            None => Ok(self.view.get(key)?.is_some()),
        }
    }

    /// The first rows whose keys begin with `prefix` (and come after `after`), own writes included.
    pub fn scan_prefix(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        rows_max: usize,
    ) -> Result<Vec<Row>, Fault> {
        // The first key after another is the same with a byte appended.
        let from = after.map_or_else(|| prefix.to_vec(), |key| [key, &[0]].concat());
        self.merged(
            from.as_slice().max(prefix),
            &table::after_prefix(prefix),
            false,
            rows_max,
        )
    }

    /// The last row whose key begins with `prefix`, own writes included.
    pub fn last_with_prefix(&self, prefix: &[u8]) -> Result<Option<Row>, Fault> {
        Ok(self.merged(prefix, &table::after_prefix(prefix), true, 1)?.pop())
    }

    fn merged(&self, from: &[u8], to: &[u8], backward: bool, rows_max: usize) -> Result<Vec<Row>, Fault> {
        if from >= to {
            return Ok(Vec::new());
        }
        let own = || self.changes.range(from.to_vec()..to.to_vec());
        // Each own write may hide one stored row, so that many more are looked at.
        let stored = self.view.scan(&ScanRange {
            from,
            to,
            backward,
            rows_max: rows_max.saturating_add(own().count()),
            bytes_max: usize::MAX,
        })?;
        let mut rows: BTreeMap<Vec<u8>, Vec<u8>> = stored.into_iter().collect();
        for (key, change) in own() {
            match change {
                Some(value) => rows.insert(key.clone(), value.clone()),
                None => rows.remove(key),
            };
        }
        Ok(if backward {
            rows.into_iter().rev().take(rows_max).collect()
        } else {
            rows.into_iter().take(rows_max).collect()
        })
    }

    /// Puts a value.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.changes.insert(key, Some(value));
    }

    /// Deletes a value.
    pub fn delete(&mut self, key: Vec<u8>) {
        self.changes.insert(key, None);
    }

    /// The writes, to be committed.
    pub fn into_changes(self) -> Changes {
        self.changes
    }
}
