//! What somebody learns who carries a node's files away: every sealed page and row that was ever written there, and
//! what a root opens of them, each generation with each key that was found.

mod files;
mod reach;
mod sealed;

pub use files::{Carried, Key};
pub use reach::Reached;
pub use sealed::Sealed;
