//! `eunoe.chat.v1.ChatService`.

use eunoe_proto::chat::chat_service_server::ChatService;
use eunoe_proto::chat::{
    self as proto, get_message_request, list_messages_request, tail_conversation_request,
};
use eunoe_types::Seq;
use futures::StreamExt;
use futures::stream::BoxStream;
use tonic::{Request, Response, Status, Streaming};

use super::appending::{self, AppendStream};
use super::status::{Faults, to_status};
use super::{auth, convert, input};
use crate::edge::{
    ApiError, ApiResult, Edge, MessageRef, PageRequest, PageStart, Position, TailEvent, TailStart,
};

/// The chat service of one node.
#[derive(Clone)]
pub struct Chat {
    edge: Edge,
    faults: Faults,
}

type Answers<T> = BoxStream<'static, Result<T, Status>>;

impl Chat {
    /// Serves `edge`.
    pub fn new(edge: Edge, faults: Faults) -> Self {
        Self { edge, faults }
    }

    async fn create(
        &self,
        request: Request<proto::CreateConversationRequest>,
    ) -> ApiResult<proto::CreateConversationResponse> {
        let caller = auth::caller(&request)?;
        let request = request.into_inner();
        let tenant = auth::tenant(&caller, &request.tenant)?;
        let (view, created) = self
            .edge
            .create_conversation(&tenant, input::new_conversation(request)?)
            .await?;
        Ok(proto::CreateConversationResponse {
            conversation: Some(convert::conversation(view)),
            created,
        })
    }

    async fn get(
        &self,
        request: Request<proto::GetConversationRequest>,
    ) -> ApiResult<proto::GetConversationResponse> {
        let caller = auth::caller(&request)?;
        let reader = auth::reader(&caller)?;
        let request = request.into_inner();
        let tenant = auth::tenant(&caller, &request.tenant)?;
        let name = input::conversation_name(request.conversation)?;
        let purpose = input::purpose("purpose", request.purpose)?;
        let view = self
            .edge
            .get_conversation(&tenant, &reader, &name, &purpose)
            .await?;
        Ok(proto::GetConversationResponse {
            conversation: Some(convert::conversation(view)),
        })
    }

    async fn list(
        &self,
        request: Request<proto::ListConversationsRequest>,
    ) -> ApiResult<proto::ListConversationsResponse> {
        let caller = auth::caller(&request)?;
        let reader = auth::reader(&caller)?;
        let request = request.into_inner();
        let tenant = auth::tenant(&caller, &request.tenant)?;
        let subject = input::subject("subject", request.subject)?;
        auth::only_self(&reader, "subject", &subject)?;
        let purpose = input::purpose("purpose", request.purpose)?;
        let size = input::page_size(request.page_size)?;
        let token = input::page_token(&request.page_token);
        let (page, next) = self
            .edge
            .list_conversations(&tenant, &reader, &subject, &purpose, size, token)
            .await?;
        Ok(proto::ListConversationsResponse {
            conversations: page.into_iter().map(convert::conversation).collect(),
            next_page_token: next.unwrap_or_default(),
        })
    }

    async fn close(
        &self,
        request: Request<proto::CloseConversationRequest>,
    ) -> ApiResult<proto::CloseConversationResponse> {
        let caller = auth::caller(&request)?;
        let request = request.into_inner();
        let tenant = auth::tenant(&caller, &request.tenant)?;
        let name = input::conversation_name(request.conversation)?;
        let purpose = input::purpose("purpose", request.purpose)?;
        let view = self.edge.close_conversation(&tenant, &name, &purpose).await?;
        Ok(proto::CloseConversationResponse {
            conversation: Some(convert::conversation(view)),
        })
    }

    async fn append(
        &self,
        request: Request<proto::AppendMessageRequest>,
    ) -> ApiResult<proto::AppendMessageResponse> {
        let caller = auth::caller(&request)?;
        let request = request.into_inner();
        let tenant = auth::tenant(&caller, &request.tenant)?;
        let message = request
            .message
            .ok_or_else(|| ApiError::invalid("message", "must be set"))?;
        let message = input::message(message).map_err(|error| error.within("message"))?;
        let stored = self.edge.append(&tenant, message).await;
        let ack = stored.map_err(|error| error.within("message"))?;
        Ok(proto::AppendMessageResponse {
            ack: Some(convert::ack(&ack)),
        })
    }

