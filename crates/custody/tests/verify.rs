//! A second look at an epoch finds it right if it was prepared by the rules, and says of every other one what is wrong.

mod support;

use eunoe_core::control::{self, PageName};
use eunoe_crypto::{
    IndexRecord, KeyRecord, LeafName, MetaPage, OpenedRow, PageId, PageKeys, RootKey, RowHeader, RowTag,
    SecretKey, Tree,
};
use eunoe_custody::{EpochPlan, Keyring, VerifyError, dealing};
use eunoe_types::Kid;
use support::epoch::{Staged, copy, made, prepared, sharing};
use support::people::{new_subject, new_tenant};
use support::tamper::Old;
use support::{Cluster, Crowded, REALM, Seeded, arena, keyring, levels, other_root, tenant_id};

const ROWS_DIFFER: &str = "a leaf page would lose, change or keep a row";
const KEYS_DIFFER: &str = "a page has the key of another one, or a lost one";

/// A tenant with people who share leaf pages, one of them fenced.
struct World {
    cluster: Cluster,
    keyring: Keyring,
    root: RootKey,
    entropy: Crowded,
    erased: Kid,
}

impl World {
    fn begun() -> Self {
        let (mut cluster, root) = Cluster::begun(7);
        let keyring = keyring(&cluster, &root);
        let mut entropy = Crowded(Seeded(1_007));
        let keys = keyring.unsealed().expect("unsealed");
        let tenant = new_tenant(&mut cluster, &keys, &tenant_id(), &mut entropy);
        let mut person = |number| {
            let name = format!("visitor/{number}");
            new_subject(&mut cluster, &keys, &tenant_id(), &name, &mut entropy)
        };
        let people: Vec<Kid> = (0..12).map(&mut person).collect();
        let beside = |kid: &&Kid| people.iter().filter(|other| leaf(**other) == leaf(**kid)).count() > 2;
        let erased = *people.iter().find(beside).expect("leaf pages are shared");
        cluster.erase(tenant, erased);
        keyring.reconcile(&cluster.rows).expect("reads");
        Self {
            cluster,
            keyring,
            root,
            entropy,
            erased,
        }
    }

    fn prepared(&mut self) -> Staged {
        let erased = vec![self.erased];
        let (attempt, made) = prepared(&mut self.cluster, &self.keyring, erased, &mut self.entropy);
        Staged::of(attempt, made)
    }

    fn old(&self) -> Old<'_> {
        Old {
            root: &self.root,
            rows: &self.cluster.rows,
        }
    }

    /// What somebody who has this root finds in what is staged.
    fn look(&self, root: &RootKey) -> Result<(), VerifyError> {
        let keys = self.keyring.unsealed().expect("unsealed");
        let epoch = control::epoch(&self.cluster.rows)
            .expect("decodes")
            .expect("begun");
        keys.verify_epoch(&self.cluster.rows, &epoch, root)
    }

    /// The leaf pages of a tree that the attempt under way replaces.
    fn replaced(&self, tree: Tree) -> PageId {
        let list = control::pending_epoch(&self.cluster.rows).expect("decodes");
        let pages = list.expect("is under way").pages;
        let (_, index) = pages
            .iter()
            .find(|(tag, _)| *tag == tree.tag())
            .expect("replaces one");
        PageId {
            tree,
            level: levels().get(),
            index: *index,
        }
    }
}

fn leaf(kid: Kid) -> PageId {
    levels().leaf(&LeafName::Key(kid))
}

/// What is wrong about an attempt that erases one person, once somebody tampered with it.
fn found(tamper: impl FnOnce(&World, &mut Staged)) -> Result<(), &'static str> {
    let mut world = World::begun();
    let mut staged = world.prepared();
    tamper(&world, &mut staged);
    staged.stage(&mut world.cluster);
    match world.look(&staged.root) {
        Ok(()) => Ok(()),
        Err(VerifyError::Wrong(what)) => Err(what),
        Err(VerifyError::Keyring(error)) => panic!("cannot look: {error}"),
    }
}

