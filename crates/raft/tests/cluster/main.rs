//! Clusters in one process, with connections that can be cut and nodes that crash.
#![allow(clippy::unwrap_used, missing_docs)]

mod failures;
mod leaders;
mod log_bounds;
mod members;
mod restart;
#[cfg(feature = "sabotage")]
mod sabotage;
mod seeded;
mod support;
mod unreachable;
