//! `eunoe witness` as a real process: what it cosigns, what it never cosigns, and what it remembers.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod cosigns;
mod https;
mod refuses;
mod remembers;
mod world;