/// The staged rows of a leaf page, by their places.
fn places(staged: &Staged, page: PageId) -> Vec<usize> {
    let is_of =
        |(tree, index, ..): &(u8, u32, [u8; 16], Vec<u8>)| (*tree, *index) == (page.tree.tag(), page.index);
    (0..staged.rows.len())
        .filter(|at| is_of(&staged.rows[*at]))
        .collect()
}

fn opened(staged: &mut Staged, page: PageId, at: usize) -> OpenedRow {
    let keys = staged.keys(page);
    let (_, _, tag, sealed) = &staged.rows[at];
    keys.open_row(REALM, page, RowTag(*tag), sealed)
        .expect("its own key opens it")
}

/// Files the content of `from` at the place of `at`, with another header if there is one.
fn file(staged: &mut Staged, page: PageId, at: usize, from: &OpenedRow, header: RowHeader) {
    let keys = staged.keys(page);
    let tag = RowTag(staged.rows[at].2);
    let sealed = keys.seal_row(REALM, page, tag, header, &from.content, &mut Seeded(8));
    staged.rows[at].3 = sealed.expect("seals");
}

/// Files a row in its own place, with another header.
fn file_anew(world: &World, staged: &mut Staged, change: impl FnOnce(&mut RowHeader)) {
    let page = leaf(world.erased);
    let at = places(staged, page)[0];
    let row = opened(staged, page, at);
    let mut header = row.header;
    change(&mut header);
    file(staged, page, at, &row, header);
}

#[test]
fn an_epoch_by_the_rules_is_found_right_and_its_root_is_that_of_any_two_holders() {
    let mut world = World::begun();
    for erased in [vec![], vec![world.erased]] {
        let (attempt, prepared) = prepared(&mut world.cluster, &world.keyring, erased, &mut world.entropy);
        for chunk in &prepared.chunks {
            world.cluster.propose(chunk);
        }
        world.cluster.share(attempt, made(&prepared.dealt));
        for pair in [[0, 1], [0, 2], [1, 2]] {
            let root = world
                .cluster
                .rebuilt(&prepared.dealt, &pair)
                .expect("two are enough");
            world.look(&root).expect("is right");
        }
        assert!(world.cluster.rebuilt(&prepared.dealt, &[2]).is_none());
    }
}

#[test]
fn an_epoch_that_somebody_only_unpacked_is_right_still() {
    assert_eq!(found(|_, _| {}), Ok(()));
}

#[test]
fn a_row_that_is_lost_is_missed() {
    let lost = found(|world, staged| {
        let at = places(staged, leaf(world.erased))[0];
        staged.rows.remove(at);
    });
    assert_eq!(lost, Err(ROWS_DIFFER));
}

#[test]
fn a_row_of_an_erased_key_that_is_left_in_is_found_in_both_trees() {
    for tree in [Tree::Key, Tree::Index] {
        let kept = found(|world, staged| {
            let (old, page) = (world.old(), world.replaced(tree));
            let keys = PageKeys::derive(&old.key(page));
            let rows = control::leaf_rows(old.rows, (tree.tag(), page.index, 0), None, 99).expect("reads");
            let mut rows = rows.into_iter().map(|(tag, sealed)| {
                let row = keys.open_row(REALM, page, RowTag(tag), &sealed);
                row.expect("its own key opens it")
            });
            let name_of_erased = |row: &OpenedRow| match tree {
                Tree::Index => {
                    let record = IndexRecord::decode(&row.content).expect("decodes");
                    (record.kid == world.erased).then_some(LeafName::Index(record.locator))
                }
                Tree::Key | Tree::Meta => {
                    let record = KeyRecord::decode(&row.content).expect("decodes");
                    (record.kid == world.erased).then_some(LeafName::Key(record.kid))
                }
            };
            let named = rows.find_map(|row| name_of_erased(&row).map(|name| (name, row)));
            let (name, row) = named.expect("is there");
            let tag = staged.keys(page).tag(&name);
            staged.rows.push((tree.tag(), page.index, tag.0, Vec::new()));
            let header = RowHeader {
                generation: staged.attempt,
                version: row.header.version,
            };
            file(staged, page, staged.rows.len() - 1, &row, header);
        });
        assert_eq!(kept, Err(ROWS_DIFFER));
    }
}

