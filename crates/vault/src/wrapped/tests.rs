//! What failures of the keeper, crashes and the end of copies leave behind.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use eunoe_crypto::OsEntropy;

use super::*;

const SLOT: Slot = Slot { epoch: 3, attempt: 1 };
const DAY: u64 = 86_400_000;

/// Keys in memory that fail when told so: all keepers of one test share them.
#[derive(Clone, Default)]
struct MemKeys(Arc<Mutex<Keeper>>);

#[derive(Default)]
struct Keeper {
    keys: BTreeMap<(u64, u32, u64), (KeyName, Vec<u8>)>,
    /// Calls that still succeed, if they fail one day.
    left: Option<u32>,
    /// Says that it deleted and does not.
    lies: bool,
}

fn key(name: &KeyName) -> (u64, u32, u64) {
    (name.slot.epoch, name.slot.attempt, name.serial)
}

impl MemKeys {
    fn asked(&self) -> Result<MutexGuard<'_, Keeper>, VaultError> {
        let mut keeper = self.lock();
        if let Some(left) = keeper.left {
            let refused = VaultError::Refused {
                what: "asking",
                status: 503,
            };
            keeper.left = Some(left.checked_sub(1).ok_or(refused)?);
        }
        Ok(keeper)
    }

    fn lock(&self) -> MutexGuard<'_, Keeper> {
        self.0.lock().expect("no panic")
    }
}

impl Keys for MemKeys {
    fn wrap(&self, name: &KeyName, secret: &SecretBytes) -> Result<Vec<u8>, VaultError> {
        let kept = (*name, secret.expose().to_vec());
        let replaced = self.asked()?.keys.insert(key(name), kept);
        assert!(replaced.is_none(), "a key is used twice");
        Ok(b"wrapped".to_vec())
    }

    fn unwrap(&self, name: &KeyName, wrapped: &[u8]) -> Result<Option<SecretBytes>, VaultError> {
        let keeper = self.asked()?;
        let kept = keeper.keys.get(&key(name)).filter(|_| wrapped == b"wrapped");
        Ok(kept.map(|(_, secret)| SecretBytes::from(&secret[..])))
    }

    fn delete(&self, name: &KeyName) -> Result<(), VaultError> {
        let mut keeper = self.asked()?;
        if !keeper.lies {
            keeper.keys.remove(&key(name));
        }
        Ok(())
    }

    fn list(&self, vault: &[u8; 16]) -> Result<Vec<KeyName>, VaultError> {
        let keeper = self.asked()?;
        let names = keeper.keys.values().map(|(name, _)| *name);
        Ok(names.filter(|name| name.vault == *vault).collect())
    }
}

/// A vault over such keys, and its time.
struct World {
    directory: tempfile::TempDir,
    keys: MemKeys,
    now: Arc<AtomicU64>,
    retention: Duration,
}

