//! An epoch: the key trees under a new root, without the keys that are fenced (erasure.md §4.5).
//!
//! Every page on the way to a row that is left out gets a fresh key, so that nothing the new root leads to leads to
//! that row; the pages beside the way keep theirs. Both top pages and the page that the trees share are sealed anew.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use eunoe_core::StateView;
use eunoe_core::control::{self, Command, EpochChunk, EpochRowOf, Page};
use eunoe_crypto::{
    DealtRoot, Entropy, IndexRecord, KeyArena, KeyRecord, LeafName, MetaPage, PageId, PageKeys, RowHeader,
    RowTag, SecretKey, Sharing, Tree,
};
use eunoe_types::{Fault, Kid, limits};

use crate::KeyringError;
use crate::Unsealed;
use crate::error::unopened;
use crate::pages::page_name;

/// Bytes of one chunk: a replicated entry should stay small beside heartbeats.
const CHUNK_BYTES: usize = 200 * 1024;
/// Rows of a page read at a time.
pub(crate) const ROWS: usize = 512;

/// What an epoch has to do.
#[derive(Clone, Debug)]
pub struct EpochPlan {
    /// Keys to leave out.
    pub keys: Vec<Kid>,
    /// Leaf pages, as tree and index, that have rows of theirs.
    pub pages: Vec<(u8, u32)>,
}

/// An epoch, ready to be staged. The root is in no command.
pub struct PreparedEpoch {
    /// The new root with its shares, to be put into vaults.
    pub dealt: DealtRoot,
    /// Commands that stage it, in order.
    pub chunks: Vec<Vec<u8>>,
    /// Digest over them.
    pub digest: [u8; 32],
}

impl Unsealed {
    /// Where the rows of fenced keys are; of the first of them, if they are more than one epoch takes.
    pub fn plan_epoch(&self, view: &dyn StateView, mut keys: Vec<Kid>) -> Result<EpochPlan, KeyringError> {
        // A command with more would not decode, which stops every node.
        keys.truncate(limits::EPOCH_ERASURES_MAX);
        let levels = self.pages().levels();
        let mut pages = BTreeSet::new();
        for kid in &keys {
            let record = self
                .record(view, *kid)?
                .ok_or_else(|| Fault::broken("a fenced key has no record"))?;
            pages.insert((Tree::Key.tag(), levels.leaf(&LeafName::Key(*kid)).index));
            if let Some(locator) = record.locator {
                pages.insert((Tree::Index.tag(), levels.leaf(&LeafName::Index(locator)).index));
            }
        }
        Ok(EpochPlan {
            keys,
            pages: pages.into_iter().collect(),
        })
    }

    /// Makes the trees of an attempt at the next epoch. Its pages must be frozen in `view`.
    pub fn prepare_epoch(
        &self,
        view: &dyn StateView,
        plan: &EpochPlan,
        attempt: u32,
        sharing: Sharing,
        arena: &KeyArena,
        entropy: &mut dyn Entropy,
    ) -> Result<PreparedEpoch, KeyringError> {
        self.check_epoch(view)?;
        let dealt = sharing.deal(arena, entropy)?;
        let mut making = Making {
            keys: self,
            view,
            attempt,
            erased: plan.keys.iter().copied().collect(),
            fresh: BTreeMap::new(),
            chunks: Chunks::new(attempt),
            entropy,
        };
        for (tree, index) in &plan.pages {
            let tree = Tree::from_tag(*tree).map_err(Fault::from)?;
            making.leaf(PageId {
                tree,
                level: self.pages().levels().get(),
                index: *index,
            })?;
        }
        making.interior()?;
        making.top(&dealt.root().page_keys())?;
        let (chunks, digest) = making.chunks.finish();
        Ok(PreparedEpoch {
            dealt,
            chunks,
            digest,
        })
    }
}

struct Making<'a> {
    keys: &'a Unsealed,
    view: &'a dyn StateView,
    attempt: u32,
    erased: HashSet<Kid>,
    /// Fresh keys of replaced pages.
    fresh: BTreeMap<PageId, SecretKey>,
    chunks: Chunks,
    entropy: &'a mut dyn Entropy,
}

