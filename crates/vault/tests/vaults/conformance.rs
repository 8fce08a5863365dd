//! The promises of [`ErasableVault`]. Each provider's tests run them all over a place of its own.

use eunoe_crypto::SecretBytes;
use eunoe_vault::{Destroyed, ErasableVault, SECRET_BYTES_MAX, SLOTS, Slot, VaultError};

/// A place for one vault after another.
pub(crate) trait Harness {
    /// A new vault in a new place.
    fn create(&mut self) -> Box<dyn ErasableVault>;

    /// The vault that was made last, which is closed.
    fn open(&mut self) -> Box<dyn ErasableVault>;

    /// Tries to open that vault a second time.
    fn open_again(&mut self) -> Result<(), VaultError>;
}

/// Panics with the promise that is broken.
pub(crate) fn suite(harness: &mut dyn Harness) {
    an_empty_vault_holds_nothing(&*harness.create());
    what_is_put_is_read_back_and_listed(&*harness.create());
    a_slot_is_never_overwritten(&*harness.create());
    destroying_is_final_and_idempotent(&*harness.create());
    a_destroyed_slot_takes_a_new_secret(&*harness.create());
    slots_differ_by_epoch_and_attempt(&*harness.create());
    secrets_of_all_sizes_and_no_others(&*harness.create());
    a_full_vault_says_so_and_destroying_makes_room(&*harness.create());
    every_change_moves_the_counter(&*harness.create());
    everything_survives_reopening(harness);
    vaults_differ_and_are_open_once(harness);
}

pub(crate) fn slot(epoch: u64) -> Slot {
    Slot { epoch, attempt: 1 }
}

pub(crate) fn secret(byte: u8) -> SecretBytes {
    SecretBytes::new(vec![byte; 192])
}

fn assert_holds(vault: &dyn ErasableVault, slot: Slot, secret: &SecretBytes) {
    assert!(vault.get(slot).expect("held").matches(secret), "{slot:?}");
}

fn assert_missing(vault: &dyn ErasableVault, slot: Slot) {
    let got = vault.get(slot);
    assert!(
        matches!(got, Err(VaultError::NotFound(at)) if at == slot),
        "{slot:?}: {got:?}"
    );
}

fn an_empty_vault_holds_nothing(vault: &dyn ErasableVault) {
    assert_eq!(vault.list().expect("lists"), []);
    assert_missing(vault, slot(1));
    assert_eq!(vault.destroy(slot(1)).expect("nothing to do"), Destroyed::Now);
}

fn what_is_put_is_read_back_and_listed(vault: &dyn ErasableVault) {
    for epoch in [3, 1, 2] {
        vault.put(slot(epoch), &secret(epoch as u8)).expect("kept");
    }
    assert_eq!(vault.list().expect("lists"), [slot(1), slot(2), slot(3)]);
    for epoch in 1..=3 {
        assert_holds(vault, slot(epoch), &secret(epoch as u8));
    }
}

fn a_slot_is_never_overwritten(vault: &dyn ErasableVault) {
    vault.put(slot(1), &secret(1)).expect("kept");
    vault.put(slot(1), &secret(1)).expect("the same again");
    let shorter = SecretBytes::new(vec![1; 191]);
    for other in [secret(2), shorter] {
        let put = vault.put(slot(1), &other);
        assert!(
            matches!(put, Err(VaultError::Taken(at)) if at == slot(1)),
            "{put:?}"
        );
    }
    assert_holds(vault, slot(1), &secret(1));
    assert_eq!(vault.list().expect("lists"), [slot(1)]);
}

fn destroying_is_final_and_idempotent(vault: &dyn ErasableVault) {
    vault.put(slot(1), &secret(1)).expect("kept");
    vault.put(slot(2), &secret(2)).expect("kept");
    for _ in 0..2 {
        assert_eq!(vault.destroy(slot(1)).expect("destroyed"), Destroyed::Now);
        assert_eq!(vault.list().expect("lists"), [slot(2)]);
        assert_missing(vault, slot(1));
    }
    assert_holds(vault, slot(2), &secret(2));
}

fn a_destroyed_slot_takes_a_new_secret(vault: &dyn ErasableVault) {
    vault.put(slot(1), &secret(1)).expect("kept");
    vault.destroy(slot(1)).expect("destroyed");
    vault.put(slot(1), &secret(2)).expect("kept");
    assert_holds(vault, slot(1), &secret(2));
}

