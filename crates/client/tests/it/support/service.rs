//! The misbehaving `ChatService`.

use std::collections::HashSet;
use std::sync::Arc;

use eunoe_proto::chat::chat_service_server::ChatService;
use eunoe_proto::chat::tail_conversation_request::Start;
use eunoe_proto::chat::tail_conversation_response::Event;
use eunoe_proto::chat::*;
use futures::stream::{self, BoxStream, StreamExt as _};
use tonic::{Code, Request, Response, Status, Streaming};

use super::{State, message_with_seq, status};

pub(crate) struct Chat {
    pub(crate) state: Arc<State>,
}

fn error_result(status: &Status) -> AppendResult {
    let error = tonic_types::pb::Status {
        code: status.code() as i32,
        message: status.message().to_owned(),
        details: prost_details(status),
    };
    AppendResult {
        result: Some(append_result::Result::Error(error)),
    }
}

fn prost_details(status: &Status) -> Vec<prost_types::Any> {
    use prost::Message as _;
    tonic_types::pb::Status::decode(status.details()).unwrap().details
}

fn ack_result(ack: Ack) -> AppendResult {
    AppendResult {
        result: Some(append_result::Result::Ack(ack)),
    }
}

fn refused_earlier() -> Status {
    status(Code::Aborted, "EARLIER_REFUSED", "no_effect", None)
}

/// Takes messages as a call or stream does: one that is refused refuses the later ones of its conversation.
struct Order {
    state: Arc<State>,
    call: usize,
    refused: HashSet<String>,
}

impl Order {
    fn new(state: &Arc<State>) -> Self {
        Self {
            state: Arc::clone(state),
            call: state.next_call(),
            refused: HashSet::new(),
        }
    }

    /// `Err` breaks the stream.
    fn take(&mut self, message: MessageInput) -> Result<AppendResult, Status> {
        let conversation = message.conversation_id.clone();
        if self.refused.contains(&conversation) {
            return Ok(error_result(&refused_earlier()));
        }
        match self.state.take(self.call, message) {
            Ok(ack) => Ok(ack_result(ack)),
            Err((status, true)) => Err(status),
            Err((status, false)) => {
                self.refused.insert(conversation);
                Ok(error_result(&status))
            }
        }
    }
}

#[tonic::async_trait]
impl ChatService for Chat {
    async fn append_message(
        &self,
        request: Request<AppendMessageRequest>,
    ) -> Result<Response<AppendMessageResponse>, Status> {
        self.state
            .deadlines
            .lock()
            .unwrap()
            .push(request.metadata().contains_key("grpc-timeout"));
        let message = request.into_inner().message.unwrap();
        let call = self.state.next_call();
        let ack = self.state.take(call, message).map_err(|(status, _)| status)?;
        Ok(Response::new(AppendMessageResponse { ack: Some(ack) }))
    }

    async fn append_messages(
        &self,
        request: Request<AppendMessagesRequest>,
    ) -> Result<Response<AppendMessagesResponse>, Status> {
        let mut order = Order::new(&self.state);
        let messages = request.into_inner().messages;
        let results = messages
            .into_iter()
            .map(|message| order.take(message))
            .collect::<Result<_, _>>()?;
        Ok(Response::new(AppendMessagesResponse { results }))
    }

    type StreamAppendStream = BoxStream<'static, Result<StreamAppendResponse, Status>>;

    async fn stream_append(
        &self,
        request: Request<Streaming<StreamAppendRequest>>,
    ) -> Result<Response<Self::StreamAppendStream>, Status> {
        let state = (Order::new(&self.state), Some(request.into_inner()));
        let answers = stream::unfold(state, |(mut order, requests)| async move {
            let mut requests = requests?;
            let message = requests.message().await.ok()??.message.unwrap();
            Some(match order.take(message) {
                Ok(result) => (
                    Ok(StreamAppendResponse { result: Some(result) }),
                    (order, Some(requests)),
                ),
                Err(status) => (Err(status), (order, None)),
            })
        });
        Ok(Response::new(answers.boxed()))
    }

    type TailConversationStream = BoxStream<'static, Result<TailConversationResponse, Status>>;

    async fn tail_conversation(
        &self,
        request: Request<TailConversationRequest>,
    ) -> Result<Response<Self::TailConversationStream>, Status> {
        let start = match request.into_inner().start {
            Some(Start::AfterSeq(seq)) => format!("seq:{seq}"),
            Some(Start::Position(position)) => position,
            None => "now".to_owned(),
        };
        self.state.tail_starts.lock().unwrap().push(start);
        let Some(seqs) = self.state.tails.lock().unwrap().pop_front() else {
            let event = Some(Event::Closed(ConversationClosed::default()));
            let last = TailConversationResponse {
                event,
                position: "end".to_owned(),
            };
            return Ok(Response::new(stream::iter([Ok(last)]).boxed()));
        };
        let events = seqs.into_iter().map(|seq| {
            let event = Some(match seq {
                0 => Event::Erased(ContentErased::default()),
                seq => Event::Message(message_with_seq(seq)),
            });
            Ok(TailConversationResponse {
                event,
                position: format!("position:{seq}"),
            })
        });
        let broken = stream::iter([Err(Status::unavailable("broken"))]);
        Ok(Response::new(
            stream::iter(events.collect::<Vec<_>>()).chain(broken).boxed(),
        ))
    }

    async fn get_conversation(
        &self,
        _: Request<GetConversationRequest>,
    ) -> Result<Response<GetConversationResponse>, Status> {
        let head_seq = self.state.stored.lock().unwrap().len() as u64;
        let conversation = Some(Conversation {
            head_seq,
            ..Default::default()
        });
        Ok(Response::new(GetConversationResponse { conversation }))
    }

    async fn list_messages(
        &self,
        request: Request<ListMessagesRequest>,
    ) -> Result<Response<ListMessagesResponse>, Status> {
        let request = request.into_inner();
        let stored = self.state.stored.lock().unwrap();
        let first: usize = request.page_token.parse().unwrap_or(0);
        let last = (first + request.page_size as usize).min(stored.len());
        let messages = (first..last)
            .map(|index| message_with_seq(index as u64 + 1))
            .collect();
        let next_page_token = if last < stored.len() {
            last.to_string()
        } else {
            String::new()
        };
        Ok(Response::new(ListMessagesResponse {
            messages,
            next_page_token,
            ..Default::default()
        }))
    }

    async fn create_conversation(
        &self,
        request: Request<CreateConversationRequest>,
    ) -> Result<Response<CreateConversationResponse>, Status> {
        let id = request.into_inner().request_id;
        let conversation = Some(Conversation {
            id,
            ..Default::default()
        });
        Ok(Response::new(CreateConversationResponse {
            conversation,
            created: true,
        }))
    }

    async fn list_conversations(
        &self,
        _: Request<ListConversationsRequest>,
    ) -> Result<Response<ListConversationsResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn close_conversation(
        &self,
        _: Request<CloseConversationRequest>,
    ) -> Result<Response<CloseConversationResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_message(
        &self,
        _: Request<GetMessageRequest>,
    ) -> Result<Response<GetMessageResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn typing(&self, _: Request<TypingRequest>) -> Result<Response<TypingResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}
