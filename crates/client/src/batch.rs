//! AppendMessages for any number of messages: split by the limits, repeated where safe, order kept.

use std::collections::{HashSet, VecDeque};

use eunoe_proto::chat::{Ack, AppendMessagesRequest, AppendResult, MessageInput, append_result};
use eunoe_types::{Outcome, limits};
use prost::Message as _;

use crate::client::chat;
use crate::retry::{Attempts, Repeat};
use crate::{Client, ClientError, request_id};

/// Tag and length in front of each message, and the tenant's field, at most.
const FRAMING_BYTES: usize = 16;

impl Client {
    /// Adds messages, in any number of calls. The results are in the order of `messages`. One that is refused
    /// refuses the later ones of its conversation (`EARLIER_REFUSED`), so that repeating them cannot reorder.
    pub async fn append_many(&self, mut messages: Vec<MessageInput>) -> Vec<Result<Ack, ClientError>> {
        messages
            .iter_mut()
            .for_each(|message| request_id::ensure(&mut message.request_id));
        let mut batch = Batch::new(&messages);
        let mut attempts = Attempts::within(self.timeouts().call);
        while let Some(chunk) = batch.next_chunk() {
            let again = match self.append_chunk(&messages, &chunk).await {
                Ok(results) if results.len() == chunk.len() => batch.settle(&chunk, results),
                Ok(_) => {
                    return batch.fail_rest(
                        &chunk,
                        &ClientError::contract("one result for each message is missing"),
                    );
                }
                Err(error) => return batch.fail_rest(&chunk, &error),
            };
            if batch.take_progress() {
                attempts = Attempts::within(self.timeouts().call);
            }
            let Some(error) = again else { continue };
            match attempts.pause_after(&error, Repeat::Safe) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return batch.fail_rest(&[], &error),
            }
        }
        batch.into_results()
    }

    async fn append_chunk(
        &self,
        messages: &[MessageInput],
        chunk: &[usize],
    ) -> Result<Vec<AppendResult>, ClientError> {
        let messages = chunk.iter().map(|&index| messages[index].clone()).collect();
        let request = AppendMessagesRequest {
            tenant: self.tenant().to_owned(),
            messages,
        };
        let rpc = |channel, request| async move { chat(channel).append_messages(request).await };
        Ok(self.call(Repeat::Safe, request, rpc).await?.results)
    }
}

/// Which messages are stored, refused or still to be sent.
struct Batch<'a> {
    messages: &'a [MessageInput],
    waiting: VecDeque<usize>,
    results: Vec<Option<Result<Ack, ClientError>>>,
    /// Whether an attempt with an unknown outcome went before.
    doubtful: Vec<bool>,
    refused: HashSet<&'a str>,
    progress: bool,
}

impl<'a> Batch<'a> {
    fn new(messages: &'a [MessageInput]) -> Self {
        let count = messages.len();
        Self {
            messages,
            waiting: (0..count).collect(),
            results: vec![None; count],
            doubtful: vec![false; count],
            refused: HashSet::new(),
            progress: false,
        }
    }

    /// The next messages that fit one call; nothing when all have a result.
    fn next_chunk(&mut self) -> Option<Vec<usize>> {
        let (mut chunk, mut bytes) = (Vec::new(), FRAMING_BYTES + limits::TENANT_BYTES_MAX);
        while let Some(&index) = self.waiting.front() {
            let message = &self.messages[index];
            if self.refused.contains(message.conversation_id.as_str()) {
                self.results[index] = Some(Err(ClientError::earlier_refused(self.doubtful[index])));
                self.waiting.pop_front();
                continue;
            }
            bytes += message.encoded_len() + FRAMING_BYTES;
            let full = chunk.len() == limits::BATCH_MESSAGES_MAX || bytes > limits::BATCH_BYTES_MAX;
            // A message that is too large by itself goes alone: the server's refusal names its field.
            if full && !chunk.is_empty() {
                break;
            }
            self.waiting.pop_front();
            chunk.push(index);
        }
        (!chunk.is_empty()).then_some(chunk)
    }

