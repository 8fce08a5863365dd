//! Keys in memory: every 32 bytes of a dump, at every byte, are tried.
//!
//! Against the public commitments to roots and record keys that is a hash each. A page's key has no commitment, so that
//! it is tried on the page itself, which costs some hundred times as much: first on the top pages, then on pages and
//! rows that nothing opened so far, only at every eighth byte, where programs keep their values, and at most so many
//! times as the caller allows.
//! Bytes of which many are alike are no key: fewer than 20 distinct ones of 32 come from a random source less than once
//! in 10^9 times.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use eunoe_crypto::{
    Commitment, Levels, MetaPage, PageId, PageKeys, RowTag, SealingKey, SecretKey, Tree, key_commitment,
    root_commitment, sub_key_commitment,
};
use eunoe_types::{Kid, Realm};
use serde::Serialize;

use crate::closure::{generation, open_derived};
use crate::{AttackError, Evidence, Opened};

/// Distinct bytes of a key, at least.
const DISTINCT_MIN: u16 = 20;
/// Where keys of pages are looked for.
const PAGE_KEY_STEP: usize = 8;
const KEY_BYTES: usize = SecretKey::BYTES;

/// What was done with a memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tried {
    /// Places at which a key could lie.
    pub windows: u64,
    /// Of which so many had the bytes of a key.
    pub candidates: u64,
    /// Candidates that were tried on pages and rows, once for each.
    pub page_trials: u64,
    /// Trials on pages and rows that were left out, because there were too many.
    pub page_trials_left_out: u64,
}

/// Keys that were found in memory.
#[derive(Debug, Default)]
pub struct MemoryKeys {
    /// Roots.
    pub(crate) roots: Vec<SecretKey>,
    /// Parts of shared roots.
    pub(crate) sub_keys: Vec<SecretKey>,
    /// Record keys.
    pub(crate) records: Vec<(Kid, SecretKey)>,
    /// Keys of pages.
    pub(crate) pages: Vec<(PageId, SecretKey)>,
    /// What seals a top page, in the place of the root.
    pub(crate) derived: Vec<(PageId, SecretKey)>,
    /// What it took.
    pub tried: Tried,
}

impl MemoryKeys {
    /// How many roots, parts of roots, keys of pages and record keys there are.
    pub fn found(&self) -> (usize, usize, usize, usize) {
        let records: BTreeSet<&Kid> = self.records.iter().map(|(kid, _)| kid).collect();
        (
            self.roots.len(),
            self.sub_keys.len(),
            self.pages.len() + self.derived.len(),
            records.len(),
        )
    }
}

