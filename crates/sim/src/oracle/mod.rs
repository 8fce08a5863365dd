//! Whether what clients saw was right. Pure: a history in, violations out, each with the calls that prove it.
//!
//! [`check`] is near-linear in the history: places in a conversation are given by the server, so that an order need not
//! be searched. [`search::explain`] knows nothing of that and searches; it is for small histories, and both must agree.

mod attempts;
mod facts;
mod fences;
mod gather;
mod ladder;
pub mod liveness;
mod order;
mod pages;
mod refusals;
pub mod search;
mod tails;
mod unseen;
mod violation;

pub use violation::{Kind, Violation};

use crate::history::{Chat, History, Tick};
use attempts::Attempts;
use facts::Facts;

/// Everything that is wrong with a history. Empty: all promises were kept, as far as clients saw.
pub fn check(history: &History) -> Vec<Violation> {
    check_deaf(history, 0)
}

/// The same, of nodes that may not have heard of a fence for `deaf_max` ticks after it was answered: a node that is cut
/// off takes appends, which nobody will read, until its key lease is over.
pub fn check_deaf(history: &History, deaf_max: Tick) -> Vec<Violation> {
    let attempts = Attempts::of(history, deaf_max);
    let mut found = Vec::new();
    for (_, facts) in gather::by_chat(history, &mut found) {
        check_chat(&facts, &attempts, &mut found);
    }
    ladder::check(history, &mut found);
    found
}

fn check_chat(facts: &Facts<'_>, attempts: &Attempts<'_>, found: &mut Vec<Violation>) {
    let before = found.len();
    pages::check(facts, found);
    // Where messages have no order, nothing can be said about when they were seen.
    if found.len() == before {
        order::check(facts, found);
    }
    tails::check(facts, attempts, found);
    refusals::check(facts, attempts, found);
    fences::check(facts, attempts, found);
}

/// What is wrong with one conversation, of what [`search`] can find too: orders, pages, closing and fences.
pub fn check_one(history: &History, chat: Chat) -> Vec<Violation> {
    let attempts = Attempts::of(history, 0);
    let mut found = Vec::new();
    if let Some(facts) = gather::by_chat(history, &mut found).remove(&chat) {
        check_chat(&facts, &attempts, &mut found);
    }
    found
}
