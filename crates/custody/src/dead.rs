//! Keys that are fenced: known by name as soon as the fence is applied here, whatever a cache still holds.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use eunoe_core::StateView;
use eunoe_core::control::{self, FencedKey};
use eunoe_types::sabotage::{self, Sabotage};
use eunoe_types::{Fault, Kid};

/// Fenced keys read at a time.
const PAGE: usize = 1_024;

/// The fenced keys of the current epoch.
#[derive(Default)]
pub(crate) struct DeadKeys {
    any: AtomicBool,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    /// With the place of the fence in the log.
    kids: HashMap<Kid, u64>,
    last: Option<FencedKey>,
}

impl DeadKeys {
    /// All that are fenced now.
    pub(crate) fn read(view: &dyn StateView) -> Result<Self, Fault> {
        let dead = Self::default();
        dead.learn(view)?;
        if sabotage::is(Sabotage::EffectOnEntry) {
            let mut known = dead.known.write().unwrap_or_else(PoisonError::into_inner);
            known.kids.clear();
        }
        Ok(dead)
    }

    /// Reads the fences that came since the last time; says which.
    pub(crate) fn learn(&self, view: &dyn StateView) -> Result<Vec<Kid>, Fault> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let mut new = Vec::new();
        loop {
            let page = control::fenced(view, known.last.as_ref(), PAGE)?;
            let Some(last) = page.last() else {
                return Ok(new);
            };
            known.last = Some(*last);
            known.kids.extend(page.iter().map(|key| (key.kid, key.index)));
            new.extend(page.iter().map(|key| key.kid));
            self.any.store(true, Ordering::Release);
        }
    }

    /// Whether a key is fenced.
    pub(crate) fn contains(&self, kid: &Kid) -> bool {
        self.fence_of(kid).is_some()
    }

    /// Where in the log a key was fenced, if it is.
    pub(crate) fn fence_of(&self, kid: &Kid) -> Option<u64> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.kids.get(kid).copied()
    }
}
