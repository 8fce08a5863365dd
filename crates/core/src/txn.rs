//! Writes of commands that are applied but not yet committed to the store, readable by the commands after them.

use std::collections::BTreeMap;

use eunoe_types::Fault;

use crate::StateView;

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

    /// Whether there is a value under `key`.
    pub fn contains(&self, key: &[u8]) -> Result<bool, Fault> {
        match self.changes.get(key) {
            Some(change) => Ok(change.is_some()),
            None => Ok(self.view.get(key)?.is_some()),
        }
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
