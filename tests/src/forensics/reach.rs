//! From a root down: opens everything that any key opens that is found on the way.

use std::collections::BTreeSet;

use eunoe_crypto::{
    ARITY, IndexRecord, KeyRecord, Levels, MetaPage, PageId, PageKeys, RootKey, SecretKey, Tree,
};
use eunoe_types::{Kid, Realm};

use super::Sealed;

/// What was opened.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Whether what the locators are made from is among it.
    pub meta: bool,
    /// Keys whose records were opened.
    pub records: BTreeSet<Kid>,
    /// Keys that an opened index row names.
    pub indexed: BTreeSet<Kid>,
}

impl Reached {
    pub(super) fn from(realm: Realm, levels: Levels, sealed: &Sealed, roots: &[RootKey]) -> Self {
        let mut search = Search {
            realm,
            levels,
            sealed,
            due: Vec::new(),
            found: Self::default(),
        };
        for root in roots {
            let keys = root.page_keys();
            for page in sealed.pages(PageId::META) {
                search.found.meta |= MetaPage::open(&keys, realm, page).is_ok();
            }
            for tree in [Tree::Key, Tree::Index] {
                search.open_interior(PageId::top(tree), &keys);
            }
        }
        search.run();
        search.found
    }
}

struct Search<'a> {
    realm: Realm,
    levels: Levels,
    sealed: &'a Sealed,
    /// Keys that were found and not tried yet. Every page was sealed under one key, so this ends.
    due: Vec<(PageId, SecretKey)>,
    found: Reached,
}

impl Search<'_> {
    fn run(&mut self) {
        while let Some((page, key)) = self.due.pop() {
            let keys = PageKeys::derive(&key);
            if self.levels.is_interior(page) {
                self.open_interior(page, &keys);
            } else {
                self.open_leaf(page, &keys);
            }
        }
    }

    fn open_interior(&mut self, page: PageId, keys: &PageKeys) {
        for sealed in self.sealed.pages(page) {
            if let Ok(opened) = keys.open_page(self.realm, page, sealed) {
                let children =
                    (0..ARITY).map(|slot| (page.child(slot), opened.children.key(slot).duplicate()));
                self.due.extend(children);
            }
        }
    }

    fn open_leaf(&mut self, leaf: PageId, keys: &PageKeys) {
        for (tag, sealed) in self.sealed.rows(leaf) {
            let Ok(row) = keys.open_row(self.realm, leaf, tag, sealed) else {
                continue;
            };
            if leaf.tree == Tree::Key {
                let record = KeyRecord::decode(&row.content).expect("a record");
                self.found.records.insert(record.kid);
            } else {
                let record = IndexRecord::decode(&row.content).expect("an index row");
                self.found.indexed.insert(record.kid);
            }
        }
    }
}
