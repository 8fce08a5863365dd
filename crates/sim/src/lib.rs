//! A cluster in one thread, and what is asked of it.
//!
//! [`history`] is what clients saw, written down by whoever runs them. [`oracle`] says whether that was right: it knows
//! the promises of the interface and nothing of how they are kept.
#![forbid(unsafe_code)]

pub mod history;
pub mod oracle;
pub mod world;
