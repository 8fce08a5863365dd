//! Which indexes of a group's log are held: the rules of append, truncate and purge in one place, for every
//! engine and for recovery, so that there is never a hole.

/// The held indexes, both ends included, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    ends: Option<(u64, u64)>,
}

impl Span {
    /// The indexes from `first` to `last`; none if they are out of order.
    pub(crate) fn between(first: u64, last: u64) -> Self {
        Self {
            ends: (first <= last).then_some((first, last)),
        }
    }

    /// The first index held.
    pub(crate) fn first(self) -> Option<u64> {
        self.ends.map(|(first, _)| first)
    }

    /// The last index held.
    pub(crate) fn last(self) -> Option<u64> {
        self.ends.map(|(_, last)| last)
    }

    /// How many are held.
    pub(crate) fn count(self) -> u64 {
        self.ends.map_or(0, |(first, last)| last - first + 1)
    }

    /// The part of it in `[from, to)`.
    pub(crate) fn clip(self, from: u64, to: u64) -> Self {
        match (self.ends, to.checked_sub(1)) {
            (Some((first, last)), Some(before)) => Self::between(first.max(from), last.min(before)),
            _ => Self::default(),
        }
    }

    /// Takes in `index`. It must follow the last one held, or else the last one purged, if there is any, and must not be
    /// the last number, which nothing follows.
    pub(crate) fn append(&mut self, index: u64, purged: Option<u64>) -> Result<(), &'static str> {
        let expected = self.last().or(purged).map(|before| before.checked_add(1));
        match expected {
            Some(next) if next != Some(index) => Err("a record does not follow the one before it"),
            _ if index == u64::MAX => Err("a record's index is out of its range"),
            _ => {
                self.ends = Some((self.first().unwrap_or(index), index));
                Ok(())
            }
        }
    }

    /// Lets go of all after `keep`, or of all.
    pub(crate) fn truncate_after(&mut self, keep: Option<u64>) {
        self.ends = match (self.ends, keep) {
            (Some((first, last)), Some(keep)) => Self::between(first, last.min(keep)).ends,
            _ => None,
        };
    }

    /// Lets go of all up to `index`, inclusive.
    pub(crate) fn purge(&mut self, index: u64) {
        self.ends = match (self.ends, index.checked_add(1)) {
            (Some((first, last)), Some(next)) => Self::between(first.max(next), last).ends,
            _ => None,
        };
    }
}
