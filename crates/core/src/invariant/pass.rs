//! A walk over all rows of a group, in steps.

use eunoe_merkle::Frontier;
use eunoe_types::{DecodeError, Fault, GroupId};

use super::Invariant;
use crate::{Row, ScanRange, StateView, control, data, table};

/// Bytes of values that one step reads at most, so that its view is short.
const STEP_BYTES_MAX: usize = 1 << 20;

/// A walk over the rows of one group's state. It may begin each step on a newer state, never on an older one.
pub struct Pass {
    group: GroupId,
    /// The first key that was not looked at.
    next: Vec<u8>,
    /// Leaves of the transparency log so far.
    pub(crate) leaves: Frontier,
    found: Vec<Invariant>,
}

/// What a step did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Rows that it looked at.
    pub rows: usize,
    /// Rules that are broken, once for each row at which it was seen.
    pub broken: Vec<Invariant>,
    /// Whether it reached the end.
    pub is_over: bool,
}

impl Pass {
    /// A walk from the first row of a group.
    pub fn new(group: GroupId) -> Self {
        Self {
            group,
            next: vec![table::FIRST],
            leaves: Frontier::new(),
            found: Vec::new(),
        }
    }

    /// Looks at the next `rows_max` rows. A row that breaks a rule is no fault; a store that cannot be read is one.
    pub fn step(&mut self, view: &dyn StateView, rows_max: usize) -> Result<Progress, Fault> {
        let rows = view.scan(&ScanRange {
            from: &self.next,
            to: &[u8::MAX],
            backward: false,
            rows_max,
            bytes_max: STEP_BYTES_MAX,
        })?;
        for row in &rows {
            self.check(view, row)?;
        }
        if let Some((last, _)) = rows.last() {
            // The first key after another is the same with a byte appended.
            self.next = [last, &[0][..]].concat();
        }
        Ok(Progress {
            rows: rows.len(),
            broken: std::mem::take(&mut self.found),
            is_over: rows.is_empty(),
        })
    }

    /// Looks at all rows that are left; for a state that does not change meanwhile.
    pub fn finish(mut self, view: &dyn StateView) -> Result<Vec<Invariant>, Fault> {
        const STEP: usize = 1_024;
        let mut broken = Vec::new();
        loop {
            let step = self.step(view, STEP)?;
            broken.extend(step.broken);
            if step.is_over {
                return Ok(broken);
            }
        }
    }

    fn check(&mut self, view: &dyn StateView, (key, value): &Row) -> Result<(), Fault> {
        let checked = match self.group.is_control() {
            true => control::check_row(self, view, key, value),
            false => data::check_row(self, view, key, value),
        };
        match checked {
            Ok(()) => Ok(()),
            Err(Unchecked::Malformed) => {
                self.found.push(Invariant::RowsDecode);
                Ok(())
            }
            Err(Unchecked::Fault(fault)) => Err(fault),
        }
    }

    /// Notes that a rule is broken, unless it holds.
    pub(crate) fn expect(&mut self, holds: bool, invariant: Invariant) {
        if !holds {
            self.found.push(invariant);
        }
    }
}

/// Why a row was not checked.
pub(crate) enum Unchecked {
    /// It is not a row of its table.
    Malformed,
    /// The store cannot be read.
    Fault(Fault),
}

impl From<DecodeError> for Unchecked {
    fn from(_: DecodeError) -> Self {
        Self::Malformed
    }
}

impl From<Fault> for Unchecked {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// A row beside the one that is checked. One that does not decode is reported in its own turn, and is as good as none.
pub(crate) fn beside<T>(
    view: &dyn StateView,
    key: &[u8],
    decode: impl FnOnce(&[u8]) -> Result<T, DecodeError>,
) -> Result<Option<T>, Fault> {
    Ok(view.get(key)?.and_then(|bytes| decode(&bytes).ok()))
}

/// Whether there is a row under a key.
pub(crate) fn is_there(view: &dyn StateView, key: &[u8]) -> Result<bool, Fault> {
    Ok(view.get(key)?.is_some())
}

/// An id in a key, after the table's byte and `skip` more.
pub(crate) fn part<const N: usize>(key: &[u8], skip: usize) -> Result<[u8; N], DecodeError> {
    let rest = key.get(1 + skip..).and_then(<[u8]>::first_chunk::<N>);
    rest.copied().ok_or(DecodeError::Truncated)
}