    /// Takes the results of a chunk; returns the error to pause for when some have to be sent again.
    fn settle(&mut self, chunk: &[usize], results: Vec<AppendResult>) -> Option<ClientError> {
        let (mut again, mut again_conversations) = (VecDeque::new(), HashSet::new());
        let mut cause = None;
        for (&index, result) in chunk.iter().zip(results) {
            let conversation = self.messages[index].conversation_id.as_str();
            match acked(result) {
                Ok(ack) => {
                    self.progress = true;
                    self.results[index] = Some(Ok(ack));
                }
                Err(error) if self.refused.contains(conversation) => self.refuse(index, error),
                Err(error) if again_conversations.contains(conversation) || error.is_retryable() => {
                    self.doubtful[index] |= error.outcome == Outcome::Unknown;
                    again_conversations.insert(conversation);
                    again.push_back(index);
                    cause.get_or_insert(error);
                }
                Err(error) => {
                    self.refused.insert(conversation);
                    self.refuse(index, error);
                }
            }
        }
        again.append(&mut self.waiting);
        self.waiting = again;
        cause
    }

    fn refuse(&mut self, index: usize, error: ClientError) {
        let error = if self.doubtful[index] {
            error.with_outcome(Outcome::Unknown)
        } else {
            error
        };
        self.results[index] = Some(Err(error));
    }

    /// Ends the whole: `sent` have the error's outcome, the others have had no effect unless they are doubtful.
    fn fail_rest(mut self, sent: &[usize], error: &ClientError) -> Vec<Result<Ack, ClientError>> {
        for &index in sent {
            self.refuse(index, error.clone());
        }
        for index in std::mem::take(&mut self.waiting) {
            self.refuse(index, error.clone().with_outcome(Outcome::NoEffect));
        }
        self.into_results()
    }

    fn take_progress(&mut self) -> bool {
        std::mem::take(&mut self.progress)
    }

    fn into_results(self) -> Vec<Result<Ack, ClientError>> {
        self.results
            .into_iter()
            .map(|result| result.expect("every message was sent or refused"))
            .collect()
    }
}

/// Reads one result of a batch or stream.
pub(crate) fn acked(result: AppendResult) -> Result<Ack, ClientError> {
    match result.result {
        Some(append_result::Result::Ack(ack)) => Ok(ack),
        Some(append_result::Result::Error(status)) => Err(ClientError::from_rpc(&status)),
        None => Err(ClientError::contract("a result is neither an ack nor an error")),
    }
}

#[cfg(test)]
mod tests {
    use eunoe_proto::chat::ParticipantKind;

    use super::*;
    use crate::input;

    fn message(conversation: &str, bytes: usize) -> MessageInput {
        let author = input::participant(ParticipantKind::Visitor, "visitor/1");
        input::text_message(conversation, author, "support", "x".repeat(bytes))
    }

    #[test]
    fn chunks_respect_both_limits_and_keep_the_order() {
        let small: Vec<_> = (0..2_500).map(|_| message("a", 10)).collect();
        let mut batch = Batch::new(&small);
        let sizes: Vec<_> = std::iter::from_fn(|| batch.next_chunk())
            .map(|chunk| chunk.len())
            .collect();
        assert_eq!(sizes, [1_000, 1_000, 500]);

        let large: Vec<_> = (0..40).map(|_| message("a", 250 * 1024)).collect();
        let mut batch = Batch::new(&large);
        let chunks: Vec<_> = std::iter::from_fn(|| batch.next_chunk()).collect();
        assert_eq!(chunks.concat(), (0..40).collect::<Vec<_>>());
        for chunk in chunks {
            let messages = chunk.iter().map(|&index| large[index].clone()).collect();
            let request = AppendMessagesRequest {
                tenant: "t".repeat(limits::TENANT_BYTES_MAX),
                messages,
            };
            assert!(request.encoded_len() <= limits::BATCH_BYTES_MAX);
        }
    }

    #[test]
    fn an_oversized_message_goes_alone() {
        let messages = [message("a", 10), message("a", 5 * 1024 * 1024), message("a", 10)];
        let mut batch = Batch::new(&messages);
        let chunks: Vec<_> = std::iter::from_fn(|| batch.next_chunk()).collect();
        assert_eq!(chunks, [vec![0], vec![1], vec![2]]);
    }
}
