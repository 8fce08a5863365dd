//! The key-disclosure check: whoever has every byte ever written and the newest root opens what lives and nothing of
//! what was erased. The same check finds an epoch that was made wrongly.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use eunoe_core::control::{self, Command, KeyState, Reply};
use eunoe_crypto::{Entropy as _, LeafName, MetaPage, PageId, PageKeys, RootKey, RowHeader, RowTag, Tree};
use eunoe_custody::Keyring;
use eunoe_types::{Kid, TenantId};
use support::attacker::{Loot, loot};
use support::epoch::{Staged, copy, epoch, prepared};
use support::people::{new_bucket, new_conversation, new_subject, new_tenant};
use support::tamper::Old;
use support::{Cluster, Crowded, REALM, Seeded, keyring, levels, tenant_id};

struct World {
    cluster: Cluster,
    keyring: Keyring,
    root: RootKey,
    entropy: Crowded,
    /// Every key that was ever created, with the tenant that it belongs to.
    keys: BTreeMap<Kid, Kid>,
    /// The bytes of every key, as far as an earlier look showed them.
    bytes: BTreeMap<Kid, [u8; 32]>,
    names: u32,
}

impl World {
    fn begun(seed: u64) -> Self {
        let (cluster, root) = Cluster::begun(seed);
        let keyring = keyring(&cluster, &root);
        Self {
            cluster,
            keyring,
            root,
            entropy: Crowded(Seeded(seed + 1_000)),
            keys: BTreeMap::new(),
            bytes: BTreeMap::new(),
            names: 0,
        }
    }

    fn below(&mut self, limit: usize) -> usize {
        let mut bytes = [0; 4];
        self.entropy.0.fill(&mut bytes).expect("randomness");
        u32::from_le_bytes(bytes) as usize % limit
    }

    fn state(&self, kid: &Kid) -> KeyState {
        let row = control::key_state(&self.cluster.rows, kid).expect("decodes");
        row.expect("was created").state
    }

    fn tenant_name(number: usize) -> TenantId {
        TenantId::new(&format!("t{number}")).expect("a name")
    }

    /// A person with everything that belongs to one, under a new or a used name.
    fn join(&mut self) {
        let keys = self.keyring.unsealed().expect("unsealed");
        let (number, name) = (self.below(2), self.below(12));
        let id = Self::tenant_name(number);
        let (cluster, entropy) = (&mut self.cluster, &mut self.entropy);
        let known = keys.tenant(&cluster.rows, &id).expect("looks up");
        let tenant = match known.filter(|tenant| !keys.is_fenced(&tenant.key().kid())) {
            Some(tenant) => tenant.key().kid(),
            None => new_tenant(cluster, &keys, &id, entropy),
        };
        let of = keys
            .tenant(&cluster.rows, &id)
            .expect("looks up")
            .expect("is there");
        let name = format!("visitor/{name}");
        let known = keys.subject(&cluster.rows, &of, &name).expect("looks up");
        let person = match known.filter(|kid| !keys.is_fenced(kid)) {
            Some(person) => person,
            None => new_subject(cluster, &keys, &id, &name, entropy),
        };
        self.names += 1;
        let label = format!("{}", self.names);
        let made = [
            tenant,
            person,
            new_conversation(cluster, &keys, &id, Some(person), Some(&label), entropy),
            new_conversation(cluster, &keys, &id, None, None, entropy),
            new_bucket(cluster, &keys, &id, &label, entropy),
        ];
        self.keys.extend(made.map(|kid| (kid, tenant)));
    }

    /// Fences somebody or something.
    fn fence(&mut self) {
        let active: Vec<(Kid, Kid)> = self.keys.iter().map(|(kid, tenant)| (*kid, *tenant)).collect();
        let active: Vec<_> = active
            .into_iter()
            .filter(|(kid, _)| self.state(kid) == KeyState::Active)
            .collect();
        if active.is_empty() {
            return;
        }
        let (kid, tenant) = active[self.below(active.len())];
        if kid == tenant && self.below(4) > 0 {
            return; // Whole tenants die less often.
        }
        self.cluster.erase(tenant, kid);
        self.keyring.reconcile(&self.cluster.rows).expect("reads");
    }

    /// Some of the fenced keys.
    fn some_fenced(&mut self) -> Vec<Kid> {
        let fenced = self.cluster.fenced();
        fenced.into_iter().filter(|_| self.below(4) > 0).collect()
    }

