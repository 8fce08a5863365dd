//! The keyring: whether this node has keys now, and which root they hang on.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use eunoe_core::StateView;
use eunoe_core::control::{self, EpochRow};
use eunoe_crypto::{KeyArena, RootKey};

use crate::held::HeldKeys;
use crate::in_flight::InFlight;
use crate::{KeyringError, Lease, LeaseClock, RootInFlight, Unsealed};

/// How much a keyring keeps at hand. What does not fit is opened again when needed.
#[derive(Clone, Copy, Debug)]
pub struct KeyringLimits {
    /// Record keys.
    pub records: usize,
    /// Content keys.
    pub content_keys: usize,
    /// Conversations' lookup keys.
    pub conversations: usize,
    /// Answers of the index.
    pub index_rows: usize,
    /// Tenants.
    pub tenants: usize,
}

impl Default for KeyringLimits {
    fn default() -> Self {
        Self {
            records: 65_536,
            content_keys: 65_536,
            conversations: 65_536,
            index_rows: 65_536,
            tenants: 4_096,
        }
    }
}

/// The keys of this node, if it has any now.
pub struct Keyring {
    arena: KeyArena,
    limits: KeyringLimits,
    lease: Lease,
    in_flight: InFlight,
    turn: Mutex<()>,
    state: RwLock<State>,
    /// Tells those who wait for other keys that there are some, or none.
    changing: Mutex<()>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    unsealed: Option<Arc<Unsealed>>,
    /// A root that may become the current one.
    next: Option<(RootKey, RootInFlight)>,
    /// Keys that are not used for anything new, and may be in the hands of work under way.
    former: Vec<HeldKeys>,
}

impl State {
    /// Puts other keys, or none, in the place of those in use.
    fn change(&mut self, unsealed: Option<Arc<Unsealed>>) {
        self.former.retain(HeldKeys::any);
        let former = std::mem::replace(&mut self.unsealed, unsealed);
        self.former.extend(former.map(|former| former.held()));
    }
}

/// What reconciling with applied state changed.
#[derive(Debug, PartialEq, Eq)]
pub enum Reconciled {
    /// Nothing.
    Unchanged,
    /// Keys were fenced; others may have come back.
    Fenced,
    /// Keys came back.
    Returned,
    /// Another root is in use; the former and all that was opened with it is gone.
    Switched,
    /// Another root counts and is not here: the keyring is sealed.
    Sealed,
}

