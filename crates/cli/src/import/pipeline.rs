//! From parsed lines to stored messages: conversations are opened many at a time, their messages sent in large
//! batches, several in flight. A conversation is never in two batches at once, which is what keeps its order.

use std::mem;
use std::sync::Arc;

use eunoe_client::types::{MessageInput, part};
use eunoe_client::{Client, ClientError};
use eunoe_types::limits;
use tokio::sync::mpsc::Receiver;
use tokio::task::{JoinError, JoinSet};

use super::chat::Chat;
use super::tally::Tally;
use crate::failure::Failure;

/// Conversations that are being opened at a time.
const OPENING_MAX: usize = 64;
/// Batches on their way at a time.
const BATCHES_MAX: usize = 8;
/// Messages that the last conversation of a batch has, most of the time at most.
const LAST_CONVERSATION_MESSAGES: usize = 50;
/// What a message takes beside its text, roughly; the SDK splits by the exact size.
const MESSAGE_OVERHEAD_BYTES: usize = 160;

/// An import on its way.
pub(super) struct Pipeline {
    client: Client,
    purpose: Arc<str>,
    tally: Arc<Tally>,
    opening: JoinSet<Result<Opened, Failure>>,
    sending: JoinSet<Result<(), Failure>>,
    filling: Batch,
}

/// A conversation that is open, with its messages.
struct Opened {
    line: u64,
    messages: Vec<MessageInput>,
}

/// Messages for one task, and the line of each.
#[derive(Default)]
struct Batch {
    messages: Vec<MessageInput>,
    lines: Vec<u64>,
    bytes: usize,
}

impl Pipeline {
    pub(super) fn new(client: Client, purpose: String, tally: Arc<Tally>) -> Self {
        Self {
            client,
            purpose: purpose.into(),
            tally,
            opening: JoinSet::new(),
            sending: JoinSet::new(),
            filling: Batch::default(),
        }
    }

    /// Imports what comes until nothing more does, or until something fails. Everything that was begun has
    /// ended when this returns.
    pub(super) async fn run(mut self, mut chats: Receiver<Chat>) -> Result<(), Failure> {
        let result = self.drive(&mut chats).await;
        if result.is_err() {
            // The reader stops when nobody takes its lines.
            chats.close();
            self.opening.shutdown().await;
            self.sending.shutdown().await;
        }
        result
    }

    async fn drive(&mut self, chats: &mut Receiver<Chat>) -> Result<(), Failure> {
        let mut more = true;
        while more || !self.opening.is_empty() {
            tokio::select! {
                chat = chats.recv(), if more && self.opening.len() < OPENING_MAX => match chat {
                    Some(chat) => self.open(chat),
                    None => more = false,
                },
                Some(opened) = self.opening.join_next() => {
                    self.filling.add(joined(opened)?);
                    if self.filling.is_full() {
                        self.send().await?;
                    }
                }
                Some(sent) = self.sending.join_next() => joined(sent)?,
            }
        }
        self.send().await?;
        while let Some(sent) = self.sending.join_next().await {
            joined(sent)?;
        }
        Ok(())
    }

    fn open(&mut self, chat: Chat) {
        let (client, purpose, tally) = (
            self.client.clone(),
            Arc::clone(&self.purpose),
            Arc::clone(&self.tally),
        );
        self.opening.spawn(async move {
            let line = chat.line;
            let created = client
                .create_conversation(chat.create_request(&purpose))
                .await
                .map_err(|error| at_line(line, error))?;
            if created.created {
                tally.conversation_created();
            }
            let messages = chat.into_messages(&created.conversation.id, &purpose);
            Ok(Opened { line, messages })
        });
    }

    /// Sends the batch that is being filled, once there is room for it.
    async fn send(&mut self) -> Result<(), Failure> {
        while self.sending.len() >= BATCHES_MAX
            && let Some(sent) = self.sending.join_next().await
        {
            joined(sent)?;
        }
        let batch = mem::take(&mut self.filling);
        let (client, tally) = (self.client.clone(), Arc::clone(&self.tally));
        self.sending.spawn(async move {
            let results = client.append_many(batch.messages).await;
            let mut failure = None;
            for (line, result) in batch.lines.into_iter().zip(results) {
                match result {
                    Ok(ack) => tally.message_acked(ack.replayed),
                    Err(error) if failure.is_none() => failure = Some(at_line(line, error)),
                    Err(_) => {}
                }
            }
            failure.map_or(Ok(()), Err)
        });
        Ok(())
    }
}

impl Batch {
    fn add(&mut self, opened: Opened) {
        self.lines.extend(opened.messages.iter().map(|_| opened.line));
        self.bytes += opened.messages.iter().map(size).sum::<usize>();
        self.messages.extend(opened.messages);
    }

    /// A batch ends with a whole conversation; the room that is left for the last one makes it a single call
    /// most of the time.
    fn is_full(&self) -> bool {
        self.messages.len() >= limits::BATCH_MESSAGES_MAX - LAST_CONVERSATION_MESSAGES
            || self.bytes >= limits::BATCH_BYTES_MAX / 2
    }
}

fn size(message: &MessageInput) -> usize {
    let text = message.parts.iter().map(|part| match &part.content {
        Some(part::Content::Text(text)) => text.len(),
        _ => 0,
    });
    MESSAGE_OVERHEAD_BYTES + text.sum::<usize>()
}

fn at_line(line: u64, error: ClientError) -> Failure {
    let place = format!("line {line}: ");
    Failure::Client { place, error }
}

fn joined<T>(result: Result<Result<T, Failure>, JoinError>) -> Result<T, Failure> {
    result.unwrap_or_else(|error| Err(Failure::io("finish a part of the import", &error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(line: u64, turns: usize, bytes: usize) -> Opened {
        let turn = format!(r#"{{"from":"visitor","text":"{}"}}"#, "x".repeat(bytes));
        let turns = vec![turn; turns].join(",");
        let text = format!(r#"{{"id":"t-{line}","turns":[{turns}]}}"#);
        let chat = Chat::parse(line, text.as_bytes()).unwrap();
        let messages = chat.into_messages("c", "support");
        Opened { line, messages }
    }

    #[test]
    fn a_batch_knows_the_line_of_each_message() {
        let mut batch = Batch::default();
        batch.add(opened(3, 2, 5));
        batch.add(opened(9, 1, 5));
        assert_eq!(batch.lines, [3, 3, 9]);
        assert_eq!(batch.messages.len(), 3);
        assert!(!batch.is_full());
    }

    #[test]
    fn many_messages_or_many_bytes_fill_a_batch() {
        let mut many = Batch::default();
        many.add(opened(1, limits::BATCH_MESSAGES_MAX, 1));
        assert!(many.is_full());
        let mut large = Batch::default();
        large.add(opened(1, 9, limits::MESSAGE_BYTES_MAX));
        assert!(large.is_full());
    }
}
