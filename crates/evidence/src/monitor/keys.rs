//! The lives of keys: made once, left out once, and never seen again.

use std::collections::{BTreeMap, BTreeSet};

use super::{MonitorError, Problem};
use crate::leaf::KeyLeaf;

/// Keys at most that live at once; each takes about 100 bytes.
pub const MONITOR_KEYS_MAX: usize = 1 << 27;

/// Keys at most that were left out; each takes about 12 bytes.
pub const MONITOR_ERASED_MAX: usize = 1 << 30;

/// Keys by their commitments `c`.
#[derive(Default)]
pub(super) struct Keys {
    /// With `kc`.
    live: BTreeMap<[u8; 32], [u8; 32]>,
    /// The first bytes of commitments, which are as good as random. Whoever made two begin alike on purpose would accuse
    /// himself.
    erased: BTreeSet<[u8; 8]>,
    erased_count: u64,
}

fn short(c: &[u8; 32]) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = *c;
    [a, b, c, d, e, f, g, h]
}

impl Keys {
    pub(super) fn live(&self) -> u64 {
        self.live.len() as u64
    }

    pub(super) fn erased(&self) -> u64 {
        self.erased_count
    }

    /// A key is made.
    pub(super) fn create(&mut self, key: &KeyLeaf) -> Result<Option<Problem>, MonitorError> {
        if self.live.len() >= MONITOR_KEYS_MAX {
            return Err(MonitorError::TooMany("keys"));
        }
        if self.erased.contains(&short(&key.c)) {
            return Ok(Some(Problem::Returned(key.c)));
        }
        let before = self.live.insert(key.c, key.kc);
        Ok(before.map(|_| Problem::CreatedTwice(key.c)))
    }

    /// A key is left out.
    pub(super) fn erase(&mut self, key: &KeyLeaf) -> Result<Option<Problem>, MonitorError> {
        if self.erased.len() >= MONITOR_ERASED_MAX {
            return Err(MonitorError::TooMany("erased keys"));
        }
        let problem = match self.live.remove(&key.c) {
            Some(kc) if kc == key.kc => None,
            Some(_) => Some(Problem::OtherKey(key.c)),
            None if self.erased.contains(&short(&key.c)) => Some(Problem::ErasedTwice(key.c)),
            None => Some(Problem::NeverCreated(key.c)),
        };
        self.erased.insert(short(&key.c));
        self.erased_count += 1;
        Ok(problem)
    }

    /// A key is spoken of as one that is there.
    pub(super) fn name(&self, c: &[u8; 32]) -> Option<Problem> {
        if self.live.contains_key(c) {
            None
        } else if self.erased.contains(&short(c)) {
            Some(Problem::Returned(*c))
        } else {
            Some(Problem::NeverCreated(*c))
        }
    }
}
