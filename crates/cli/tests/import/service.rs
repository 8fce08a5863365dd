//! A `ChatService` that stores messages once for each request id, and loses answers on demand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use eunoe_proto::chat::chat_service_server::ChatService;
use eunoe_proto::chat::part::Content;
use eunoe_proto::chat::*;
use tokio_stream::Empty;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_types::{ErrorDetails, StatusExt as _};

/// What the node holds.
#[derive(Default)]
pub(crate) struct Store(Mutex<Holdings>);

#[derive(Default)]
struct Holdings {
    /// By external reference.
    conversations: HashMap<String, String>,
    /// Texts by conversation, in order.
    messages: HashMap<String, Vec<String>>,
    /// Place by conversation and request id.
    places: HashMap<(String, String), u64>,
    calls: u64,
    lose_every: Option<u64>,
    refused_text: Option<String>,
}

impl Store {
    /// The answer to every n-th batch gets lost, after the batch was stored.
    pub(crate) fn lose_answers(&self, every: u64) {
        self.0.lock().unwrap().lose_every = Some(every);
    }

    /// Refuses messages with this text.
    pub(crate) fn refuse(&self, text: &str) {
        self.0.lock().unwrap().refused_text = Some(text.to_owned());
    }

    /// Each text is `<reference> <n>`, with n counting from 1; there are so many in all.
    pub(crate) fn assert_in_order(&self, count: usize) {
        let content = self.0.lock().unwrap();
        assert_eq!(content.messages.values().map(Vec::len).sum::<usize>(), count);
        for (reference, id) in &content.conversations {
            let expected: Vec<_> = (1..=content.messages.get(id).map_or(0, Vec::len))
                .map(|n| format!("{reference} {n}"))
                .collect();
            assert_eq!(content.messages.get(id).cloned().unwrap_or_default(), expected);
        }
    }
}

impl Holdings {
    fn append(&mut self, message: MessageInput) -> Result<Ack, Status> {
        let [part] = message.parts.as_slice() else {
            panic!("one part")
        };
        let Some(Content::Text(text)) = &part.content else {
            panic!("text")
        };
        if self.refused_text.as_ref() == Some(text) {
            return Err(status(Code::FailedPrecondition, "CONVERSATION_CLOSED"));
        }
        let messages = self.messages.entry(message.conversation_id.clone()).or_default();
        let place = (message.conversation_id, message.request_id);
        let known = self.places.get(&place).copied();
        let seq = known.unwrap_or_else(|| {
            messages.push(text.clone());
            let seq = messages.len() as u64;
            self.places.insert(place, seq);
            seq
        });
        let replayed = known.is_some();
        Ok(Ack {
            seq,
            replayed,
            ..Default::default()
        })
    }
}

fn status(code: Code, reason: &str) -> Status {
    let metadata = HashMap::from([("outcome".to_owned(), "no_effect".to_owned())]);
    let details = ErrorDetails::with_error_info(reason, "eunoe", metadata);
    Status::with_error_details(code, "said by the node", details)
}

fn result_of(appended: Result<Ack, Status>) -> AppendResult {
    use prost::Message as _;
    let result = match appended {
        Ok(ack) => append_result::Result::Ack(ack),
        Err(status) => {
            append_result::Result::Error(tonic_types::pb::Status::decode(status.details()).unwrap())
        }
    };
    AppendResult { result: Some(result) }
}

pub(crate) struct Chat(pub(crate) Arc<Store>);

type Answer<T> = Result<Response<T>, Status>;

fn unused<T>() -> Answer<T> {
    Err(Status::unimplemented("an import does not need it"))
}

#[tonic::async_trait]
impl ChatService for Chat {
    async fn create_conversation(
        &self,
        request: Request<CreateConversationRequest>,
    ) -> Answer<CreateConversationResponse> {
        let request = request.into_inner();
        assert!(request.profile() == Profile::Support);
        assert_eq!(request.tenant, "acme");
        let mut content = self.0.0.lock().unwrap();
        let next = format!("{:032x}", content.conversations.len());
        let created = !content.conversations.contains_key(&request.external_ref);
        let known = content.conversations.entry(request.external_ref);
        let id = known.or_insert(next).clone();
        let conversation = Some(Conversation {
            id,
            ..Default::default()
        });
        Ok(Response::new(CreateConversationResponse {
            conversation,
            created,
        }))
    }

    async fn append_messages(
        &self,
        request: Request<AppendMessagesRequest>,
    ) -> Answer<AppendMessagesResponse> {
        let messages = request.into_inner().messages;
        assert!((1..=1_000).contains(&messages.len()), "{}", messages.len());
        let mut content = self.0.0.lock().unwrap();
        content.calls += 1;
        let lost = content
            .lose_every
            .is_some_and(|every| content.calls.is_multiple_of(every));
        let mut refused: Vec<String> = Vec::new();
        let results = messages.into_iter().map(|message| {
            let conversation = message.conversation_id.clone();
            if refused.contains(&conversation) {
                return result_of(Err(status(Code::Aborted, "EARLIER_REFUSED")));
            }
            let appended = content.append(message);
            if appended.is_err() {
                refused.push(conversation);
            }
            result_of(appended)
        });
        let results = results.collect();
        if lost {
            return Err(Status::unavailable("the answer is lost"));
        }
        Ok(Response::new(AppendMessagesResponse { results }))
    }

    type StreamAppendStream = Empty<Result<StreamAppendResponse, Status>>;
    type TailConversationStream = Empty<Result<TailConversationResponse, Status>>;

    async fn stream_append(
        &self,
        _: Request<Streaming<StreamAppendRequest>>,
    ) -> Answer<Self::StreamAppendStream> {
        unused()
    }

    async fn tail_conversation(
        &self,
        _: Request<TailConversationRequest>,
    ) -> Answer<Self::TailConversationStream> {
        unused()
    }

    async fn get_conversation(&self, _: Request<GetConversationRequest>) -> Answer<GetConversationResponse> {
        unused()
    }

    async fn list_conversations(
        &self,
        _: Request<ListConversationsRequest>,
    ) -> Answer<ListConversationsResponse> {
        unused()
    }

    async fn close_conversation(
        &self,
        _: Request<CloseConversationRequest>,
    ) -> Answer<CloseConversationResponse> {
        unused()
    }

    async fn append_message(&self, _: Request<AppendMessageRequest>) -> Answer<AppendMessageResponse> {
        unused()
    }

    async fn get_message(&self, _: Request<GetMessageRequest>) -> Answer<GetMessageResponse> {
        unused()
    }

    async fn list_messages(&self, _: Request<ListMessagesRequest>) -> Answer<ListMessagesResponse> {
        unused()
    }

    async fn typing(&self, _: Request<TypingRequest>) -> Answer<TypingResponse> {
        unused()
    }
}
