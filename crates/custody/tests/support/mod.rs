//! A control group in memory that keys are proposed to.
#![allow(dead_code, unreachable_pub)] // Each test file uses its own part of it.

pub mod attacker;
pub mod epoch;
pub mod people;
pub mod small;
pub mod tamper;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use eunoe_core::control::{Command, ControlMachine, KeyOutcome, NodeRow, NodeState, Reply};
use eunoe_core::placement::Policy;
use eunoe_core::{Machine, Row, ScanRange, StateView, Txn};
use eunoe_crypto::{Entropy, EntropyError, KeyArena, Levels, Locking, MetaPage, RootKey, Sharing};
use eunoe_custody::{
    Founding, Keyring, KeyringLimits, LeaseClock, PreparedGenesis, PreparedKey, prepare_genesis,
};
use eunoe_types::{BootId, Fault, LogPosition, NodeId, Realm, TenantId, TimeMs};

pub const REALM: Realm = Realm([0xa0; 16]);
pub const NOW: TimeMs = TimeMs(1_728_000_000_000);

/// The same bytes for the same seed, never repeating: a linear congruence, good enough for tests.
pub struct Seeded(pub u64);

impl Entropy for Seeded {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        for byte in out {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            *byte = (self.0 >> 56) as u8;
        }
        Ok(())
    }
}

/// Randomness that gives kids few leaf pages, so that the erased and the living share them. Only kids are so short.
pub struct Crowded(pub Seeded);

impl Entropy for Crowded {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        self.0.fill(out)?;
        if out.len() == 16 {
            out[0] &= 0x41;
            out[1] &= 0x7f;
        }
        Ok(())
    }
}

pub fn levels() -> Levels {
    Levels::new(2).expect("a depth")
}

/// State in memory.
#[derive(Clone, Default)]
pub struct Rows(pub BTreeMap<Vec<u8>, Vec<u8>>);

impl StateView for Rows {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.0.get(key).cloned())
    }

    fn scan(&self, range: &ScanRange<'_>) -> Result<Vec<Row>, Fault> {
        let inside = self.0.range(range.from.to_vec()..range.to.to_vec());
        let inside = inside.map(|(key, value)| (key.clone(), value.clone()));
        Ok(if range.backward {
            inside.rev().take(range.rows_max).collect()
        } else {
            inside.take(range.rows_max).collect()
        })
    }
}

/// A clock that stands still until it is told.
#[derive(Default)]
pub struct Clock(pub AtomicU64);

impl LeaseClock for Clock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

pub struct Cluster {
    pub rows: Rows,
    /// Every row that was ever written, as old disks, snapshots and backups keep them.
    pub written: BTreeSet<Row>,
    index: u64,
}

impl Cluster {
    /// A realm with its first tree, and its root.
    pub fn begun(seed: u64) -> (Self, RootKey) {
        let prepared = genesis(seed);
        let mut cluster = Self {
            rows: Rows::default(),
            written: BTreeSet::new(),
            index: 0,
        };
        for command in &prepared.commands {
            assert_eq!(cluster.propose(command), Reply::Done);
        }
        (cluster, prepared.dealt.into_root())
    }

    pub fn propose(&mut self, command: &[u8]) -> Reply {
        self.index += 1;
        let at = LogPosition {
            term: 1,
            index: self.index,
        };
        let mut txn = Txn::new(&self.rows);
        let applied = ControlMachine
            .apply(&mut txn, at, command)
            .expect("a sound command");
        for (key, change) in txn.into_changes() {
            match change {
                Some(value) => {
                    self.written.insert((key.clone(), value.clone()));
                    self.rows.0.insert(key, value)
                }
                None => self.rows.0.remove(&key),
            };
        }
        Reply::decode(&applied.reply).expect("a reply decodes")
    }

    pub fn create(&mut self, key: &PreparedKey) -> KeyOutcome {
        let command = Command::CreateKeys {
            time: NOW,
            keys: vec![key.as_new_key()],
        };
        match self.propose(&command.encode()) {
            Reply::Keys(outcomes) => outcomes[0],
            other @ (Reply::Done | Reply::Rejected(_) | Reply::Erasure { .. }) => {
                panic!("keys got another answer: {other:?}")
            }
        }
    }

    /// Replaces the commitment to `from` by one to `to` wherever it is stored.
    pub fn forge_commitment(&mut self, from: &RootKey, to: &RootKey) {
        let (from, to) = (from.commitment(), to.commitment());
        for value in self.rows.0.values_mut() {
            if let Some(at) = value.windows(32).position(|part| part == from) {
                value[at..at + 32].copy_from_slice(&to);
            }
        }
    }
}

pub fn genesis(seed: u64) -> PreparedGenesis {
    let founding = Founding {
        realm: REALM,
        levels: levels(),
        attempt: seed,
        data_groups: 4,
        time: NOW,
        nodes: (1..=3).map(node).collect(),
        policy: Policy::Eu27,
        founder: (NodeId(1), BootId([1; 16])),
        meta: MetaPage::generate(&mut Seeded(seed + 1)).expect("randomness"),
        log_key: [0x4b; 32],
    };
    prepare_genesis(&arena(), founding, &mut Seeded(seed)).expect("prepares")
}

/// A root that nothing was ever sealed under.
pub fn other_root(seed: u64) -> RootKey {
    let sharing = Sharing::new(1, 1).expect("is sound");
    let dealt = sharing.deal(&arena(), &mut Seeded(seed)).expect("deals");
    dealt.into_root()
}

fn node(id: u64) -> NodeRow {
    NodeRow {
        id: NodeId(id),
        client_address: String::new(),
        peer_address: String::new(),
        spki_sha256: [id as u8; 32],
        site: "de/fra/fra1".to_owned(),
        state: NodeState::Admitted,
    }
}

pub fn arena() -> KeyArena {
    KeyArena::new(Locking::BestEffort, 1 << 20).expect("memory")
}

/// A keyring under a lease that outlasts the test.
pub fn sealed_keyring() -> Keyring {
    let keyring = keyring_under(Arc::default());
    keyring.lease().renew(0, u64::MAX);
    keyring
}

/// A keyring whose lease begins, as every lease, expired.
pub fn keyring_under(clock: Arc<Clock>) -> Keyring {
    Keyring::new(arena(), KeyringLimits::default(), clock)
}

pub fn keyring(cluster: &Cluster, root: &RootKey) -> Keyring {
    let keyring = sealed_keyring();
    keyring
        .unseal(&cluster.rows, root)
        .expect("the root of this realm");
    keyring
}

pub fn tenant_id() -> TenantId {
    TenantId::new("acme").expect("a tenant's name")
}
