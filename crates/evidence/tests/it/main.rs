//! The formats, their strictness, and what other people's programs say of the same bytes.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod bit_flips;
mod foreign;
mod golden;
mod json;
mod limits;
mod monitors;
mod notes;
mod policies;
mod proofs;
mod receipts;
mod story;
mod tiles;
mod witness;
mod world;
