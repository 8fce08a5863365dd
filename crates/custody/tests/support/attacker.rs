//! Whoever has every byte that was ever written, and one root.

use std::collections::{BTreeMap, BTreeSet};

use eunoe_core::Row;
use eunoe_crypto::{
    ARITY, IndexRecord, KeyRecord, Levels, MetaPage, PageId, PageKeys, RootKey, RowTag, Tree,
};
use eunoe_types::Kid;

use super::REALM;

const PAGE: u8 = 0x22;
const LEAF_ROW: u8 = 0x23;
const STAGED_PAGE: u8 = 0x24;

/// What an attacker could open.
#[derive(Default)]
pub struct Loot {
    /// The first key of every record, by kid.
    pub keys: BTreeMap<Kid, [u8; 32]>,
    /// Kids that index records name.
    pub named: BTreeSet<Kid>,
    /// The content of every row.
    pub contents: Vec<Vec<u8>>,
    locator_pages: usize,
}

impl Loot {
    /// Whether a secret is in anything that was opened.
    pub fn holds(&self, secret: &[u8; 32]) -> bool {
        let mut contents = self.contents.iter();
        contents.any(|content| content.windows(32).any(|part| part == secret))
    }
}

/// All sealed versions of every page and of every leaf page's rows.
#[derive(Default)]
struct Sealed<'a> {
    pages: BTreeMap<PageId, Vec<&'a [u8]>>,
    rows: BTreeMap<PageId, Vec<(RowTag, &'a [u8])>>,
}

impl<'a> Sealed<'a> {
    fn of(written: &'a BTreeSet<Row>, levels: Levels) -> Self {
        let mut sealed = Self::default();
        for (key, value) in written {
            let number = |at: usize| u32::from_be_bytes(key[at..at + 4].try_into().expect("four bytes"));
            let tree = |tag| Tree::from_tag(tag).expect("a tree");
            match key[0] {
                PAGE | STAGED_PAGE => {
                    let page = PageId {
                        tree: tree(key[1]),
                        level: key[2],
                        index: number(3),
                    };
                    let skipped = if key[0] == PAGE { 0 } else { 8 };
                    sealed.pages.entry(page).or_default().push(&value[skipped..]);
                }
                LEAF_ROW => {
                    let page = PageId {
                        tree: tree(key[1]),
                        level: levels.get(),
                        index: number(2),
                    };
                    let tag = RowTag(key[10..].try_into().expect("a tag"));
                    sealed.rows.entry(page).or_default().push((tag, value));
                }
                _ => {}
            }
        }
        sealed
    }
}

/// Opens everything that `root` leads to, in whatever version.
pub fn loot(written: &BTreeSet<Row>, levels: Levels, root: &RootKey) -> Loot {
    let sealed = Sealed::of(written, levels);
    let mut loot = Loot::default();
    for page in &sealed.pages[&PageId::META] {
        loot.locator_pages += usize::from(MetaPage::open(&root.page_keys(), REALM, page).is_ok());
    }
    assert!(loot.locator_pages > 0, "this is not the root of what was written");
    let mut tried = BTreeSet::new();
    let mut due = [Tree::Index, Tree::Key]
        .map(|tree| (PageId::top(tree), root.page_keys()))
        .into_iter()
        .collect::<Vec<_>>();
    while let Some((page, keys)) = due.pop() {
        for version in sealed.pages.get(&page).into_iter().flatten() {
            let Ok(opened) = keys.open_page(REALM, page, version) else {
                continue;
            };
            for slot in 0..ARITY {
                let key = opened.children.key(slot);
                if tried.insert((page.child(slot), *key.expose())) {
                    due.push((page.child(slot), PageKeys::derive(key)));
                }
            }
        }
        for (tag, row) in sealed.rows.get(&page).into_iter().flatten() {
            if let Ok(row) = keys.open_row(REALM, page, *tag, row) {
                loot.take(page.tree, &row.content);
            }
        }
    }
    loot
}

impl Loot {
    fn take(&mut self, tree: Tree, content: &eunoe_crypto::SecretBytes) {
        self.contents.push(content.expose().to_vec());
        if tree == Tree::Index {
            self.named
                .insert(IndexRecord::decode(content).expect("an index record").kid);
        } else {
            let record = KeyRecord::decode(content).expect("a key record");
            let first = record.first().expect("a key");
            self.keys.insert(record.kid, *first.key.expose());
        }
    }
}