    async fn append_many(
        &self,
        request: Request<proto::AppendMessagesRequest>,
    ) -> ApiResult<proto::AppendMessagesResponse> {
        let caller = auth::caller(&request)?;
        let request = request.into_inner();
        let tenant = auth::tenant(&caller, &request.tenant)?;
        let results = appending::batch(&self.edge, &tenant, request.messages, &self.faults).await?;
        Ok(proto::AppendMessagesResponse { results })
    }

    async fn message(
        &self,
        request: Request<proto::GetMessageRequest>,
    ) -> ApiResult<proto::GetMessageResponse> {
        let caller = auth::caller(&request)?;
        let reader = auth::reader(&caller)?;
        let request = request.into_inner();
        let tenant = auth::tenant(&caller, &request.tenant)?;
        let name = input::conversation_name(request.conversation)?;
        let purpose = input::purpose("purpose", request.purpose)?;
        let message = message_ref(request.message)?;
        let view = self
            .edge
            .message(&tenant, &reader, &name, &message, &purpose)
            .await?;
        Ok(proto::GetMessageResponse {
            message: Some(convert::message(view)),
        })
    }

    async fn messages(
        &self,
        request: Request<proto::ListMessagesRequest>,
    ) -> ApiResult<proto::ListMessagesResponse> {
        let caller = auth::caller(&request)?;
        let reader = auth::reader(&caller)?;
        let request = request.into_inner();
        let tenant = auth::tenant(&caller, &request.tenant)?;
        let page = page_request(&request)?;
        let name = input::conversation_name(request.conversation)?;
        let purpose = input::purpose("purpose", request.purpose)?;
        let page = self
            .edge
            .messages(&tenant, &reader, &name, &purpose, page)
            .await?;
        Ok(proto::ListMessagesResponse {
            messages: page.messages.into_iter().map(convert::message).collect(),
            next_page_token: page.next.unwrap_or_default(),
            head_seq: page.head.0,
            position: page.position.encode(),
        })
    }

    async fn tail(
        &self,
        request: Request<proto::TailConversationRequest>,
    ) -> ApiResult<Answers<proto::TailConversationResponse>> {
        let caller = auth::caller(&request)?;
        let reader = auth::reader(&caller)?;
        let request = request.into_inner();
        let tenant = auth::tenant(&caller, &request.tenant)?;
        let name = input::conversation_name(request.conversation)?;
        let purpose = input::purpose("purpose", request.purpose)?;
        let start = match request.start {
            None => TailStart::Now,
            Some(tail_conversation_request::Start::AfterSeq(seq)) => TailStart::After(Seq(seq)),
            Some(tail_conversation_request::Start::Position(token)) => TailStart::Position(token),
        };
        let events = self.edge.tail(&tenant, &reader, &name, &purpose, start).await?;
        let faults = self.faults.clone();
        Ok(auth::until_expired(caller, events)
            .map(move |item| item.map(tail_event).map_err(|error| to_status(&error, &faults)))
            .boxed())
    }

    async fn relay_typing(&self, request: Request<proto::TypingRequest>) -> ApiResult<proto::TypingResponse> {
        let caller = auth::caller(&request)?;
        let reader = auth::reader(&caller)?;
        let request = request.into_inner();
        let tenant = auth::tenant(&caller, &request.tenant)?;
        let id = input::conversation_id("conversation_id", &request.conversation_id)?;
        let person = input::person("participant", request.participant)?;
        auth::only_self(&reader, "participant.subject", &person.subject)?;
        self.edge
            .typing(&tenant, &id, &reader, &person, request.active)
            .await?;
        Ok(proto::TypingResponse {})
    }
}

pub(super) fn message_ref(name: Option<get_message_request::Message>) -> ApiResult<MessageRef> {
    match name {
        Some(get_message_request::Message::MessageId(id)) => {
            Ok(MessageRef::Id(input::message_id("message_id", &id)?))
        }
        Some(get_message_request::Message::Seq(0)) => Err(ApiError::invalid("seq", "starts at 1")),
        Some(get_message_request::Message::Seq(seq)) => Ok(MessageRef::Seq(Seq(seq))),
        None => Err(ApiError::invalid("message", "must be named by message_id or seq")),
    }
}

