//! Every sealed page and row of the key trees that is in log entries and rows, of whatever generation.

use std::collections::{BTreeMap, BTreeSet};

use eunoe_core::Row;
use eunoe_core::control::{Command, Page, PageName};
use eunoe_crypto::{PageId, RowTag, Tree};
use eunoe_types::Decoder;

/// Tables of the control group's state.
const PAGE: u8 = 0x22;
const LEAF_ROW: u8 = 0x23;
const STAGED_PAGE: u8 = 0x24;
/// What a log entry with a command is marked as.
const COMMAND: u8 = 1;

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

    /// The sealed forms of the rows of a leaf page.
    pub fn rows(&self, leaf: PageId) -> impl Iterator<Item = (RowTag, &[u8])> {
        let rows = self.rows.get(&(leaf.tree, leaf.index)).into_iter().flatten();
        rows.map(|(tag, sealed)| (*tag, sealed.as_slice()))
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

    /// Takes what a command of the control group's log carries.
    pub(super) fn take_log_entry(&mut self, entry: &[u8]) {
        let Some(command) = command_of(entry) else {
            return;
        };
        match Command::decode(command).expect("a command of the control group") {
            Command::StagePages { pages, .. } => pages.iter().for_each(|page| self.take_page(page)),
            Command::CreateKeys { keys, .. } => {
                for row in keys.iter().flat_map(|key| &key.rows) {
                    self.take_row(row.tree, row.page, row.tag, row.sealed);
                }
            }
            Command::EpochChunk(chunk) => {
                chunk.pages.iter().for_each(|page| self.take_page(page));
                for row in &chunk.rows {
                    self.take_row(row.tree, row.page, row.tag, row.sealed);
                }
            }
            // None of them carries anything sealed.
            Command::Genesis(_)
            | Command::AdmitNode { .. }
            | Command::RemoveNode(_)
            | Command::GrantRoot { .. }
            | Command::RaiseVersion(_)
            | Command::RequestErasure(_)
            | Command::ExpandErasure(_)
            | Command::CancelErasure(_)
            | Command::BeginEpoch(_)
            | Command::SwitchEpoch(_)
            | Command::AbortEpoch { .. }
            | Command::AttestDestroyed(_)
            | Command::Sweep => {}
        }
    }

    /// Takes the pages and rows of a state, those that nothing uses any more included.
    pub(super) fn take_state(&mut self, rows: &[Row]) {
        for (key, value) in rows {
            let mut d = Decoder::new(&key[1..]);
            match key[0] {
                PAGE | STAGED_PAGE => {
                    let name = PageName {
                        tree: d.u8().expect("a tree"),
                        level: d.u8().expect("a level"),
                        index: u32::from_be_bytes(d.array().expect("an index")),
                    };
                    self.take_page(&Page { name, sealed: value });
                }
                LEAF_ROW => {
                    let tree = d.u8().expect("a tree");
                    let page = u32::from_be_bytes(d.array().expect("a page"));
                    let _generation: [u8; 4] = d.array().expect("a generation");
                    self.take_row(tree, page, d.array().expect("a tag"), value);
                }
                _ => {}
            }
        }
    }

    fn take_page(&mut self, page: &Page<'_>) {
        let id = PageId {
            tree: Tree::from_tag(page.name.tree).expect("a tree"),
            level: page.name.level,
            index: page.name.index,
        };
        self.pages.entry(id).or_default().insert(page.sealed.to_vec());
    }

    fn take_row(&mut self, tree: u8, page: u32, tag: [u8; 16], sealed: &[u8]) {
        let leaf = (Tree::from_tag(tree).expect("a tree"), page);
        let rows = self.rows.entry(leaf).or_default();
        rows.insert((RowTag(tag), sealed.to_vec()));
    }
}

/// The command of a log entry, if it has one: format, kind, term, leader and index come before it.
fn command_of(entry: &[u8]) -> Option<&[u8]> {
    let mut d = Decoder::new(entry);
    let _format = d.u8().expect("an entry");
    if d.u8().expect("an entry") != COMMAND {
        return None;
    }
    for _ in ["term", "leader", "index"] {
        d.varint().expect("an entry");
    }
    Some(d.rest())
}
