//! Every sealed page and row of the key trees, of whatever generation.

use std::collections::{BTreeMap, BTreeSet};

use eunoe_crypto::{PageId, RowTag, Tree};

/// A row by what it is filed under.
type FiledRow = (RowTag, Vec<u8>);

/// Sealed pages and rows by the page that they are filed under.
#[derive(Debug, Default)]
pub struct Sealed {
    pages: BTreeMap<PageId, BTreeSet<Vec<u8>>>,
    rows: BTreeMap<(Tree, u32), BTreeSet<FiledRow>>,
}

impl Sealed {
    /// The sealed forms of a page.
    pub fn pages(&self, page: PageId) -> impl Iterator<Item = &[u8]> {
        self.pages.get(&page).into_iter().flatten().map(Vec::as_slice)
    }

    /// The sealed forms of the rows of a leaf page, given by its tree and place.
    pub fn rows(&self, tree: Tree, page: u32) -> impl Iterator<Item = (RowTag, &[u8])> {
        let rows = self.rows.get(&(tree, page)).into_iter().flatten();
        rows.map(|(tag, sealed)| (*tag, sealed.as_slice()))
    }

    /// All pages, each with a sealed form.
    pub fn all_pages(&self) -> impl Iterator<Item = (PageId, &[u8])> {
        let forms = self.pages.iter();
        forms.flat_map(|(page, forms)| forms.iter().map(|sealed| (*page, sealed.as_slice())))
    }

    /// Leaf pages that have rows, as tree and place.
    pub fn leaves(&self) -> impl Iterator<Item = (Tree, u32)> {
        self.rows.keys().copied()
    }

    /// How many pages and rows there are, each generation by itself.
    pub fn count(&self) -> (usize, usize) {
        (
            self.pages.values().map(BTreeSet::len).sum(),
            self.rows.values().map(BTreeSet::len).sum(),
        )
    }

    /// Whether everything of `other` is here too.
    pub fn includes(&self, other: &Self) -> bool {
        let pages = |(page, sealed): (_, &BTreeSet<_>)| {
            self.pages.get(page).is_some_and(|here| here.is_superset(sealed))
        };
        let rows = |(leaf, sealed): (_, &BTreeSet<_>)| {
            self.rows.get(leaf).is_some_and(|here| here.is_superset(sealed))
        };
        other.pages.iter().all(pages) && other.rows.iter().all(rows)
    }

    /// Takes a sealed form of a page. What names no page of a tree is none.
    pub fn take_page(&mut self, tree: u8, level: u8, index: u32, sealed: &[u8]) {
        if let Ok(tree) = Tree::from_tag(tree) {
            let page = PageId { tree, level, index };
            self.pages.entry(page).or_default().insert(sealed.to_vec());
        }
    }

    /// Takes a sealed form of a row.
    pub fn take_row(&mut self, tree: u8, page: u32, tag: [u8; 16], sealed: &[u8]) {
        if let Ok(tree) = Tree::from_tag(tree) {
            let rows = self.rows.entry((tree, page)).or_default();
            rows.insert((RowTag(tag), sealed.to_vec()));
        }
    }
}