pub(super) fn page_request(request: &proto::ListMessagesRequest) -> ApiResult<PageRequest> {
    let backward = match proto::Order::try_from(request.order) {
        Ok(proto::Order::Unspecified | proto::Order::Forward) => false,
        Ok(proto::Order::Backward) => true,
        Err(_) => return Err(ApiError::invalid("order", "must be a known order")),
    };
    let start = match (request.page_token.as_str(), request.start) {
        ("", None) => PageStart::End,
        ("", Some(list_messages_request::Start::FromSeq(0))) => {
            return Err(ApiError::invalid("from_seq", "starts at 1"));
        }
        ("", Some(list_messages_request::Start::FromSeq(seq))) => PageStart::Seq(Seq(seq)),
        ("", Some(list_messages_request::Start::FromTime(at))) => {
            PageStart::Time(input::time("from_time", at)?)
        }
        (token, _) => PageStart::Token(token.to_owned()),
    };
    Ok(PageRequest {
        backward,
        start,
        size: input::page_size(request.page_size)?,
    })
}

fn tail_event((event, position): (TailEvent, Position)) -> proto::TailConversationResponse {
    use proto::tail_conversation_response::Event;
    let event = match event {
        TailEvent::Message(message) => Event::Message(convert::message(*message)),
        TailEvent::Closed(time) => Event::Closed(proto::ConversationClosed {
            time: Some(convert::timestamp(time)),
        }),
        TailEvent::Typing(participant, active) => Event::Typing(proto::TypingNotice {
            participant: Some(convert::participant(participant)),
            active,
        }),
        TailEvent::Erased => Event::Erased(proto::ContentErased {}),
        TailEvent::Heartbeat => Event::Heartbeat(proto::Heartbeat {}),
    };
    proto::TailConversationResponse {
        event: Some(event),
        position: position.encode(),
    }
}

#[tonic::async_trait]
impl ChatService for Chat {
    type StreamAppendStream = Answers<proto::StreamAppendResponse>;
    type TailConversationStream = Answers<proto::TailConversationResponse>;

    async fn create_conversation(
        &self,
        request: Request<proto::CreateConversationRequest>,
    ) -> Result<Response<proto::CreateConversationResponse>, Status> {
        self.faults.answer(self.create(request).await)
    }

    async fn get_conversation(
        &self,
        request: Request<proto::GetConversationRequest>,
    ) -> Result<Response<proto::GetConversationResponse>, Status> {
        self.faults.answer(self.get(request).await)
    }

    async fn list_conversations(
        &self,
        request: Request<proto::ListConversationsRequest>,
    ) -> Result<Response<proto::ListConversationsResponse>, Status> {
        self.faults.answer(self.list(request).await)
    }

    async fn close_conversation(
        &self,
        request: Request<proto::CloseConversationRequest>,
    ) -> Result<Response<proto::CloseConversationResponse>, Status> {
        self.faults.answer(self.close(request).await)
    }

    async fn append_message(
        &self,
        request: Request<proto::AppendMessageRequest>,
    ) -> Result<Response<proto::AppendMessageResponse>, Status> {
        self.faults.answer(self.append(request).await)
    }

    async fn append_messages(
        &self,
        request: Request<proto::AppendMessagesRequest>,
    ) -> Result<Response<proto::AppendMessagesResponse>, Status> {
        self.faults.answer(self.append_many(request).await)
    }

    async fn stream_append(
        &self,
        request: Request<Streaming<proto::StreamAppendRequest>>,
    ) -> Result<Response<Self::StreamAppendStream>, Status> {
        self.faults.answer(auth::caller(&request).map(|identity| {
            let (edge, faults) = (self.edge.clone(), self.faults.clone());
            AppendStream {
                edge,
                identity,
                faults,
                requests: request.into_inner(),
            }
            .serve()
            .boxed()
        }))
    }

    async fn get_message(
        &self,
        request: Request<proto::GetMessageRequest>,
    ) -> Result<Response<proto::GetMessageResponse>, Status> {
        self.faults.answer(self.message(request).await)
    }

    async fn list_messages(
        &self,
        request: Request<proto::ListMessagesRequest>,
    ) -> Result<Response<proto::ListMessagesResponse>, Status> {
        self.faults.answer(self.messages(request).await)
    }

    async fn tail_conversation(
        &self,
        request: Request<proto::TailConversationRequest>,
    ) -> Result<Response<Self::TailConversationStream>, Status> {
        self.faults.answer(self.tail(request).await)
    }

    async fn typing(
        &self,
        request: Request<proto::TypingRequest>,
    ) -> Result<Response<proto::TypingResponse>, Status> {
        self.faults.answer(self.relay_typing(request).await)
    }
}
