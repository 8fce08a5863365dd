//! The key tree (erasure.md §4.2): pages of page keys under the epoch root, rows under the leaf pages.

#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod genesis;
mod meta;
mod page;
mod page_id;
mod row;

pub use genesis::Genesis;
pub use meta::MetaPage;
pub use page::{ChildKeys, OpenedPage, PageKeys};
pub use page_id::{ARITY, LeafName, Levels, LevelsError, PageId, Tree};
pub use row::{OpenedRow, RowHeader, RowTag};
