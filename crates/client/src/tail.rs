//! A tail that outlives its node: resumes from the last position on another one, without gap or repeat.

use eunoe_proto::chat::tail_conversation_request::Start;
use eunoe_proto::chat::tail_conversation_response::Event;
use eunoe_proto::chat::{
    ConversationName, Message, TailConversationRequest, TailConversationResponse, TypingNotice,
};
use futures::stream::{self, Stream};
use prost_types::Timestamp;

use crate::client::chat;
use crate::resumed::Resumed;
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
    stream: Resumed<TailConversationResponse>,
    request: TailConversationRequest,
    last_seq: Option<u64>,
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
        Ok(Tail {
            stream: Resumed::new(self.clone()),
            request,
            last_seq,
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
                    if let Err(error) = self.stream.recover(error).await {
                        self.ended = true;
                        return Some(Err(error));
                    }
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
        let rpc = |connection, request| async move { chat(connection).tail_conversation(request).await };
        let response = self.stream.receive(&self.request, rpc).await?;
        self.accept(response)
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
        self.stream.goes_on();
        Ok(event)
    }
}
