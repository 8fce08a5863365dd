//! What an import has done so far.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters that reader and workers share.
#[derive(Default)]
pub(super) struct Tally {
    conversations: AtomicU64,
    messages: AtomicU64,
    already_stored: AtomicU64,
    skipped: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Counts {
    /// Conversations that this import created.
    pub(super) conversations: u64,
    /// Messages that this import added.
    pub(super) messages: u64,
    /// Messages that an earlier import had added.
    pub(super) already_stored: u64,
    /// Malformed lines.
    pub(super) skipped: u64,
}

impl Tally {
    pub(super) fn conversation_created(&self) {
        self.conversations.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn line_skipped(&self) {
        self.skipped.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn message_acked(&self, replayed: bool) {
        let counter = if replayed {
            &self.already_stored
        } else {
            &self.messages
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            conversations: self.conversations.load(Ordering::Relaxed),
            messages: self.messages.load(Ordering::Relaxed),
            already_stored: self.already_stored.load(Ordering::Relaxed),
            skipped: self.skipped.load(Ordering::Relaxed),
        }
    }
}
