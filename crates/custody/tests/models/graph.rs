//! The graph of keys that open keys. An attacker has every ciphertext that was ever written, and the keys that are left.

use std::collections::{BTreeMap, BTreeSet};

use crate::Choices;

const HISTORIES: u64 = 400;
const SLOTS_MAX: usize = 200;

type Key = usize;
/// Level, 1 for a leaf page, and place on it.
type Page = (usize, usize);

/// A rule that is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    /// Pages of this level keep their keys.
    PageKeyStays(usize),
    /// The root stays: what a design with one master key does.
    OneMasterKey,
    /// The row of an erased key is filed again with the others.
    RowLeftIn,
}

/// Every ciphertext ever written: which keys a key opens.
#[derive(Default)]
struct Written {
    keys: usize,
    opens: BTreeMap<Key, BTreeSet<Key>>,
}

impl Written {
    fn key(&mut self) -> Key {
        self.keys += 1;
        self.keys
    }

    fn wrap(&mut self, under: Key, key: Key) {
        self.opens.entry(under).or_default().insert(key);
    }

    /// What these keys lead to.
    fn reach(&self, keys: &[Key]) -> BTreeSet<Key> {
        let mut reached: BTreeSet<Key> = keys.iter().copied().collect();
        let mut due = keys.to_vec();
        while let Some(key) = due.pop() {
            let below = self.opens.get(&key).into_iter().flatten();
            due.extend(below.filter(|key| reached.insert(**key)));
        }
        reached
    }
}

struct Tree {
    written: Written,
    arity: usize,
    levels: usize,
    broken: Option<Broken>,
    root: Key,
    pages: BTreeMap<Page, Key>,
    rows: BTreeMap<usize, Key>,
}

impl Tree {
    fn new(arity: usize, levels: usize, broken: Option<Broken>) -> Self {
        let mut written = Written::default();
        Self {
            root: written.key(),
            written,
            arity,
            levels,
            broken,
            pages: BTreeMap::new(),
            rows: BTreeMap::new(),
        }
    }

    fn leaf(&self, slot: usize) -> Page {
        (1, slot / self.arity)
    }

    /// From the top down.
    fn path(&self, slot: usize) -> Vec<Page> {
        let page = |level: usize| (level, slot / self.arity.pow(level as u32));
        (1..=self.levels).rev().map(page).collect()
    }

    fn above(&self, (level, index): Page) -> Key {
        match level == self.levels {
            true => self.root,
            false => self.pages[&(level + 1, index / self.arity)],
        }
    }

    fn create(&mut self, slot: usize) -> Key {
        for page in self.path(slot) {
            if !self.pages.contains_key(&page) {
                let key = self.written.key();
                self.written.wrap(self.above(page), key);
                self.pages.insert(page, key);
            }
        }
        let key = self.written.key();
        self.written.wrap(self.pages[&self.leaf(slot)], key);
        self.rows.insert(slot, key);
        key
    }

    /// Leaves these rows out: pages on their way get fresh keys, and everything below a page that changed is sealed
    /// again.
    fn epoch(&mut self, erased: &[usize]) {
        let changed: BTreeSet<Page> = erased.iter().flat_map(|slot| self.path(*slot)).collect();
        if self.broken != Some(Broken::RowLeftIn) {
            self.rows.retain(|slot, _| !erased.contains(slot));
        }
        if self.broken != Some(Broken::OneMasterKey) {
            self.root = self.written.key();
        }
        let keeps = |page: &&Page| self.broken != Some(Broken::PageKeyStays(page.0));
        for page in changed.iter().filter(keeps) {
            let key = self.written.key();
            self.pages.insert(*page, key);
        }
        for (page, key) in &self.pages {
            let (level, index) = *page;
            if level == self.levels || changed.contains(&(level + 1, index / self.arity)) {
                self.written.wrap(self.above(*page), *key);
            }
        }
        for (slot, key) in &self.rows {
            let leaf = self.leaf(*slot);
            if changed.contains(&leaf) {
                self.written.wrap(self.pages[&leaf], *key);
            }
        }
    }
}

/// What an attacker made of all histories.
#[derive(Debug, Default)]
struct Sum {
    erased: usize,
    erased_reached: usize,
    alive: usize,
    alive_lost: usize,
}

fn attack(broken: Option<Broken>) -> Sum {
    let mut sum = Sum::default();
    for seed in 0..HISTORIES {
        let mut choices = Choices::new(seed);
        let (arity, levels) = ([2, 4, 8][choices.below(3)], 2 + choices.below(3));
        let mut tree = Tree::new(arity, levels, broken);
        let slots = arity.pow(levels as u32).min(SLOTS_MAX);
        let (mut alive, mut erased) = (BTreeMap::new(), Vec::new());
        for _ in 0..3 + choices.below(23) {
            for _ in 0..choices.below(13) {
                let slot = choices.below(slots);
                alive.entry(slot).or_insert_with(|| tree.create(slot));
            }
            let leaving: Vec<usize> = match choices.percent(70) {
                true => alive
                    .keys()
                    .copied()
                    .filter(|_| choices.percent(20))
                    .take(4)
                    .collect(),
                false => Vec::new(),
            };
            erased.extend(leaving.iter().filter_map(|slot| alive.remove(slot)));
            tree.epoch(&leaving);
        }
        let reached = tree.written.reach(&[tree.root]);
        sum.erased += erased.len();
        sum.erased_reached += erased.iter().filter(|key| reached.contains(key)).count();
        sum.alive += alive.len();
        sum.alive_lost += alive.values().filter(|key| !reached.contains(key)).count();
    }
    eprintln!("{broken:?}: {sum:?}");
    sum
}

#[test]
fn e26_the_tree_gives_no_erased_key_to_who_has_all_ciphertext_and_the_root() {
    let sum = attack(None);
    assert!(sum.erased > 1_000 && sum.alive > 1_000, "too quiet: {sum:?}");
    assert_eq!((sum.erased_reached, sum.alive_lost), (0, 0));
}

#[test]
fn e26_a_master_key_that_stays_gives_every_erased_key() {
    let sum = attack(Some(Broken::OneMasterKey));
    assert!(sum.erased > 1_000);
    assert_eq!((sum.erased_reached, sum.alive_lost), (sum.erased, 0));

    let mut written = Written::default();
    let master = written.key();
    let keys: Vec<Key> = (0..1_000).map(|_| written.key()).collect();
    keys.iter().for_each(|key| written.wrap(master, *key));
    let reached = written.reach(&[master]);
    assert!(keys[..500].iter().all(|deleted| reached.contains(deleted)));
}

#[test]
fn e26_every_rule_of_the_tree_is_needed() {
    for broken in [
        Broken::PageKeyStays(1),
        Broken::PageKeyStays(2),
        Broken::RowLeftIn,
    ] {
        assert!(attack(Some(broken)).erased_reached > 100, "{broken:?}");
    }
}

#[test]
fn e26_a_page_key_that_one_memory_kept_gives_what_was_erased_from_the_page() {
    let mut tree = Tree::new(8, 3, None);
    let keys: Vec<Key> = (0..200).map(|slot| tree.create(slot)).collect();
    let stale = tree.pages[&tree.leaf(3)];
    tree.epoch(&[3]);
    assert!(!tree.written.reach(&[tree.root]).contains(&keys[3]));
    assert!(tree.written.reach(&[tree.root, stale]).contains(&keys[3]));
}
