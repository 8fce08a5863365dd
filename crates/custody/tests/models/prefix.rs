//! Who can still rebuild a root when holders fall silent, are replaced, and attempts are given up: whether it is enough
//! to look at the holders of the last root, or every older root has to be looked at too.

use std::collections::{BTreeMap, BTreeSet};

use crate::Choices;

const THRESHOLD: usize = 2;
const HISTORIES: u64 = 20_000;

/// A root that keys were sealed under.
struct Root {
    holders: Vec<u32>,
}

struct World {
    choices: Choices,
    members: Vec<u32>,
    newest: u32,
    roots: Vec<Root>,
    /// Roots that a node has a share of, those of nodes that are gone included.
    shares: BTreeMap<u32, BTreeSet<usize>>,
    silent: BTreeSet<u32>,
    /// How many roots there were when a node last said that it has only the newest.
    attested: BTreeMap<u32, usize>,
}

/// What was said in a history.
#[derive(Clone, Copy, Default)]
struct Said {
    destroyed: u32,
    /// Times that it was not so.
    unsound: u32,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            choices: Choices::new(seed),
            members: vec![0, 1, 2],
            newest: 2,
            roots: Vec::new(),
            shares: BTreeMap::new(),
            silent: BTreeSet::new(),
            attested: BTreeMap::new(),
        };
        world.deal();
        world
    }

    /// A fresh root, shared among the members of now; a silent one keeps no share of it.
    fn deal(&mut self) -> usize {
        let root = self.roots.len();
        for member in self.members.iter().filter(|member| !self.silent.contains(member)) {
            self.shares.entry(*member).or_default().insert(root);
        }
        let holders = self.members.clone();
        self.roots.push(Root { holders });
        root
    }

    fn replace_one(&mut self) {
        let heard = self.members.iter().filter(|member| !self.silent.contains(member));
        if heard.count() <= THRESHOLD {
            return;
        }
        let gone = self.members.remove(self.choices.below(self.members.len()));
        self.silent.insert(gone);
        self.newest += 1;
        self.members.push(self.newest);
    }

    /// Everybody who is not silent destroys what is not the newest root, or does not come to it.
    fn destroy(&mut self, newest: usize) {
        let nodes: Vec<u32> = self.shares.keys().copied().collect();
        for node in nodes {
            if !self.silent.contains(&node) && self.choices.percent(80) {
                self.shares.insert(node, BTreeSet::from([newest]));
                self.attested.insert(node, newest);
            }
        }
    }

    /// Whether enough holders of a root said, after it was dealt, that they have it no more.
    fn is_closed(&self, root: usize) -> bool {
        let holders = &self.roots[root].holders;
        let said = holders
            .iter()
            .filter(|holder| self.attested.get(holder).is_some_and(|newest| *newest > root));
        said.count() > holders.len() - THRESHOLD
    }

    fn can_rebuild(&self, root: usize) -> bool {
        let has = |holder: &&u32| self.shares.get(holder).is_some_and(|roots| roots.contains(&root));
        self.roots[root].holders.iter().filter(has).count() >= THRESHOLD
    }
}

fn history(seed: u64, all_older: bool) -> Said {
    let mut world = World::new(seed);
    let mut said = Said::default();
    let mut current = 0;
    for _ in 0..3 + world.choices.below(6) {
        if world.choices.percent(40) {
            world.replace_one();
        }
        if world.choices.percent(30) {
            world.deal(); // An attempt that is given up: its shares are out.
        }
        let newest = world.deal();
        world.destroy(newest);
        let mut older = (0..newest).rev();
        let closed = match all_older {
            true => older.all(|root| world.is_closed(root)),
            false => world.is_closed(current),
        };
        current = newest;
        if closed {
            said.destroyed += 1;
            said.unsound += u32::from((0..newest).any(|root| world.can_rebuild(root)));
        }
    }
    said
}

fn all_histories(all_older: bool) -> Said {
    (0..HISTORIES).fold(Said::default(), |sum, seed| {
        let said = history(seed, all_older);
        Said {
            destroyed: sum.destroyed + said.destroyed,
            unsound: sum.unsound + said.unsound,
        }
    })
}

#[test]
fn e26_destroyed_is_sound_when_every_older_root_counts() {
    let said = all_histories(true);
    eprintln!("{} times DESTROYED, {} unsound", said.destroyed, said.unsound);
    assert!(said.destroyed > 10_000, "too quiet: {}", said.destroyed);
    assert_eq!(said.unsound, 0);
}

#[test]
fn e26_destroyed_is_unsound_when_only_the_last_root_counts() {
    let said = all_histories(false);
    eprintln!("{} times DESTROYED, {} unsound", said.destroyed, said.unsound);
    assert!(said.unsound > 100, "it is not seen: {}", said.unsound);
}

/// Who lacks a sub-key, by sub-key: every set of one holder fewer than rebuild the root.
fn sub_keys(holders: u32, threshold: u32) -> Vec<u32> {
    let sets = 0..1_u32 << holders;
    sets.filter(|set| set.count_ones() == threshold - 1).collect()
}

#[test]
fn e26_so_many_holders_have_every_sub_key_and_one_fewer_lack_exactly_one() {
    for (holders, threshold, count) in [
        (1, 1, 1),
        (3, 2, 3),
        (4, 2, 4),
        (5, 3, 10),
        (7, 4, 35),
        (9, 5, 126),
    ] {
        let sub_keys = sub_keys(holders, threshold);
        assert_eq!(sub_keys.len(), count);
        for group in 0..1_u32 << holders {
            let lacking = sub_keys.iter().filter(|lacks| group & !**lacks == 0).count();
            let expected = match group.count_ones() {
                all if all >= threshold => 0,
                one_fewer if one_fewer == threshold - 1 => 1,
                _ => continue,
            };
            assert_eq!(lacking, expected, "{holders} {threshold} {group:b}");
        }
    }
}