#[test]
fn a_page_that_keeps_its_key_is_found_on_every_level() {
    for above in [false, true] {
        let kept = found(|world, staged| {
            let page = leaf(world.erased);
            let (parent, _) = page.parent().expect("is below another");
            staged.keep_key(&world.old(), if above { parent } else { page });
        });
        assert_eq!(kept, Err(KEYS_DIFFER));
    }
}

#[test]
fn a_page_that_lost_its_key_or_has_that_of_another_is_found() {
    let beside = |world: &World| {
        let (above, slot) = leaf(world.erased).parent().expect("is below another");
        // One that shares nothing with what is replaced.
        (above, slot ^ 1, slot)
    };
    let lost = found(|world, staged| {
        let (above, other, _) = beside(world);
        let mut children = staged.children(above);
        children.replace(other, &SecretKey::generate(&mut Seeded(9)).expect("generates"));
        staged.put(above, &children);
    });
    assert_eq!(lost, Err(KEYS_DIFFER));

    // A replaced page under the key of the one beside it, which the old root leads to; all is sealed under it.
    let foreign = found(|world, staged| {
        let (above, other, slot) = beside(world);
        let page = above.child(slot);
        let key = world.old().key(above.child(other));
        let keys = PageKeys::derive(&key);
        for at in places(staged, page) {
            let row = opened(staged, page, at);
            let record = KeyRecord::decode(&row.content).expect("decodes");
            let tag = keys.tag(&LeafName::Key(record.kid));
            let sealed = keys.seal_row(REALM, page, tag, row.header, &row.content, &mut Seeded(8));
            staged.rows[at].2 = tag.0;
            staged.rows[at].3 = sealed.expect("seals");
        }
        let mut children = staged.children(above);
        children.replace(slot, &key);
        staged.put(above, &children);
    });
    assert_eq!(foreign, Err(KEYS_DIFFER));
}

#[test]
fn a_shared_page_with_other_keys_or_of_another_attempt_is_found() {
    for (locator, log, later) in [(true, false, 0), (false, true, 0), (false, false, 1)] {
        let other = found(|_, staged| {
            let root = staged.root.page_keys();
            let meta = MetaPage::open(&root, REALM, staged.staged_page(PageId::META));
            let (_, mut meta) = meta.expect("its own root opens it");
            if locator {
                meta.locator_root = SecretKey::generate(&mut Seeded(9)).expect("generates");
            }
            if log {
                meta.log_key = SecretKey::generate(&mut Seeded(9)).expect("generates");
            }
            let sealed = meta.seal(&root, REALM, staged.attempt + later, &mut Seeded(6));
            *staged.staged_page(PageId::META) = sealed.expect("seals");
        });
        assert_eq!(other, Err("the shared page is another one"));
    }
}

#[test]
fn pages_are_those_of_the_attempt_no_more_and_no_less() {
    let extra = found(|world, staged| {
        let (above, _) = leaf(world.erased).parent().expect("is below another");
        let name = |index| PageName {
            tree: above.tree.tag(),
            level: above.level,
            index,
        };
        let other = above.index ^ 1;
        let sealed = control::page(&world.cluster.rows, name(other)).expect("reads");
        staged.pages.push((name(other), sealed.expect("is there")));
    });
    assert_eq!(extra, Err("it would replace pages that it does not name"));

    let missing = found(|world, staged| {
        let (above, _) = leaf(world.erased).parent().expect("is below another");
        let is_it = |name: &PageName| {
            (name.tree, name.level, name.index) == (above.tree.tag(), above.level, above.index)
        };
        staged.pages.retain(|(name, _)| !is_it(name));
    });
    assert_eq!(missing, Err("a page is missing"));

    let damaged = found(|_, staged| staged.staged_page(PageId::top(Tree::Key))[40] ^= 1);
    assert_eq!(damaged, Err("a page does not open"));
}