impl Making<'_> {
    /// Files the rows of a leaf page anew, under a fresh page key.
    fn leaf(&mut self, page: PageId) -> Result<(), KeyringError> {
        let old = self.keys.pages().leaf(self.view, page)?;
        let key = SecretKey::generate(self.entropy)?;
        let new = PageKeys::derive(&key);
        let generation = control::page_generation(self.view, page.tree.tag(), page.index)?;
        let place = (page.tree.tag(), page.index, generation);
        let mut after = None;
        loop {
            let rows = control::leaf_rows(self.view, place, after.as_ref(), ROWS)?;
            let Some((last, _)) = rows.last() else { break };
            after = Some(*last);
            for (tag, sealed) in &rows {
                self.row(page, (&old, &new), RowTag(*tag), sealed)?;
            }
        }
        self.fresh.insert(page, key);
        Ok(())
    }

    fn row(
        &mut self,
        page: PageId,
        (old, new): (&PageKeys, &PageKeys),
        tag: RowTag,
        sealed: &[u8],
    ) -> Result<(), KeyringError> {
        let realm = self.keys.realm();
        let row = old
            .open_row(realm, page, tag, sealed)
            .map_err(unopened("a row of a key tree"))?;
        let (kid, name) = if page.tree == Tree::Key {
            let kid = KeyRecord::decode(&row.content).map_err(Fault::from)?.kid;
            (kid, LeafName::Key(kid))
        } else {
            let record = IndexRecord::decode(&row.content).map_err(Fault::from)?;
            (record.kid, LeafName::Index(record.locator))
        };
        if self.erased.contains(&kid) {
            return Ok(());
        }
        let header = RowHeader {
            generation: self.attempt,
            version: row.header.version,
        };
        let tag = new.tag(&name);
        let sealed = new.seal_row(realm, page, tag, header, &row.content, self.entropy)?;
        self.chunks.row(page, tag, sealed);
        Ok(())
    }

    /// Seals the pages between the leaf pages and the top, from below upwards.
    fn interior(&mut self) -> Result<(), KeyringError> {
        for level in (1..self.keys.pages().levels().get()).rev() {
            let below = self.fresh.keys().filter(|page| page.level == level + 1);
            let above: BTreeSet<PageId> = below
                .filter_map(|page| page.parent())
                .map(|(page, _)| page)
                .collect();
            for page in above {
                let key = SecretKey::generate(self.entropy)?;
                self.seal(page, &PageKeys::derive(&key))?;
                self.fresh.insert(page, key);
            }
        }
        Ok(())
    }

    /// Seals what hangs on the root itself.
    fn top(&mut self, root: &PageKeys) -> Result<(), KeyringError> {
        let meta = MetaPage {
            locator_root: self.keys.locator_root().duplicate(),
            log_key: self.keys.log_key().duplicate(),
        };
        let sealed = meta.seal(root, self.keys.realm(), self.attempt, self.entropy)?;
        self.chunks.page(PageId::META, sealed);
        for tree in [Tree::Index, Tree::Key] {
            self.seal(PageId::top(tree), root)?;
        }
        Ok(())
    }

    /// Seals an interior page with the fresh keys of the pages below it.
    fn seal(&mut self, page: PageId, keys: &PageKeys) -> Result<(), KeyringError> {
        let mut children = self.keys.pages().children(self.view, page)?;
        for (below, key) in self
            .fresh
            .iter()
            .filter(|(below, _)| below.level == page.level + 1)
        {
            if let Some((above, slot)) = below.parent()
                && above == page
            {
                children.replace(slot, key);
            }
        }
        let sealed = keys.seal_page(self.keys.realm(), page, self.attempt, &children, self.entropy)?;
        self.chunks.page(page, sealed);
        Ok(())
    }
}

/// Gathers pages and rows into commands.
struct Chunks {
    attempt: u32,
    bytes: usize,
    pages: Vec<(PageId, Vec<u8>)>,
    rows: Vec<(PageId, RowTag, Vec<u8>)>,
    done: Vec<Vec<u8>>,
    digest: [u8; 32],
}

impl Chunks {
    fn new(attempt: u32) -> Self {
        Self {
            attempt,
            bytes: 0,
            pages: Vec::new(),
            rows: Vec::new(),
            done: Vec::new(),
            digest: [0; 32],
        }
    }

    fn page(&mut self, page: PageId, sealed: Vec<u8>) {
        self.bytes += sealed.len();
        self.pages.push((page, sealed));
        self.close_if_full();
    }

    fn row(&mut self, page: PageId, tag: RowTag, sealed: Vec<u8>) {
        self.bytes += sealed.len();
        self.rows.push((page, tag, sealed));
        self.close_if_full();
    }

    fn close_if_full(&mut self) {
        if self.bytes >= CHUNK_BYTES {
            self.close();
        }
    }

    fn close(&mut self) {
        let pages = self.pages.iter().map(|(page, sealed)| Page {
            name: page_name(*page),
            sealed,
        });
        let rows = self.rows.iter().map(|(page, tag, sealed)| EpochRowOf {
            tree: page.tree.tag(),
            page: page.index,
            tag: tag.0,
            sealed,
        });
        let command = Command::EpochChunk(EpochChunk {
            attempt: self.attempt,
            number: self.done.len() as u32,
            pages: pages.collect(),
            rows: rows.collect(),
        })
        .encode();
        self.digest = control::chunk_digest(&self.digest, &command);
        self.done.push(command);
        self.bytes = 0;
        self.pages.clear();
        self.rows.clear();
    }

    fn finish(mut self) -> (Vec<Vec<u8>>, [u8; 32]) {
        if self.bytes > 0 {
            self.close();
        }
        (self.done, self.digest)
    }
}
