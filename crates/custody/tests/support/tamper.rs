//! Epochs that are made wrongly, with what it takes to seal them again.

use eunoe_core::control;
use eunoe_crypto::{ChildKeys, PageId, PageKeys, RootKey, SecretKey};

use super::epoch::Staged;
use super::{REALM, Rows, Seeded};

/// The trees before an epoch.
pub struct Old<'a> {
    pub root: &'a RootKey,
    pub rows: &'a Rows,
}

impl Old<'_> {
    fn page(&self, page: PageId) -> Vec<u8> {
        let name = control::PageName {
            tree: page.tree.tag(),
            level: page.level,
            index: page.index,
        };
        control::page(self.rows, name).expect("reads").expect("is there")
    }

    pub fn children(&self, page: PageId) -> ChildKeys {
        children(self.root, page, &|page| self.page(page))
    }

    /// The key of a page that is not a top page.
    pub fn key(&self, page: PageId) -> SecretKey {
        let (above, slot) = page.parent().expect("is below another");
        self.children(above).key(slot).duplicate()
    }
}

fn children(root: &RootKey, page: PageId, at: &dyn Fn(PageId) -> Vec<u8>) -> ChildKeys {
    let keys = match page.parent() {
        None => root.page_keys(),
        Some((above, slot)) => PageKeys::derive(children(root, above, at).key(slot)),
    };
    let opened = keys.open_page(REALM, page, &at(page));
    opened.expect("its own key opens it").children
}

impl Staged {
    pub fn staged_page(&mut self, page: PageId) -> &mut Vec<u8> {
        let named = |name: &control::PageName| {
            (name.tree, name.level, name.index) == (page.tree.tag(), page.level, page.index)
        };
        let found = self.pages.iter_mut().find(|(name, _)| named(name));
        &mut found.expect("the epoch replaces it").1
    }

    pub fn children(&mut self, page: PageId) -> ChildKeys {
        let keys = self.keys(page);
        let opened = keys.open_page(REALM, page, self.staged_page(page));
        opened.expect("its own key opens it").children
    }

    pub fn keys(&mut self, page: PageId) -> PageKeys {
        match page.parent() {
            None => self.root.page_keys(),
            Some((above, slot)) => PageKeys::derive(self.children(above).key(slot)),
        }
    }

    /// Puts other keys into an interior page.
    pub fn put(&mut self, page: PageId, children: &ChildKeys) {
        let keys = self.keys(page);
        let sealed = keys.seal_page(REALM, page, self.attempt, children, &mut Seeded(5));
        *self.staged_page(page) = sealed.expect("seals");
    }

    /// Gives a page the key that it had before.
    pub fn keep_key(&mut self, old: &Old<'_>, page: PageId) {
        let (above, slot) = page.parent().expect("is below another");
        let mut children = self.children(above);
        children.replace(slot, &old.key(page));
        self.put(above, &children);
    }
}
