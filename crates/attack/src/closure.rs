//! From found keys down: opens everything that any key opens that is found on the way, each generation with each key.

use std::collections::{BTreeMap, BTreeSet};

use eunoe_crypto::{
    ARITY, Commitment, IndexRecord, KeyRecord, Levels, MetaPage, PageId, PageKeys, SealingKey, SecretKey,
    Tree, key_commitment,
};
use eunoe_types::{Kid, Realm};

use crate::{AttackError, Evidence, MemoryKeys, Sealed};

/// Suite byte and generation of a sealed page or row.
const HEADER_BYTES: usize = 5;
const PAGE_DOMAIN: &[u8] = b"eunoe/page/v1";

/// What was opened.
#[derive(Debug, Default)]
pub struct Opened {
    /// Sealed forms of the page that locators are made from.
    pub meta: usize,
    /// Keys whose records were opened, by generation.
    pub(crate) keys: BTreeMap<Kid, BTreeMap<u32, SecretKey>>,
    /// Keys that are known without their generation.
    pub(crate) loose: BTreeMap<Kid, SecretKey>,
    /// Keys that an opened index row names.
    pub indexed: BTreeSet<Kid>,
    /// What the opened rows held, by page.
    contents: Vec<eunoe_crypto::SecretBytes>,
    /// Pages and rows that were opened, as page and generation.
    pub(crate) pages: BTreeSet<(PageId, u32)>,
}

impl Opened {
    /// Opens what these roots lead to, and what the keys of a memory do.
    ///
    /// # Errors
    ///
    /// If the evidence names no realm.
    pub fn from(evidence: &Evidence, roots: &[&SecretKey], memory: &MemoryKeys) -> Result<Self, AttackError> {
        let mut opened = Self::default();
        for (realm, levels) in evidence.identities()? {
            let search = Search::new(realm, levels, &evidence.sealed, opened);
            opened = search.run(roots, memory);
        }
        for (kid, key) in &memory.records {
            opened.loose.insert(*kid, key.duplicate());
        }
        Ok(opened)
    }

    /// Opens what these roots lead to of sealed pages and rows alone.
    pub fn from_sealed(realm: Realm, levels: Levels, sealed: &Sealed, roots: &[&SecretKey]) -> Self {
        Search::new(realm, levels, sealed, Self::default()).run(roots, &MemoryKeys::default())
    }

    /// Keys that are known.
    pub fn records(&self) -> BTreeSet<Kid> {
        self.keys.keys().chain(self.loose.keys()).copied().collect()
    }

    /// The first key of a record.
    pub fn first_key(&self, kid: Kid) -> Option<&SecretKey> {
        self.keys.get(&kid).and_then(|keys| keys.values().next())
    }

    /// What the opened rows held.
    pub fn contents(&self) -> impl Iterator<Item = &[u8]> {
        self.contents.iter().map(eunoe_crypto::SecretBytes::expose)
    }

    pub(crate) fn key(&self, kid: Kid, generation: u32) -> Option<&SecretKey> {
        let known = self.keys.get(&kid).and_then(|keys| keys.get(&generation));
        known.or_else(|| self.loose.get(&kid))
    }

    pub(crate) fn is_open(&self, page: PageId, sealed: &[u8]) -> bool {
        generation(sealed).is_some_and(|generation| self.pages.contains(&(page, generation)))
    }
}

