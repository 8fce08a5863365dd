//! What somebody learns who carries a node's files away: every sealed page and row that was ever written there, and
//! what roots open of them, each generation with each key that was found.

mod files;

pub use files::{Carried, Key, copy_dir, roots};