    fn give_up_an_attempt(&mut self) {
        let erased = self.some_fenced();
        let (attempt, made) = prepared(&mut self.cluster, &self.keyring, erased, &mut self.entropy);
        for chunk in made.chunks.iter().take(1) {
            assert_eq!(self.cluster.propose(chunk), Reply::Done);
        }
        let abort = Command::AbortEpoch { attempt };
        assert_eq!(self.cluster.propose(&abort.encode()), Reply::Done);
    }

    fn epoch(&mut self) {
        self.remember();
        let erased = self.some_fenced();
        self.root = epoch(&mut self.cluster, &self.keyring, erased, &mut self.entropy);
    }

    fn loot(&self) -> Loot {
        loot(&self.cluster.written, levels(), &self.root)
    }

    /// Looks at the keys while they can be seen.
    fn remember(&mut self) {
        self.bytes.extend(self.loot().keys);
    }

    /// What the attacker should not have, or should and has not.
    fn check(&self) -> Result<(), String> {
        let loot = self.loot();
        for kid in self.keys.keys() {
            let erased = matches!(self.state(kid), KeyState::Erased { .. });
            let shown = loot.keys.contains_key(kid) || loot.named.contains(kid);
            if erased && (shown || loot.holds(&self.bytes[kid])) {
                return Err("an erased key is within reach".to_owned());
            }
            if !erased && !loot.keys.contains_key(kid) {
                return Err("a living key is out of reach".to_owned());
            }
            if let (false, Some(known)) = (erased, self.bytes.get(kid))
                && loot.keys[kid] != *known
            {
                return Err("a living key changed".to_owned());
            }
        }
        Ok(())
    }
}

#[test]
fn e25_no_history_leaves_an_erased_key_within_reach_of_the_newest_root() {
    let (mut erased, mut alive) = (0, 0);
    for seed in 0..24 {
        let mut world = World::begun(seed);
        world.join();
        for _ in 0..24 {
            match world.below(10) {
                0..3 => world.join(),
                3..6 => world.fence(),
                6 => world.give_up_an_attempt(),
                7 => world.cluster.sweep(),
                _ => {
                    world.epoch();
                    assert_eq!(world.check(), Ok(()), "seed {seed}");
                }
            }
        }
        world.epoch();
        assert_eq!(world.check(), Ok(()), "seed {seed}");
        let ended = world
            .keys
            .keys()
            .filter(|kid| matches!(world.state(kid), KeyState::Erased { .. }));
        let ended = ended.count();
        (erased, alive) = (erased + ended, alive + world.keys.len() - ended);
    }
    assert!(
        erased > 100 && alive > 100,
        "the histories are too quiet: {erased} {alive}"
    );
}

#[test]
fn e25_an_old_root_leads_to_what_was_erased_so_that_its_destruction_is_what_counts() {
    let (mut world, erased) = one_to_erase();
    let old = copy(&world.root);
    world.epoch_of(vec![erased], |_, _| {});
    assert_eq!(world.check(), Ok(()));
    world.root = old;
    assert_eq!(world.check(), Err("an erased key is within reach".to_owned()));
}

/// A tenant with people who share leaf pages, one of them fenced.
fn one_to_erase() -> (World, Kid) {
    let mut world = World::begun(7);
    let keys = world.keyring.unsealed().expect("unsealed");
    let (cluster, entropy) = (&mut world.cluster, &mut world.entropy);
    let tenant = new_tenant(cluster, &keys, &tenant_id(), entropy);
    let people: Vec<Kid> = (0..12)
        .map(|number| {
            new_subject(
                cluster,
                &keys,
                &tenant_id(),
                &format!("visitor/{number}"),
                entropy,
            )
        })
        .collect();
    world.keys.extend(people.iter().map(|kid| (*kid, tenant)));
    world.keys.insert(tenant, tenant);
    let leaf = |kid: &Kid| levels().leaf(&LeafName::Key(*kid));
    let shares = |kid: &&Kid| people.iter().filter(|other| leaf(other) == leaf(kid)).count() > 1;
    let erased = *people.iter().find(shares).expect("leaf pages are shared");
    world.cluster.erase(tenant, erased);
    world.keyring.reconcile(&world.cluster.rows).expect("reads");
    (world, erased)
}