#[test]
fn contents_that_changed_places_or_versions_are_found() {
    let swapped = found(|world, staged| {
        let page = leaf(world.erased);
        let [one, other] = places(staged, page)[..2] else {
            panic!("two survivors")
        };
        let rows = [one, other].map(|at| opened(staged, page, at));
        file(staged, page, one, &rows[1], rows[1].header);
        file(staged, page, other, &rows[0], rows[0].header);
    });
    assert_eq!(swapped, Err("a row is filed under another name"));

    let newer = found(|world, staged| {
        file_anew(world, staged, |header| header.version += 1);
    });
    assert_eq!(newer, Err(ROWS_DIFFER));

    let damaged = found(|world, staged| {
        let at = places(staged, leaf(world.erased))[0];
        staged.rows[at].3[40] ^= 1;
    });
    assert_eq!(damaged, Err("a row does not open"));
}

#[test]
fn what_another_attempt_made_is_found() {
    let page = found(|_, staged| {
        let top = PageId::top(Tree::Key);
        let children = staged.children(top);
        let sealed =
            staged
                .root
                .page_keys()
                .seal_page(REALM, top, staged.attempt + 1, &children, &mut Seeded(5));
        *staged.staged_page(top) = sealed.expect("seals");
    });
    assert_eq!(page, Err("a page is of another attempt"));

    let row = found(|world, staged| {
        file_anew(world, staged, |header| header.generation += 1);
    });
    assert_eq!(row, Err("a row is of another generation"));

    // All that the attempt before this one staged, under its root.
    let mut world = World::begun();
    let before = world.prepared();
    world.prepared();
    before.stage_as(&mut world.cluster, before.attempt + 1);
    let looked = world.look(&before.root);
    assert!(matches!(
        looked,
        Err(VerifyError::Wrong("the shared page is another one"))
    ));
}

#[test]
fn a_root_that_stays_or_is_another_one_is_found() {
    let stays = found(|world, staged| {
        let tops =
            [Tree::Key, Tree::Index].map(|tree| (PageId::top(tree), staged.children(PageId::top(tree))));
        let meta = MetaPage::open(&staged.root.page_keys(), REALM, staged.staged_page(PageId::META));
        let (_, meta) = meta.expect("its own root opens it");
        staged.root = copy(&world.root);
        let sealed = meta.seal(&staged.root.page_keys(), REALM, staged.attempt, &mut Seeded(6));
        *staged.staged_page(PageId::META) = sealed.expect("seals");
        for (top, children) in tops {
            staged.put(top, &children);
        }
    });
    assert_eq!(stays, Err("its root is the present one"));
    assert_eq!(
        found(|_, staged| staged.root = other_root(99)),
        Err("the shared page does not open")
    );
}

#[test]
fn a_key_that_is_erased_without_its_pages_is_found() {
    let mut world = World::begun();
    let plan = EpochPlan {
        keys: vec![world.erased],
        pages: Vec::new(),
    };
    let attempt = world.cluster.begin(&plan);
    let keys = world.keyring.unsealed().expect("unsealed");
    let dealing = dealing(&sharing()).expect("is sound");
    let made = keys.prepare_epoch(
        &world.cluster.rows,
        &plan,
        attempt,
        dealing,
        &arena(),
        &mut world.entropy,
    );
    let staged = Staged::of(attempt, made.expect("prepares"));
    staged.stage(&mut world.cluster);
    assert!(matches!(
        world.look(&staged.root),
        Err(VerifyError::Wrong("a key that it erases is in none of its pages"))
    ));
}

#[test]
fn without_an_attempt_there_is_nothing_to_look_at() {
    let world = World::begun();
    assert!(matches!(
        world.look(&other_root(1)),
        Err(VerifyError::Wrong("there is none under way"))
    ));
}