/// A sealed form on which page keys are tried.
enum Target<'a> {
    Meta(&'a [u8]),
    Top(PageId, &'a [u8]),
    Interior(PageId, &'a [u8]),
    Row(PageId, RowTag, &'a [u8]),
}

/// What is looked for: a memory is searched for both, one after the other, because a root that is found spares most
/// trials on the pages below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Roots, their parts, and record keys.
    Roots,
    /// Keys of pages and rows that nothing opened so far.
    Pages,
}

/// What to look for in memories.
pub struct Dump<'a> {
    stage: Stage,
    identities: Vec<(Realm, Levels)>,
    roots: HashSet<Commitment>,
    sub_keys: HashSet<Commitment>,
    records: HashMap<Commitment, Vec<Kid>>,
    targets: Vec<Target<'a>>,
    trials_left: u64,
}

impl<'a> Dump<'a> {
    /// Looks for whatever opens more than `opened`, with at most so many trials on pages and rows.
    ///
    /// # Errors
    ///
    /// If the evidence names no realm.
    pub fn new(
        evidence: &'a Evidence,
        opened: &Opened,
        stage: Stage,
        page_trials_max: u64,
    ) -> Result<Self, AttackError> {
        let identities = evidence.identities()?;
        let mut dump = Self {
            stage,
            identities,
            roots: HashSet::new(),
            sub_keys: HashSet::new(),
            records: HashMap::new(),
            targets: Vec::new(),
            trials_left: page_trials_max,
        };
        let pages = evidence.sealed.all_pages();
        let pages = pages.filter(|(page, sealed)| !opened.is_open(*page, sealed));
        match stage {
            Stage::Roots => {
                dump.roots.extend(evidence.root_commitments.keys());
                dump.sub_keys.extend(evidence.made_roots.values().flatten());
                for (kid, key) in &evidence.keys {
                    if let Some(commitment) = key.commitment {
                        dump.records.entry(commitment).or_default().push(*kid);
                    }
                }
                dump.targets
                    .extend(pages.filter_map(|(page, sealed)| top(page, sealed)));
            }
            Stage::Pages => {
                let below = pages.filter(|(page, sealed)| top(*page, sealed).is_none());
                dump.targets
                    .extend(below.map(|(page, sealed)| Target::Interior(page, sealed)));
                for (_, levels) in &dump.identities {
                    dump.targets.extend(unopened_rows(evidence, opened, *levels));
                }
            }
        }
        Ok(dump)
    }

    /// Looks at every place of `bytes`, and adds what it finds.
    pub fn search(&mut self, bytes: &[u8], found: &mut MemoryKeys) {
        let mut seen = HashSet::new();
        let mut variety = Variety::new();
        for at in 0..bytes.len() {
            variety.add(bytes[at]);
            if at + 1 < KEY_BYTES {
                continue;
            }
            let first = u64::from(self.stage == Stage::Roots);
            found.tried.windows += first;
            let start = at + 1 - KEY_BYTES;
            if variety.distinct >= DISTINCT_MIN
                && let Some(window) = bytes[start..].first_chunk()
            {
                found.tried.candidates += first;
                let key = SecretKey::from_bytes(window);
                self.compare(&key, found);
                // The same key in many places is tried once.
                if start.is_multiple_of(PAGE_KEY_STEP) && seen.insert(*window) {
                    self.try_pages(&key, found);
                }
            }
            variety.remove(bytes[start]);
        }
    }

    fn compare(&self, key: &SecretKey, found: &mut MemoryKeys) {
        if self.roots.contains(&root_commitment(key)) {
            add(&mut found.roots, key);
        }
        if self.sub_keys.contains(&sub_key_commitment(key)) {
            add(&mut found.sub_keys, key);
        }
        for kid in self.records.get(&key_commitment(key)).into_iter().flatten() {
            if !found.records.iter().any(|(known, _)| known == kid) {
                found.records.push((*kid, key.duplicate()));
            }
        }
    }

    fn try_pages(&mut self, key: &SecretKey, found: &mut MemoryKeys) {
        let trials = self.targets.len() as u64;
        if trials > self.trials_left {
            found.tried.page_trials_left_out += trials;
            return;
        }
        self.trials_left -= trials;
        found.tried.page_trials += trials;
        let keys = PageKeys::derive(key);
        let derived = SealingKey::new(key.duplicate());
        for (realm, _) in &self.identities {
            for target in &self.targets {
                match target {
                    Target::Meta(sealed) => {
                        if MetaPage::open(&keys, *realm, sealed).is_ok() {
                            add(&mut found.roots, key);
                        }
                    }
                    Target::Top(page, sealed) => {
                        if keys.open_page(*realm, *page, sealed).is_ok() {
                            add(&mut found.roots, key);
                        } else if open_derived(&derived, *realm, *page, sealed).is_some() {
                            found.derived.push((*page, key.duplicate()));
                        }
                    }
                    Target::Interior(page, sealed) => {
                        if keys.open_page(*realm, *page, sealed).is_ok() {
                            found.pages.push((*page, key.duplicate()));
                        }
                    }
                    Target::Row(leaf, tag, sealed) => {
                        if keys.open_row(*realm, *leaf, *tag, sealed).is_ok() {
                            found.pages.push((*leaf, key.duplicate()));
                        }
                    }
                }
            }
        }
    }
}

/// A page that a root seals.
fn top(page: PageId, sealed: &[u8]) -> Option<Target<'_>> {
    match (page.tree, page.level) {
        (Tree::Meta, _) => Some(Target::Meta(sealed)),
        (_, 0) => Some(Target::Top(page, sealed)),
        _ => None,
    }
}

fn add(keys: &mut Vec<SecretKey>, key: &SecretKey) {
    if !keys.iter().any(|known| known.matches(key)) {
        keys.push(key.duplicate());
    }
}

/// A row of each generation of each leaf page that nothing opened.
fn unopened_rows<'a>(evidence: &'a Evidence, opened: &Opened, levels: Levels) -> Vec<Target<'a>> {
    let mut targets = BTreeMap::new();
    for (tree, index) in evidence.sealed.leaves() {
        let level = levels.get();
        let leaf = PageId { tree, level, index };
        for (tag, sealed) in evidence.sealed.rows(tree, index) {
            if let Some(generation) = generation(sealed).filter(|_| !opened.is_open(leaf, sealed)) {
                let target = move || Target::Row(leaf, tag, sealed);
                targets.entry((leaf, generation)).or_insert_with(target);
            }
        }
    }
    targets.into_values().collect()
}

/// How many different bytes there are in a window.
struct Variety {
    counts: [u16; 256],
    distinct: u16,
}

impl Variety {
    fn new() -> Self {
        Self {
            counts: [0; 256],
            distinct: 0,
        }
    }

    fn add(&mut self, byte: u8) {
        let count = &mut self.counts[usize::from(byte)];
        *count += 1;
        self.distinct += u16::from(*count == 1);
    }

    fn remove(&mut self, byte: u8) {
        let count = &mut self.counts[usize::from(byte)];
        *count -= 1;
        self.distinct -= u16::from(*count == 0);
    }
}
