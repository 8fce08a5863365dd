//! What a stream has sent or will send and that has no answer yet, in order. No I/O.

use std::collections::{HashSet, VecDeque};

use eunoe_proto::chat::{Ack, AppendResult, MessageInput, StreamAppendRequest};
use eunoe_types::Outcome;
use tokio::sync::oneshot;

use super::Room;
use crate::ClientError;
use crate::batch::acked;

/// A message and who waits for its ack.
pub(crate) struct Entry {
    message: MessageInput,
    answer: oneshot::Sender<Result<Ack, ClientError>>,
    sent: bool,
    _room: Room,
}

impl Entry {
    pub(super) fn new(
        message: MessageInput,
        answer: oneshot::Sender<Result<Ack, ClientError>>,
        room: Room,
    ) -> Self {
        Self {
            message,
            answer,
            sent: false,
            _room: room,
        }
    }

    fn answer(self, result: Result<Ack, ClientError>) {
        // Whoever waited may have lost interest.
        let _ = self.answer.send(result);
    }

    fn fail(self, error: &ClientError) {
        let outcome = if self.sent {
            error.outcome
        } else {
            Outcome::NoEffect
        };
        self.answer(Err(error.clone().with_outcome(outcome)));
    }
}

/// The unanswered messages of a stream.
#[derive(Default)]
pub(super) struct Queue {
    entries: VecDeque<Entry>,
    refused: HashSet<String>,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes a new message, or refuses it because an earlier one of its conversation was refused.
    pub(super) fn admit(&mut self, entry: Entry) -> bool {
        if self.refused.contains(&entry.message.conversation_id) {
            entry.answer(Err(ClientError::earlier_refused(false)));
            return false;
        }
        self.entries.push_back(entry);
        true
    }

    /// The requests for a new connection: all that is unanswered, in order.
    pub(super) fn resend(&mut self) -> Vec<StreamAppendRequest> {
        let (held_back, entries) = std::mem::take(&mut self.entries)
            .into_iter()
            .partition::<VecDeque<_>, _>(|entry| self.refused.contains(&entry.message.conversation_id));
        // The new connection knows nothing of the refusal and would store them.
        held_back.into_iter().for_each(|entry| {
            let error = ClientError::earlier_refused(entry.sent);
            entry.answer(Err(error));
        });
        self.entries = entries;
        self.entries.iter_mut().map(request).collect()
    }

    /// The request for the message that was admitted last.
    pub(super) fn newest(&mut self) -> Option<StreamAppendRequest> {
        self.entries.back_mut().map(request)
    }

    /// Gives the oldest message its result. An error that another attempt may heal is returned, and the message stays.
    pub(super) fn settle(&mut self, result: AppendResult) -> Result<(), ClientError> {
        let Some(oldest) = self.entries.front() else {
            return Err(ClientError::interrupted("the node answered what was not asked"));
        };
        let conversation = oldest.message.conversation_id.clone();
        let result = acked(result);
        if let Err(error) = &result {
            if error.is_retryable() && !self.refused.contains(&conversation) {
                return Err(error.clone());
            }
            self.refused.insert(conversation);
        }
        if let Some(entry) = self.entries.pop_front() {
            entry.answer(result);
        }
        Ok(())
    }

    /// Gives up on everything.
    pub(super) fn fail_all(&mut self, error: &ClientError) {
        self.entries.drain(..).for_each(|entry| entry.fail(error));
    }
}

fn request(entry: &mut Entry) -> StreamAppendRequest {
    entry.sent = true;
    StreamAppendRequest {
        tenant: String::new(),
        message: Some(entry.message.clone()),
    }
}