impl World {
    /// An epoch that somebody tampers with before it is staged.
    fn epoch_of(&mut self, erased: Vec<Kid>, tamper: impl FnOnce(&Old<'_>, &mut Staged)) {
        self.remember();
        let (attempt, made) = prepared(&mut self.cluster, &self.keyring, erased, &mut self.entropy);
        let mut staged = Staged::of(attempt, made);
        let old = Old {
            root: &self.root,
            rows: &self.cluster.rows,
        };
        tamper(&old, &mut staged);
        self.root = staged.take(&mut self.cluster);
    }
}

/// Whether the check finds an epoch that was tampered with.
fn is_caught(tamper: impl FnOnce(&Old<'_>, &mut Staged, Kid)) -> bool {
    let (mut world, erased) = one_to_erase();
    world.epoch_of(vec![erased], |old, staged| tamper(old, staged, erased));
    world.check() == Err("an erased key is within reach".to_owned())
}

fn leaf(kid: Kid) -> PageId {
    levels().leaf(&LeafName::Key(kid))
}

#[test]
fn e25_an_epoch_that_nobody_tampered_with_is_not_suspected() {
    assert!(!is_caught(|_, _, _| {}));
}

#[test]
fn e25_a_leaf_page_that_keeps_its_key_is_caught() {
    assert!(is_caught(|old, staged, kid| staged.keep_key(old, leaf(kid))));
}

#[test]
fn e25_a_page_on_the_way_that_keeps_its_key_is_caught() {
    assert!(is_caught(|old, staged, kid| {
        let (above, _) = leaf(kid).parent().expect("is below another");
        staged.keep_key(old, above);
    }));
}

#[test]
fn e25_a_top_page_that_is_only_sealed_again_is_caught() {
    for tree in [Tree::Key, Tree::Index] {
        assert!(is_caught(|old, staged, _| {
            let top = PageId::top(tree);
            staged.put(top, &old.children(top));
        }));
    }
}

#[test]
fn e25_a_root_that_stays_is_caught() {
    assert!(is_caught(|old, staged, _| {
        let tops =
            [Tree::Key, Tree::Index].map(|tree| (PageId::top(tree), staged.children(PageId::top(tree))));
        let meta = MetaPage::open(&staged.root.page_keys(), REALM, staged.staged_page(PageId::META));
        let (_, meta) = meta.expect("its own root opens it");
        staged.root = copy(old.root);
        let sealed = meta.seal(&staged.root.page_keys(), REALM, staged.attempt, &mut Seeded(6));
        *staged.staged_page(PageId::META) = sealed.expect("seals");
        for (top, children) in tops {
            staged.put(top, &children);
        }
    }));
}

#[test]
fn e25_a_fenced_row_that_is_left_in_is_caught() {
    assert!(is_caught(|old, staged, kid| {
        let (page, name) = (leaf(kid), LeafName::Key(kid));
        let keys = PageKeys::derive(&old.key(page));
        let tag = keys.tag(&name);
        let sealed = control::leaf_row(old.rows, page.tree.tag(), page.index, &tag.0).expect("reads");
        let row = keys.open_row(REALM, page, tag, &sealed.expect("is there"));
        let row = row.expect("its own key opens it");
        let new = staged.keys(page);
        let header = RowHeader {
            generation: staged.attempt,
            version: row.header.version,
        };
        let tag: RowTag = new.tag(&name);
        let sealed = new.seal_row(REALM, page, tag, header, &row.content, &mut Seeded(8));
        staged
            .rows
            .push((page.tree.tag(), page.index, tag.0, sealed.expect("seals")));
    }));
}

#[test]
fn e25_a_row_that_an_epoch_forgot_is_caught_as_lost() {
    let (mut world, erased) = one_to_erase();
    world.epoch_of(vec![erased], |_, staged| {
        let at = staged.rows.iter().position(|(tree, ..)| *tree == Tree::Key.tag());
        staged
            .rows
            .remove(at.expect("the erased key shares its leaf page"));
    });
    assert_eq!(world.check(), Err("a living key is out of reach".to_owned()));
}

#[test]
fn erased_kids_are_distinct_from_all_that_live() {
    // The check goes by kid: two keys under one would hide each other.
    let (world, _) = one_to_erase();
    let loot = world.loot();
    assert_eq!(BTreeSet::from_iter(loot.keys.values()).len(), world.keys.len());
    assert_eq!(loot.keys.len(), world.keys.len());
}