/// The generation that a sealed page or row says it is of.
pub(crate) fn generation(sealed: &[u8]) -> Option<u32> {
    let bytes = sealed.get(1..HEADER_BYTES)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// Opens an interior page under the key that its page key gives for sealing, which memory may hold instead of it.
pub(crate) fn open_derived(
    key: &SealingKey,
    realm: Realm,
    page: PageId,
    sealed: &[u8],
) -> Option<Vec<SecretKey>> {
    let place = [page.tree.tag(), page.level];
    let generation = generation(sealed)?.to_le_bytes();
    let aad = [
        PAGE_DOMAIN,
        &realm.0,
        &place,
        &page.index.to_le_bytes(),
        &generation,
    ]
    .concat();
    let content = key.open(&aad, sealed.get(HEADER_BYTES..)?).ok()?;
    let (keys, rest) = content.expose().as_chunks::<{ SecretKey::BYTES }>();
    let whole = keys.len() == ARITY && rest.is_empty();
    whole.then(|| keys.iter().map(SecretKey::from_bytes).collect())
}

struct Search<'a> {
    realm: Realm,
    levels: Levels,
    sealed: &'a Sealed,
    /// Keys that were found and not tried yet.
    due: Vec<(PageId, SecretKey)>,
    /// Those that were found, by what commits to them: a page keeps its key over many generations of the page above.
    known: BTreeSet<(PageId, Commitment)>,
    opened: Opened,
}

impl<'a> Search<'a> {
    fn new(realm: Realm, levels: Levels, sealed: &'a Sealed, opened: Opened) -> Self {
        Self {
            realm,
            levels,
            sealed,
            due: Vec::new(),
            known: BTreeSet::new(),
            opened,
        }
    }

    fn run(mut self, roots: &[&SecretKey], memory: &MemoryKeys) -> Opened {
        let forms = self.sealed;
        for root in roots.iter().copied().chain(&memory.roots) {
            let keys = PageKeys::derive(root);
            let metas = forms.pages(PageId::META);
            let opening = metas.filter(|page| MetaPage::open(&keys, self.realm, page).is_ok());
            self.opened.meta += opening.count();
            for tree in [Tree::Key, Tree::Index] {
                self.open_interior(PageId::top(tree), &keys);
            }
        }
        for (page, key) in &memory.derived {
            let key = SealingKey::new(key.duplicate());
            for sealed in forms.pages(*page) {
                if let Some(children) = open_derived(&key, self.realm, *page, sealed) {
                    self.take_children(*page, sealed, children);
                }
            }
        }
        for (page, key) in &memory.pages {
            self.find(*page, key.duplicate());
        }
        while let Some((page, key)) = self.due.pop() {
            let keys = PageKeys::derive(&key);
            if self.levels.is_interior(page) {
                self.open_interior(page, &keys);
            } else {
                self.open_leaf(page, &keys);
            }
        }
        self.opened
    }

    fn find(&mut self, page: PageId, key: SecretKey) {
        if self.known.insert((page, key_commitment(&key))) {
            self.due.push((page, key));
        }
    }

    fn take_children(&mut self, page: PageId, sealed: &[u8], children: Vec<SecretKey>) {
        self.opened.pages.extend(generation(sealed).map(|it| (page, it)));
        for (slot, key) in children.into_iter().enumerate() {
            self.find(page.child(slot), key);
        }
    }

    fn open_interior(&mut self, page: PageId, keys: &PageKeys) {
        let forms = self.sealed;
        for sealed in forms.pages(page) {
            if let Ok(opened) = keys.open_page(self.realm, page, sealed) {
                let children = (0..ARITY).map(|slot| opened.children.key(slot).duplicate());
                self.take_children(page, sealed, children.collect());
            }
        }
    }

    fn open_leaf(&mut self, leaf: PageId, keys: &PageKeys) {
        let forms = self.sealed;
        for (tag, sealed) in forms.rows(leaf.tree, leaf.index) {
            let Ok(row) = keys.open_row(self.realm, leaf, tag, sealed) else {
                continue;
            };
            self.opened.pages.insert((leaf, row.header.generation));
            if leaf.tree == Tree::Key {
                if let Ok(record) = KeyRecord::decode(&row.content) {
                    let keys = self.opened.keys.entry(record.kid).or_default();
                    keys.extend(record.generations.into_iter().map(|it| (it.generation, it.key)));
                }
            } else if let Ok(record) = IndexRecord::decode(&row.content) {
                self.opened.indexed.insert(record.kid);
            }
            self.opened.contents.push(row.content);
        }
    }
}