impl Keyring {
    /// A sealed keyring that keeps its keys in `arena`.
    pub fn new(arena: KeyArena, limits: KeyringLimits, clock: Arc<dyn LeaseClock>) -> Self {
        Self {
            arena,
            limits,
            lease: Lease::new(clock),
            in_flight: InFlight::default(),
            turn: Mutex::new(()),
            state: RwLock::default(),
            changing: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// The memory that keys are kept in.
    pub fn arena(&self) -> &KeyArena {
        &self.arena
    }

    /// The lease under which keys may be used.
    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// The keys; an error while the node is sealed or its lease is over.
    pub fn unsealed(&self) -> Result<Arc<Unsealed>, KeyringError> {
        let unsealed = self.read().unsealed.clone().ok_or(KeyringError::Sealed)?;
        if self.lease.left_ms() == 0 {
            return Err(KeyringError::LeaseOver);
        }
        Ok(unsealed)
    }

    /// Whether there is a root, under a lease or not.
    pub fn holds_root(&self) -> bool {
        self.read().unsealed.is_some()
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The turn to follow the state. Whoever calls [`unseal`](Self::unseal) or [`reconcile`](Self::reconcile) holds it
    /// from before the view is taken: else keys could come into use that know nothing of a fence in between.
    pub fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the current root: checks that it is the one that the control group committed to.
    pub fn unseal(&self, view: &dyn StateView, root: &RootKey) -> Result<(), KeyringError> {
        let epoch = control::epoch(view)?.ok_or(KeyringError::WrongRoot)?;
        if root.commitment() != epoch.root_commit {
            return Err(KeyringError::WrongRoot);
        }
        if control::is_sealed(view)? {
            return Err(KeyringError::Sealed);
        }
        let unsealed = Unsealed::new(&self.arena, self.limits, view, &epoch, root)?;
        self.change(Some(unsealed));
        Ok(())
    }

    /// Says that a root is about to come here that leads to keys of epoch `leads_to` and later: the current one of then, or
    /// one that an attempt of then makes. To be called before it is asked for, or as soon as it is here unasked.
    ///
    /// # Errors
    ///
    /// [`KeyringError::StaleRoot`] if roots of then are [refused](Self::refuse_before): it must not be kept.
    pub fn expect_root(&self, leads_to: u64) -> Result<RootInFlight, KeyringError> {
        self.in_flight.expect(leads_to).ok_or(KeyringError::StaleRoot)
    }

    /// Takes no root any more that leads to keys of before this epoch. To be called before the vault is looked at for
    /// what the node says of it: whatever was taken before is in the vault by the time when
    /// [`former_is_gone`](Self::former_is_gone), and nothing follows.
    pub fn refuse_before(&self, epoch: &EpochRow) {
        self.in_flight.refuse_before(epoch.epoch);
        let mut state = self.write();
        let is_changing_over = state.unsealed.as_ref().is_some_and(|keys| !keys.is_of(epoch));
        if !is_changing_over {
            state.next.take_if(|(_, held)| held.leads_to() < epoch.epoch);
        }
    }

    /// Takes no root any more, whatever comes, and forgets every key.
    pub fn retire(&self) {
        self.in_flight.refuse_before(u64::MAX);
        self.seal();
    }

    /// Whether no key is in memory; a root may be on its way.
    pub fn is_wiped(&self) -> bool {
        let state = self.read();
        let former = state.former.iter().any(HeldKeys::any);
        !former && state.unsealed.is_none() && state.next.is_none()
    }

    /// Whether no key, no root and no part of one is in memory.
    pub fn is_empty(&self) -> bool {
        self.is_wiped() && !self.in_flight.any_before(u64::MAX)
    }

    fn change(&self, unsealed: Option<Unsealed>) {
        self.write().change(unsealed.map(Arc::new));
        self.tell();
    }

    /// Wakes whoever waits for other keys.
    fn tell(&self) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.changed.notify_all();
    }

    /// The keys that took the place of `stale`, when the state turned out to be of another epoch already: whoever applied
    /// the switch is about to follow it. Blocks the thread until that is done, which takes milliseconds, and not longer
    /// than `patience`.
    pub fn instead_of(
        &self,
        stale: &Arc<Unsealed>,
        patience: Duration,
    ) -> Result<Arc<Unsealed>, KeyringError> {
        let changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let is_stale = |_: &mut ()| {
            let state = self.read();
            state.unsealed.as_ref().is_some_and(|now| Arc::ptr_eq(now, stale))
        };
        let waited = self.changed.wait_timeout_while(changing, patience, is_stale);
        let (changing, ended) = waited.unwrap_or_else(PoisonError::into_inner);
        drop(changing);
        if ended.timed_out() {
            return Err(KeyringError::StaleRoot);
        }
        self.unsealed()
    }

    /// Keeps a root that may become the current one, in place of the last such.
    pub fn keep_next(&self, root: RootKey, held: RootInFlight) {
        self.write().next = Some((root, held));
    }

    /// Follows applied state: learns fences, changes over to the next root, or seals itself. To be called after every
    /// apply and install of the control group, before anybody is told of the new position (erasure.md R4).
    pub fn reconcile(&self, view: &dyn StateView) -> Result<Reconciled, KeyringError> {
        let Some(unsealed) = self.read().unsealed.clone() else {
            return Ok(Reconciled::Unchanged);
        };
        if control::is_sealed(view)? {
            self.seal();
            return Ok(Reconciled::Sealed);
        }
        let epoch = control::epoch(view)?.ok_or(KeyringError::WrongRoot)?;
        if unsealed.is_of(&epoch) {
            let learned = unsealed.learn_fences(view)?;
            return Ok(match learned.fenced.is_empty() {
                false => Reconciled::Fenced,
                true if learned.returned => Reconciled::Returned,
                true => Reconciled::Unchanged,
            });
        }
        let next = self.write().next.take();
        let changed = match next.filter(|(root, _)| root.commitment() == epoch.root_commit) {
            Some((root, _held)) => Some(Unsealed::new(&self.arena, self.limits, view, &epoch, &root)?),
            None => None,
        };
        let reconciled = if changed.is_some() {
            Reconciled::Switched
        } else {
            Reconciled::Sealed
        };
        self.change(changed);
        Ok(reconciled)
    }

    /// Forgets every key. Tasks that hold one finish with it.
    pub fn seal(&self) {
        let mut state = self.write();
        state.change(None);
        state.next = None;
        drop(state);
        self.tell();
    }

    /// Whether no key but those of this epoch is in memory any more, whoever held it, and no root that leads to others is on
    /// its way.
    pub fn former_is_gone(&self, epoch: &EpochRow) -> bool {
        if self.in_flight.any_before(epoch.epoch) {
            return false;
        }
        let state = self.read();
        let mut former = state.former.iter().filter(|former| former.any());
        let of_now = state.unsealed.as_ref().is_none_or(|keys| keys.is_of(epoch));
        of_now && former.all(|former| former.is_of(epoch))
    }
}
