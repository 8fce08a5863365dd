//! Where pages are: two complete trees of fixed depth, and one page beside them.

use eunoe_types::{DecodeError, Kid};

use crate::Locator;

/// Children of an interior page.
pub const ARITY: usize = 32;
const ARITY_BITS: u32 = 5;

/// Which tree. The numbers are stored forms and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tree {
    /// Not a tree: the one page that holds the locator key.
    Meta = 0,
    /// From a caller's reference to a kid.
    Index = 1,
    /// From a kid to its record.
    Key = 2,
}

impl Tree {
    /// The stored form.
    pub fn tag(self) -> u8 {
        self as u8
    }

    /// The tree of a stored form.
    pub fn from_tag(tag: u8) -> Result<Self, DecodeError> {
        match tag {
            0 => Ok(Self::Meta),
            1 => Ok(Self::Index),
            2 => Ok(Self::Key),
            unknown => Err(DecodeError::UnknownTag(unknown)),
        }
    }
}

/// A page: level 0 is the top, level [`Levels::get`] are the leaf pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageId {
    /// The tree.
    pub tree: Tree,
    /// Distance from the top.
    pub level: u8,
    /// Position among the pages of that level.
    pub index: u32,
}

impl PageId {
    /// The page that holds the locator key.
    pub const META: PageId = PageId {
        tree: Tree::Meta,
        level: 0,
        index: 0,
    };

    /// The top page of a tree.
    pub fn top(tree: Tree) -> Self {
        Self {
            tree,
            level: 0,
            index: 0,
        }
    }

    /// The page at `slot` below this one.
    pub fn child(self, slot: usize) -> Self {
        Self {
            tree: self.tree,
            level: self.level + 1,
            index: (self.index << ARITY_BITS) | slot as u32,
        }
    }

    /// The page above this one and the slot that holds this one's key; a top page has none.
    pub fn parent(self) -> Option<(PageId, usize)> {
        let level = self.level.checked_sub(1)?;
        let slot = self.index as usize % ARITY;
        Some((
            Self {
                tree: self.tree,
                level,
                index: self.index >> ARITY_BITS,
            },
            slot,
        ))
    }
}

/// The name that a row is filed under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeafName {
    /// In the KEY tree.
    Key(Kid),
    /// In the IDX tree.
    Index(Locator),
}

impl LeafName {
    /// The tree that it is filed in.
    pub fn tree(&self) -> Tree {
        match self {
            Self::Key(_) => Tree::Key,
            Self::Index(_) => Tree::Index,
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Key(kid) => &kid.0,
            Self::Index(locator) => &locator.0,
        }
    }
}

/// Not a depth that a tree can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key tree has 2, 3 or 4 levels")]
pub struct LevelsError;

/// The depth of both trees, fixed when the realm is created: 1 024, 32 768 or 1 048 576 leaf pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels(u8);

impl Levels {
    /// Checks a depth.
    pub fn new(levels: u8) -> Result<Self, LevelsError> {
        if (2..=4).contains(&levels) {
            Ok(Self(levels))
        } else {
            Err(LevelsError)
        }
    }

    /// The depth: levels of interior pages, and the level of the leaf pages.
    pub fn get(self) -> u8 {
        self.0
    }

    /// Whether a page holds page keys rather than rows.
    pub fn is_interior(self, page: PageId) -> bool {
        page.tree != Tree::Meta && page.level < self.0
    }

    /// Leaf pages of one tree.
    pub fn leaf_pages(self) -> u32 {
        1 << (ARITY_BITS * u32::from(self.0))
    }

    /// The leaf page that a name's row is in: its top bits, for names are random or keyed hashes.
    pub fn leaf(self, name: &LeafName) -> PageId {
        let bytes = name.bytes();
        let top = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let index = top >> (u32::BITS - ARITY_BITS * u32::from(self.0));
        PageId {
            tree: name.tree(),
            level: self.0,
            index,
        }
    }

    /// From the top page down: each interior page above `leaf`, and the slot in it that leads there.
    pub fn path(self, leaf: PageId) -> impl Iterator<Item = (PageId, usize)> {
        let depth = u32::from(self.0);
        (0..depth).map(move |level| {
            let at = |level: u32| leaf.index >> (ARITY_BITS * (depth - level));
            let page = PageId {
                tree: leaf.tree,
                level: level as u8,
                index: at(level),
            };
            (page, at(level + 1) as usize % ARITY)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_path_leads_from_the_top_to_the_leaf(kid in any::<[u8; 16]>(), levels in 2u8..=4) {
            let levels = Levels::new(levels).expect("in range");
            let leaf = levels.leaf(&LeafName::Key(Kid(kid)));
            prop_assert!(leaf.index < levels.leaf_pages());
            let mut at = PageId::top(Tree::Key);
            for (page, slot) in levels.path(leaf) {
                prop_assert_eq!(page, at);
                prop_assert!(levels.is_interior(page));
                at = page.child(slot);
                prop_assert_eq!(at.parent(), Some((page, slot)));
            }
            prop_assert_eq!(at, leaf);
            prop_assert!(!levels.is_interior(leaf));
        }
    }

    #[test]
    fn other_depths_are_refused() {
        assert_eq!(Levels::new(1), Err(LevelsError));
        assert_eq!(Levels::new(5), Err(LevelsError));
        assert_eq!(Levels::new(4).expect("allowed").leaf_pages(), 1_048_576);
    }
}
