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

/// The fenced keys of the current epoch, as of the last time when this was asked to learn.
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
    /// How often keys had come back.
    returns: u64,
}

/// What there was to learn.
pub(crate) struct Learned {
    /// Keys that are fenced; also some that were known, after keys came back.
    pub(crate) fenced: Vec<Kid>,
    /// Whether keys came back.
    pub(crate) returned: bool,
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

    /// Reads what was fenced or came back since the last time.
    pub(crate) fn learn(&self, view: &dyn StateView) -> Result<Learned, Fault> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let back = control::returned(view)?;
        let returned = back.number != known.returns;
        if back.number == known.returns + 1 {
            for kid in &back.kids {
                known.kids.remove(kid);
            }
        } else if returned {
            // The state names the last ones only: all that are fenced are read again.
            *known = Known::default();
        }
        known.returns = back.number;
        let mut fenced = Vec::new();
        loop {
            let page = control::fenced(view, known.last.as_ref(), PAGE)?;
            let Some(last) = page.last() else {
                return Ok(Learned { fenced, returned });
            };
            known.last = Some(*last);
            known.kids.extend(page.iter().map(|key| (key.kid, key.index)));
            fenced.extend(page.iter().map(|key| key.kid));
            self.any.store(true, Ordering::Release);
        }
    }

    /// How often keys had come back when this was asked last to learn.
    pub(crate) fn returns(&self) -> u64 {
        self.known.read().unwrap_or_else(PoisonError::into_inner).returns
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
