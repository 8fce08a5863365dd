//! The first key tree of a realm: all interior pages of both trees, every key random.

use eunoe_types::Realm;

use super::meta::MetaPage;
use super::page::{ChildKeys, PageKeys};
use super::page_id::{ARITY, Levels, PageId, Tree};
use crate::{Entropy, RootKey, SealError, SecretKey};

/// The generation of every page of a new realm.
const GENERATION: u32 = 0;

/// Makes the pages one by one, so that the caller stores them in chunks: the `meta` page, then both trees.
///
/// It holds only the keys of pages still to be made: at most 32 per level.
pub struct Genesis<'a> {
    realm: Realm,
    levels: Levels,
    root: PageKeys,
    /// Until it is made.
    meta: Option<MetaPage>,
    due: Vec<(PageId, SecretKey)>,
    tops_due: Vec<Tree>,
    entropy: &'a mut dyn Entropy,
}

impl<'a> Genesis<'a> {
    /// Begins a realm under `root`.
    pub fn new(
        realm: Realm,
        levels: Levels,
        root: &RootKey,
        meta: MetaPage,
        entropy: &'a mut dyn Entropy,
    ) -> Self {
        let tops_due = vec![Tree::Key, Tree::Index];
        Self {
            realm,
            levels,
            root: root.page_keys(),
            meta: Some(meta),
            due: Vec::new(),
            tops_due,
            entropy,
        }
    }

    /// Pages that it makes in all.
    pub fn pages(levels: Levels) -> usize {
        let per_tree: usize = (0..u32::from(levels.get())).map(|level| ARITY.pow(level)).sum();
        1 + 2 * per_tree
    }

    fn next_page(&mut self) -> Result<Option<(PageId, Vec<u8>)>, SealError> {
        if let Some(meta) = self.meta.take() {
            return Ok(Some((
                PageId::META,
                meta.seal(&self.root, self.realm, GENERATION, self.entropy)?,
            )));
        }
        if let Some((page, key)) = self.due.pop() {
            let sealed = self.interior(page, &PageKeys::derive(&key))?;
            return Ok(Some((page, sealed)));
        }
        let Some(tree) = self.tops_due.pop() else {
            return Ok(None);
        };
        let children = ChildKeys::generate(self.entropy)?;
        self.remember(PageId::top(tree), &children);
        let sealed =
            self.root
                .seal_page(self.realm, PageId::top(tree), GENERATION, &children, self.entropy)?;
        Ok(Some((PageId::top(tree), sealed)))
    }

    fn interior(&mut self, page: PageId, keys: &PageKeys) -> Result<Vec<u8>, SealError> {
        let children = ChildKeys::generate(self.entropy)?;
        self.remember(page, &children);
        keys.seal_page(self.realm, page, GENERATION, &children, self.entropy)
    }

    /// Leaf pages have no content yet: their keys are in the page just made and nowhere else.
    fn remember(&mut self, page: PageId, children: &ChildKeys) {
        if self.levels.is_interior(page.child(0)) {
            self.due
                .extend((0..ARITY).map(|slot| (page.child(slot), children.key(slot).duplicate())));
        }
    }
}

impl Iterator for Genesis<'_> {
    type Item = Result<(PageId, Vec<u8>), SealError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_page().transpose()
    }
}
