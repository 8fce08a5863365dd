//! A second look at an epoch before it counts: whoever looks has put the new root together from the vaults, and finds
//! under it what the old root leads to, without what is erased (erasure.md §4.5, step 6).

use std::collections::{BTreeMap, BTreeSet, HashSet};

use eunoe_core::StateView;
use eunoe_core::control::{self, EpochRow, PendingRow};
use eunoe_crypto::{
    ARITY, IndexRecord, KeyRecord, LeafName, MetaPage, PageId, PageKeys, RootKey, RowTag, SecretBytes, Tree,
    key_commitment,
};
use eunoe_types::{Fault, Kid};

use crate::epoch::ROWS;
use crate::pages::page_name;
use crate::{KeyringError, Unsealed};

/// Why an attempt is not found right.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It would lose or keep something, or is not what the group knows of it.
    #[error("the attempt at an epoch is wrong: {0}")]
    Wrong(&'static str),
    /// This node cannot look at it now.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
}

impl From<Fault> for VerifyError {
    fn from(fault: Fault) -> Self {
        Self::Keyring(fault.into())
    }
}

impl Unsealed {
    /// Checks what the attempt under way staged, under the root that it made.
    ///
    /// # Errors
    ///
    /// [`VerifyError::Wrong`] says what is wrong with it, and names no key and no page.
    pub fn verify_epoch(
        &self,
        view: &dyn StateView,
        epoch: &EpochRow,
        root: &RootKey,
    ) -> Result<(), VerifyError> {
        self.check_epoch(view)?;
        let list = control::pending_epoch(view)?.filter(|_| epoch.pending.is_some());
        let list = list.ok_or(VerifyError::Wrong("there is none under way"))?;
        let mut look = Look {
            keys: self,
            view,
            attempt: epoch.last_attempt,
            replaced: replaced(self, &list)?,
            erased: list.keys.iter().copied().collect(),
            found: HashSet::new(),
            staged: 0,
        };
        look.expect(
            root.commitment() != epoch.root_commit,
            "its root is the present one",
        )?;
        look.shared_page(&root.page_keys())?;
        for tree in [Tree::Index, Tree::Key] {
            look.interior(PageId::top(tree), &root.page_keys())?;
        }
        look.expect(
            look.found.len() == look.erased.len(),
            "a key that it erases is in none of its pages",
        )?;
        let staged = control::staged_pages(view)?;
        look.expect(
            staged == look.staged,
            "it would replace pages that it does not name",
        )
    }
}

/// All pages whose keys are to be replaced: the leaf pages of the list, and those between them and the top.
fn replaced(keys: &Unsealed, list: &PendingRow) -> Result<BTreeSet<PageId>, Fault> {
    let levels = keys.pages().levels();
    let mut replaced = BTreeSet::new();
    for (tree, index) in &list.pages {
        let mut next = Some(PageId {
            tree: Tree::from_tag(*tree)?,
            level: levels.get(),
            index: *index,
        });
        while let Some(page) = next.filter(|page| page.level > 0) {
            replaced.insert(page);
            next = page.parent().map(|(above, _)| above);
        }
    }
    Ok(replaced)
}

struct Look<'a> {
    keys: &'a Unsealed,
    view: &'a dyn StateView,
    attempt: u32,
    replaced: BTreeSet<PageId>,
    erased: HashSet<Kid>,
    /// Keys that it erases and whose records were in its pages.
    found: HashSet<Kid>,
    /// Staged pages that were looked at.
    staged: usize,
}

/// Rows of a leaf page: what they are filed under, their versions and contents.
type Rows = BTreeMap<[u8; 16], (u32, SecretBytes)>;