impl World {
    fn new(days: u32) -> Self {
        Self {
            directory: tempfile::tempdir().expect("a directory"),
            keys: MemKeys::default(),
            now: Arc::new(AtomicU64::new(1000 * DAY)),
            retention: Duration::from_secs(86_400) * days,
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("vault")
    }

    fn retention(&self) -> Retention {
        let now = Arc::clone(&self.now);
        Retention {
            period: self.retention,
            now: Box::new(move || TimeMs(now.load(Ordering::Relaxed))),
        }
    }

    fn create(&self) -> WrappedVault<MemKeys> {
        let keys = self.keys.clone();
        let created = WrappedVault::create(&self.path(), "mem", keys, self.retention(), Box::new(OsEntropy));
        created.expect("creates")
    }

    fn open(&self, kind: &str) -> Result<WrappedVault<MemKeys>, VaultError> {
        let keys = self.keys.clone();
        WrappedVault::open(&self.path(), kind, keys, self.retention(), Box::new(OsEntropy))
    }

    fn days_pass(&self, days: u64) {
        self.now.fetch_add(days * DAY, Ordering::Relaxed);
    }

    /// Lets the keeper fail after so many more calls, or never.
    fn fail_after(&self, calls: Option<u32>) {
        self.keys.lock().left = calls;
    }
}

fn secret() -> SecretBytes {
    SecretBytes::new(vec![0x5a; 64])
}

#[test]
fn a_put_that_fails_anywhere_is_repeated_and_leaves_one_key() {
    for calls in 0.. {
        let world = World::new(0);
        let vault = world.create();
        world.fail_after(Some(calls));
        let put = vault.put(SLOT, &secret());
        world.fail_after(None);
        if put.is_ok() {
            assert!(calls > 2, "too few calls to be a test");
            break;
        }
        let is_key_there = !world.keys.lock().keys.is_empty();
        let listed: &[Slot] = if is_key_there { &[SLOT] } else { &[] };
        assert_eq!(vault.list().expect("lists"), listed, "after {calls}");
        drop(vault);
        let vault = world.open("mem").expect("opens");
        vault.put(SLOT, &secret()).expect("kept");
        assert!(vault.get(SLOT).expect("held").matches(&secret()));
        assert_eq!(world.keys.lock().keys.len(), 1, "after {calls}");
    }
}

#[test]
fn a_destruction_that_fails_anywhere_stays_listed_and_is_repeated() {
    for calls in 0.. {
        let world = World::new(0);
        let vault = world.create();
        vault.put(SLOT, &secret()).expect("kept");
        world.fail_after(Some(calls));
        let destroyed = vault.destroy(SLOT);
        world.fail_after(None);
        if destroyed.is_ok() {
            assert!(calls > 2, "too few calls to be a test");
            break;
        }
        assert_eq!(vault.list().expect("lists"), [SLOT], "after {calls}");
        assert_eq!(vault.destroy(SLOT).expect("destroyed"), Destroyed::Now);
        assert_eq!(vault.list().expect("lists"), []);
    }
}

#[test]
fn a_keeper_that_does_not_delete_is_not_believed() {
    let world = World::new(0);
    let vault = world.create();
    vault.put(SLOT, &secret()).expect("kept");
    world.keys.lock().lies = true;
    assert!(matches!(vault.destroy(SLOT), Err(VaultError::Undeleted(SLOT))));
    assert_eq!(vault.list().expect("lists"), [SLOT]);
    assert!(vault.get(SLOT).expect("held").matches(&secret()));
}

#[test]
fn a_slot_is_alive_until_the_copies_of_its_key_end() {
    let world = World::new(30);
    let vault = world.create();
    vault.put(SLOT, &secret()).expect("kept");
    let until = TimeMs(1030 * DAY);
    assert_eq!(
        vault.destroy(SLOT).expect("deleted"),
        Destroyed::Pending { until }
    );
    assert!(matches!(vault.get(SLOT), Err(VaultError::Dead(_))));
    assert!(matches!(vault.put(SLOT, &secret()), Err(VaultError::Dead(_))));
    world.days_pass(29);
    assert_eq!(
        vault.destroy(SLOT).expect("deleted"),
        Destroyed::Pending { until }
    );
    drop(vault);
    let vault = world.open("mem").expect("opens");
    assert_eq!(vault.list().expect("lists"), [SLOT]);
    world.days_pass(1);
    assert_eq!(vault.list().expect("lists"), []);
    assert_eq!(vault.destroy(SLOT).expect("gone"), Destroyed::Now);
    assert!(matches!(vault.get(SLOT), Err(VaultError::NotFound(_))));
}

#[test]
fn a_key_that_comes_back_is_deleted_and_its_copies_end_later() {
    let world = World::new(30);
    let vault = world.create();
    vault.put(SLOT, &secret()).expect("kept");
    let backup: Vec<_> = world
        .keys
        .lock()
        .keys
        .iter()
        .map(|(at, key)| (*at, key.clone()))
        .collect();
    vault.destroy(SLOT).expect("deleted");
    world.days_pass(31);
    world.keys.lock().keys.extend(backup);
    assert_eq!(vault.list().expect("lists"), [SLOT]);
    let until = TimeMs(1061 * DAY);
    assert_eq!(
        vault.destroy(SLOT).expect("deleted"),
        Destroyed::Pending { until }
    );
    assert!(world.keys.lock().keys.is_empty());
}

#[test]
fn a_catalog_of_other_keys_is_refused() {
    let world = World::new(0);
    drop(world.create());
    assert!(matches!(world.open("other"), Err(VaultError::Damaged(_))));
    let other = World::new(0);
    assert!(matches!(other.open("mem"), Err(VaultError::Io { .. })));
}

#[test]
fn e18_every_bit_of_the_catalog_matters() {
    let world = World::new(0);
    let vault = world.create();
    vault.put(SLOT, &secret()).expect("kept");
    let good = std::fs::read(world.path()).expect("reads");
    assert!(Catalog::decode(&good).is_some_and(|catalog| catalog.encode() == good));
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(Catalog::decode(&bad).is_none(), "bit {bit}");
    }
    for length in 0..good.len() {
        assert!(Catalog::decode(&good[..length]).is_none(), "{length} bytes");
    }
}

#[test]
fn a_write_that_a_crash_cut_off_is_as_if_it_never_began() {
    let world = World::new(0);
    let vault = world.create();
    vault.put(SLOT, &secret()).expect("kept");
    drop(vault);
    std::fs::write(world.path().with_extension("unfinished"), b"half a cata").expect("writes");
    let vault = world.open("mem").expect("opens");
    assert!(vault.get(SLOT).expect("held").matches(&secret()));
    vault.destroy(SLOT).expect("destroyed");
    assert_eq!(vault.list().expect("lists"), []);
}

#[test]
fn another_slots_secret_is_not_given_out() {
    let world = World::new(0);
    let vault = world.create();
    let other = Slot { epoch: 4, attempt: 1 };
    vault.put(SLOT, &secret()).expect("kept");
    drop(vault);
    let mut catalog = Catalog::decode(&std::fs::read(world.path()).expect("reads")).expect("whole");
    let state = catalog.get(SLOT).cloned();
    catalog.set(other, state);
    std::fs::write(world.path(), catalog.encode()).expect("writes");
    let vault = world.open("mem").expect("opens");
    assert!(vault.get(SLOT).expect("held").matches(&secret()));
    assert!(matches!(vault.get(other), Err(VaultError::Dead(_))));
}
