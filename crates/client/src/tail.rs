//! A tail that outlives its node: resumes from the last position on another one, without gap or repeat.

use eunoe_proto::chat::tail_conversation_request::Start;
use eunoe_proto::chat::tail_conversation_response::Event;
use eunoe_proto::chat::{
    ConversationName, Message, TailConversationRequest, TailConversationResponse, TypingNotice,
};
use futures::stream::{self, Stream};
use prost_types::Timestamp;
use tonic::Streaming;

use crate::channels::Leased;
use crate::client::chat;
use crate::retry::{Attempts, Repeat};
use crate::{Client, ClientError};

/// Where a tail begins.
#[derive(Clone)]
pub enum TailStart {
    /// After the present last message.
    Now,
    /// After the message with this sequence number (0: from the first).
    AfterSeq(u64),
    /// After a position from an ack, a page or a tail.
    Position(String),
}

/// What a tail tells.
#[derive(Clone)]
pub enum TailEvent {
    /// The next message.
    Message(Box<Message>),
    /// The conversation was closed, and the tail ends.
    Closed(Option<Timestamp>),
    /// Somebody types, or stopped.
    Typing(TypingNotice),
    /// Something of the conversation was erased: what the caller keeps of it must go as well. Told again after a
    /// reconnection when the node cannot know that it was told before.
    Erased,
}

/// See [`Client::tail`].
pub struct Tail {
    client: Client,
    request: TailConversationRequest,
    last_seq: Option<u64>,
    open: Option<(Leased, Streaming<TailConversationResponse>)>,
    attempts: Option<Attempts>,
    avoid: Option<usize>,
    ended: bool,
}

impl Client {
    /// Follows a conversation.
    pub async fn tail(
        &self,
        conversation: ConversationName,
        purpose: &str,
        start: TailStart,
    ) -> Result<Tail, ClientError> {
        let (start, last_seq) = match start {
            // "Now" is made a number here: left to the server, a connection lost before the first event would
            // move it.
            TailStart::Now => {
                let head = self
                    .get_conversation(conversation.clone(), purpose)
                    .await?
                    .head_seq;
                (Start::AfterSeq(head), Some(head))
            }
            TailStart::AfterSeq(seq) => (Start::AfterSeq(seq), Some(seq)),
            TailStart::Position(position) => (Start::Position(position), None),
        };
        let request = TailConversationRequest {
            tenant: self.tenant().to_owned(),
            conversation: Some(conversation),
            purpose: purpose.to_owned(),
            start: Some(start),
        };
        let (client, open, attempts, avoid) = (self.clone(), None, None, None);
        Ok(Tail {
            client,
            request,
            last_seq,
            open,
            attempts,
            avoid,
            ended: false,
        })
    }
}

impl Tail {
    /// The next event; nothing after the conversation was closed or an error was returned. Dropping the future
    /// loses nothing.
    pub async fn next(&mut self) -> Option<Result<TailEvent, ClientError>> {
        while !self.ended {
            match self.step().await {
                Ok(Some(event)) => {
                    self.ended = matches!(event, TailEvent::Closed(_));
                    return Some(Ok(event));
                }
                Ok(None) => {}
                Err(error) => {
                    self.avoid = self.open.take().map(|(leased, _)| leased.node).or(self.avoid);
                    let attempts = self
                        .attempts
                        .get_or_insert_with(|| Attempts::within(self.client.timeouts().call));
                    let Some(pause) = attempts.pause_after(&error, Repeat::Safe) else {
                        self.ended = true;
                        return Some(Err(error));
                    };
                    tokio::time::sleep(pause).await;
                }
            }
        }
        None
    }

    /// The events as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Result<TailEvent, ClientError>> + Send {
        stream::unfold(self, |mut tail| async move {
            tail.next().await.map(|event| (event, tail))
        })
    }

    /// Resume point after the last event, once there was one or the tail began with one.
    pub fn position(&self) -> Option<&str> {
        match &self.request.start {
            Some(Start::Position(position)) => Some(position),
            Some(Start::AfterSeq(_)) | None => None,
        }
    }

    /// Takes one response; nothing when it was no event for the caller.
    async fn step(&mut self) -> Result<Option<TailEvent>, ClientError> {
        if self.open.is_none() {
            self.open = Some(self.connect().await?);
        }
        let Some((leased, stream)) = &mut self.open else {
            return Ok(None);
        };
        let silence = self.client.timeouts().tail_silence;
        match tokio::time::timeout(silence, stream.message()).await {
            Ok(Ok(Some(response))) => self.accept(response),
            Ok(Ok(None)) => Err(ClientError::interrupted("the node ended the stream")),
            Ok(Err(status)) => Err(self.client.judge(leased, status).await),
            Err(_) => Err(ClientError::interrupted("the node fell silent")),
        }
    }

    async fn connect(&self) -> Result<(Leased, Streaming<TailConversationResponse>), ClientError> {
        let limit = self.client.timeouts().attempt;
        let leased = self.client.lease(&Attempts::within(limit), self.avoid).await?;
        // No deadline is sent: the stream has none; silence is what ends it.
        let mut stub = chat(leased.channel.clone());
        let request = self.client.request(self.request.clone());
        let opened = tokio::time::timeout(limit, stub.tail_conversation(request)).await;
        match opened {
            Ok(Ok(response)) => Ok((leased, response.into_inner())),
            Ok(Err(status)) => Err(self.client.judge(&leased, status).await),
            Err(_) => {
                self.client.channels().broken(&leased).await;
                Err(ClientError::attempt_timed_out())
            }
        }
    }

    fn accept(&mut self, response: TailConversationResponse) -> Result<Option<TailEvent>, ClientError> {
        let event = match response.event {
            Some(Event::Message(message)) => {
                if self.last_seq.is_some_and(|last| message.seq <= last) {
                    return Ok(None);
                }
                if self.last_seq.is_some_and(|last| message.seq > last + 1) {
                    return Err(ClientError::interrupted("the node left out a message"));
                }
                self.last_seq = Some(message.seq);
                Some(TailEvent::Message(Box::new(message)))
            }
            Some(Event::Closed(closed)) => Some(TailEvent::Closed(closed.time)),
            Some(Event::Typing(notice)) => Some(TailEvent::Typing(notice)),
            Some(Event::Erased(_)) => Some(TailEvent::Erased),
            Some(Event::Heartbeat(_)) | None => None,
        };
        if !response.position.is_empty() {
            self.request.start = Some(Start::Position(response.position));
        }
        self.attempts = None;
        Ok(event)
    }
}