fn slots_differ_by_epoch_and_attempt(vault: &dyn ErasableVault) {
    let slots = [(0, 0), (0, 1), (1, 0), (1, u32::MAX), (u64::MAX, 0)];
    let slots = slots.map(|(epoch, attempt)| Slot { epoch, attempt });
    for (index, slot) in slots.into_iter().enumerate() {
        vault.put(slot, &secret(index as u8)).expect("kept");
    }
    assert_eq!(vault.list().expect("lists"), slots);
    vault.destroy(slots[1]).expect("destroyed");
    assert_missing(vault, slots[1]);
    for index in [0, 2, 3, 4] {
        assert_holds(vault, slots[index], &secret(index as u8));
    }
}

fn secrets_of_all_sizes_and_no_others(vault: &dyn ErasableVault) {
    let sizes = [1, 64, 1024, SECRET_BYTES_MAX];
    for size in sizes {
        let at = slot(size as u64);
        vault.put(at, &SecretBytes::new(vec![7; size])).expect("kept");
        assert_holds(vault, at, &SecretBytes::new(vec![7; size]));
    }
    let empty = vault.put(slot(0), &SecretBytes::default());
    assert!(matches!(empty, Err(VaultError::Empty)), "{empty:?}");
    let large = vault.put(slot(0), &SecretBytes::new(vec![7; SECRET_BYTES_MAX + 1]));
    assert!(matches!(large, Err(VaultError::TooLarge)), "{large:?}");
    assert_eq!(
        vault.list().expect("lists"),
        sizes.map(|size| slot(size as u64)),
        "what is refused leaves nothing"
    );
}

fn a_full_vault_says_so_and_destroying_makes_room(vault: &dyn ErasableVault) {
    for epoch in 0..SLOTS as u64 {
        vault.put(slot(epoch), &secret(1)).expect("room");
    }
    let full = vault.put(slot(99), &secret(2));
    assert!(matches!(full, Err(VaultError::Full)), "{full:?}");
    vault.put(slot(0), &secret(1)).expect("no room is needed");
    vault.destroy(slot(5)).expect("destroyed");
    vault.put(slot(99), &secret(2)).expect("room");
    assert_eq!(vault.list().expect("lists").len(), SLOTS);
}

fn every_change_moves_the_counter(vault: &dyn ErasableVault) {
    let mut last = vault.descriptor();
    let mut grew = |what: &str| {
        let now = vault.descriptor();
        assert_eq!(now.id, last.id, "{what}");
        let grew = now.counter > last.counter;
        last = now;
        grew
    };
    vault.put(slot(1), &secret(1)).expect("kept");
    assert!(grew("put"));
    vault.put(slot(1), &secret(1)).expect("kept");
    vault.get(slot(1)).expect("held");
    vault.list().expect("lists");
    assert!(!grew("nothing changed"));
    vault.destroy(slot(1)).expect("destroyed");
    assert!(grew("destroyed"));
    vault.destroy(slot(1)).expect("destroyed");
    assert!(!grew("nothing changed"));
}

fn everything_survives_reopening(harness: &mut dyn Harness) {
    let vault = harness.create();
    for epoch in 1..=3 {
        vault.put(slot(epoch), &secret(epoch as u8)).expect("kept");
    }
    vault.destroy(slot(2)).expect("destroyed");
    let before = vault.descriptor();
    drop(vault);
    let vault = harness.open();
    assert_eq!(vault.descriptor(), before);
    assert_eq!(vault.list().expect("lists"), [slot(1), slot(3)]);
    assert_holds(&*vault, slot(1), &secret(1));
    assert_missing(&*vault, slot(2));
    vault.destroy(slot(3)).expect("destroyed");
    vault.put(slot(4), &secret(4)).expect("kept");
    drop(vault);
    let vault = harness.open();
    assert_eq!(vault.list().expect("lists"), [slot(1), slot(4)]);
    assert_holds(&*vault, slot(4), &secret(4));
}

fn vaults_differ_and_are_open_once(harness: &mut dyn Harness) {
    let first = harness.create().descriptor().id;
    let vault = harness.create();
    assert_ne!(vault.descriptor().id, first);
    vault.put(slot(1), &secret(1)).expect("kept");
    harness.open_again().expect_err("it is open");
    assert_holds(&*vault, slot(1), &secret(1));
}
