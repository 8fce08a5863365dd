//! Page keys of the key trees, opened from the root down when first needed and kept in the arena.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use eunoe_core::StateView;
use eunoe_core::control::{self, PageName};
use eunoe_crypto::{ARITY, ChildKeys, KeyArena, Levels, LockedKey, PageId, PageKeys, RootKey};
use eunoe_types::{Fault, Realm};

use crate::KeyringError;
use crate::error::unopened;

/// The page keys that were needed so far. There are at most twice `32^levels` leaf pages, and a page key is 32
/// bytes, so the map needs no limit beside the arena's.
pub(crate) struct Pages {
    realm: Realm,
    levels: Levels,
    arena: KeyArena,
    root: RootKey,
    opened: RwLock<HashMap<PageId, Arc<LockedKey>>>,
}

impl Pages {
    pub(crate) fn new(
        realm: Realm,
        levels: Levels,
        arena: KeyArena,
        root: &RootKey,
    ) -> Result<Self, KeyringError> {
        Ok(Self {
            realm,
            levels,
            root: root.kept_in(&arena)?,
            arena,
            opened: RwLock::default(),
        })
    }

    /// What all page keys are opened from.
    pub(crate) fn root(&self) -> &RootKey {
        &self.root
    }

    pub(crate) fn levels(&self) -> Levels {
        self.levels
    }

    /// The derived keys of a leaf page.
    pub(crate) fn leaf(&self, view: &dyn StateView, leaf: PageId) -> Result<PageKeys, KeyringError> {
        if let Some(key) = self.known(leaf) {
            return Ok(PageKeys::derive(&key));
        }
        for (page, _) in self.levels.path(leaf) {
            self.open(view, page)?;
        }
        let key = self
            .known(leaf)
            .ok_or_else(|| Fault::broken("a key tree has no key for a leaf page"))?;
        Ok(PageKeys::derive(&key))
    }

    /// The keys in an interior page.
    pub(crate) fn children(&self, view: &dyn StateView, page: PageId) -> Result<ChildKeys, KeyringError> {
        let mut leaf = page;
        while self.levels.is_interior(leaf) {
            leaf = leaf.child(0);
        }
        for (above, _) in self.levels.path(leaf) {
            if above.level < page.level {
                self.open(view, above)?;
            }
        }
        self.read(view, page)
    }

    fn read(&self, view: &dyn StateView, page: PageId) -> Result<ChildKeys, KeyringError> {
        let sealed = control::page(view, page_name(page))?
            .ok_or_else(|| Fault::broken("a page of a key tree is missing"))?;
        let opened = match self.known(page) {
            Some(key) => PageKeys::derive(&key).open_page(self.realm, page, &sealed),
            None => self.root.page_keys().open_page(self.realm, page, &sealed),
        };
        Ok(opened.map_err(unopened("a page of a key tree"))?.children)
    }

    fn known(&self, page: PageId) -> Option<Arc<LockedKey>> {
        self.opened
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&page)
            .cloned()
    }

    /// Opens an interior page and keeps the keys of the pages below it.
    fn open(&self, view: &dyn StateView, page: PageId) -> Result<(), KeyringError> {
        if self.known(page.child(0)).is_some() {
            return Ok(());
        }
        let children = self.read(view, page)?;
        let keys = (0..ARITY)
            .map(|slot| Ok((page.child(slot), Arc::new(self.arena.store(children.key(slot))?))))
            .collect::<Result<Vec<_>, KeyringError>>()?;
        self.opened
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(keys);
        Ok(())
    }
}

/// How the control group names a page.
pub(crate) fn page_name(page: PageId) -> PageName {
    PageName {
        tree: page.tree.tag(),
        level: page.level,
        index: page.index,
    }
}