impl Look<'_> {
    fn expect(&self, holds: bool, otherwise: &'static str) -> Result<(), VerifyError> {
        if holds {
            Ok(())
        } else {
            Err(VerifyError::Wrong(otherwise))
        }
    }

    fn staged_page(&mut self, page: PageId) -> Result<Vec<u8>, VerifyError> {
        self.staged += 1;
        let staged = control::staged_page(self.view, page_name(page), self.attempt)?;
        staged.ok_or(VerifyError::Wrong("a page is missing"))
    }

    fn shared_page(&mut self, root: &PageKeys) -> Result<(), VerifyError> {
        let sealed = self.staged_page(PageId::META)?;
        let opened = MetaPage::open(root, self.keys.realm(), &sealed);
        let (generation, meta) = opened.map_err(|_| VerifyError::Wrong("the shared page does not open"))?;
        let same =
            meta.locator_root.matches(self.keys.locator_root()) && meta.log_key.matches(self.keys.log_key());
        self.expect(
            same && generation == self.attempt,
            "the shared page is another one",
        )
    }

    /// An interior page: fresh keys for what is replaced, the same for what is not.
    fn interior(&mut self, page: PageId, keys: &PageKeys) -> Result<(), VerifyError> {
        let sealed = self.staged_page(page)?;
        let opened = keys.open_page(self.keys.realm(), page, &sealed);
        let opened = opened.map_err(|_| VerifyError::Wrong("a page does not open"))?;
        self.expect(opened.generation == self.attempt, "a page is of another attempt")?;
        let before = self.keys.pages().children(self.view, page)?;
        for slot in 0..ARITY {
            let below = page.child(slot);
            let is_replaced = self.replaced.contains(&below);
            let key = opened.children.key(slot);
            let right = if is_replaced {
                // Also the key of the page beside it is one that the present root leads to.
                (0..ARITY).all(|former| !key.matches(before.key(former)))
            } else {
                key.matches(before.key(slot))
            };
            self.expect(right, "a page has the key of another one, or a lost one")?;
            if !is_replaced {
                continue;
            }
            let keys = PageKeys::derive(key);
            if self.keys.pages().levels().is_interior(below) {
                self.interior(below, &keys)?;
            } else {
                self.leaf(below, &keys)?;
            }
        }
        Ok(())
    }

    /// A leaf page: the same rows under other names, but those of erased keys.
    fn leaf(&mut self, page: PageId, keys: &PageKeys) -> Result<(), VerifyError> {
        let old = self.keys.pages().leaf(self.view, page)?;
        let generation = control::page_generation(self.view, page.tree.tag(), page.index)?;
        let mut expected = self.rows(page, &old, generation, &old)?;
        let staged = self.rows(page, keys, self.attempt, &old)?;
        expected.retain(|_, (_, content)| !self.is_erased(page.tree, content));
        let mut pairs = expected.iter().zip(&staged);
        let same = pairs.all(|((name, before), (other, after))| {
            name == other && before.0 == after.0 && before.1.matches(&after.1)
        });
        let all = expected.len() == staged.len() && same;
        self.expect(all, "a leaf page would lose, change or keep a row")
    }

    /// Whether a row is one of an erased key. Such a key is the one that the group has a commitment to.
    fn is_erased(&mut self, tree: Tree, content: &SecretBytes) -> bool {
        if tree == Tree::Index {
            return IndexRecord::decode(content).is_ok_and(|record| self.erased.contains(&record.kid));
        }
        let Ok(record) = KeyRecord::decode(content) else {
            return false;
        };
        let state = control::key_state(self.view, &record.kid).ok().flatten();
        let commitment = record.first().map(|first| key_commitment(&first.key));
        let is_erased = self.erased.contains(&record.kid);
        if is_erased && commitment == state.map(|state| state.key_commit) {
            self.found.insert(record.kid);
        }
        is_erased
    }

    /// All rows of one generation of a leaf page, under the names that `naming` gives them.
    fn rows(
        &self,
        page: PageId,
        keys: &PageKeys,
        generation: u32,
        naming: &PageKeys,
    ) -> Result<Rows, VerifyError> {
        let (mut rows, mut after) = (Rows::new(), None);
        loop {
            let place = (page.tree.tag(), page.index, generation);
            let next = control::leaf_rows(self.view, place, after.as_ref(), ROWS)?;
            let Some((last, _)) = next.last() else {
                return Ok(rows);
            };
            after = Some(*last);
            for (tag, sealed) in &next {
                let row = keys.open_row(self.keys.realm(), page, RowTag(*tag), sealed);
                let row = row.map_err(|_| VerifyError::Wrong("a row does not open"))?;
                let name = name_of(page.tree, &row.content)?;
                self.expect(keys.tag(&name).0 == *tag, "a row is filed under another name")?;
                self.expect(
                    row.header.generation == generation,
                    "a row is of another generation",
                )?;
                rows.insert(naming.tag(&name).0, (row.header.version, row.content));
            }
        }
    }
}

/// What a row is filed under.
fn name_of(tree: Tree, content: &SecretBytes) -> Result<LeafName, VerifyError> {
    let malformed = |_| VerifyError::Wrong("a row does not decode");
    Ok(if tree == Tree::Key {
        LeafName::Key(KeyRecord::decode(content).map_err(malformed)?.kid)
    } else {
        LeafName::Index(IndexRecord::decode(content).map_err(malformed)?.locator)
    })
}
