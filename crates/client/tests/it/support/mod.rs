//! A cluster in the test's own process: real TLS and gRPC, one shared list of messages, and faults on demand.

pub(crate) mod erasure;
mod service;
mod tls;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eunoe_client::types::{Ack, Message, MessageInput, ParticipantKind};
use eunoe_client::{Client, Context, Timeouts, input};
use eunoe_proto::chat::chat_service_server::ChatServiceServer;
use eunoe_proto::erasure::erasure_service_server::ErasureServiceServer;
use rustls::pki_types::CertificateDer;
use tonic::service::InterceptorLayer;
use tonic::{Code, Request, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

pub(crate) use tls::Authority;

/// What goes wrong with the next message (or, for `BreakTail`, with the next tail).
#[derive(Clone)]
pub(crate) enum Fault {
    /// Refused with this status; nothing is stored.
    Refuse(Status),
    /// Stored, and then the answer is this status.
    StoreThenFail(Status),
    /// Stored, and then the stream ends with a transport error.
    StoreThenBreak,
    /// Nothing goes wrong.
    None,
}

/// What the nodes share.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) stored: Mutex<Vec<MessageInput>>,
    /// Request ids in the order of arrival, with the stream or call (a number) that brought them.
    pub(crate) seen: Mutex<Vec<(usize, String)>>,
    pub(crate) faults: Mutex<VecDeque<Fault>>,
    pub(crate) calls: Mutex<usize>,
    /// Sequence numbers that each tail in turn sends before it breaks; 0 stands for an erased event.
    pub(crate) tails: Mutex<VecDeque<Vec<u64>>>,
    pub(crate) tail_starts: Mutex<Vec<String>>,
    pub(crate) deadlines: Mutex<Vec<bool>>,
    /// Who made each call and opened each stream, those refused included.
    pub(crate) callers: Mutex<Vec<Caller>>,
    /// The one authorization that is taken; without it, any or none.
    pub(crate) authorization: Mutex<Option<String>>,
}

/// What a request brings to say who calls.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Caller {
    pub(crate) certificate: Option<CertificateDer<'static>>,
    pub(crate) authorization: Option<String>,
}

impl State {
    /// Notes who calls, and lets him pass unless his token is not the one that is taken.
    fn admit(&self, request: Request<()>) -> Result<Request<()>, Status> {
        let certificate = request.extensions().get::<Option<CertificateDer<'static>>>();
        let caller = Caller {
            certificate: certificate.unwrap().clone(),
            authorization: request
                .metadata()
                .get("authorization")
                .map(|value| value.to_str().unwrap().to_owned()),
        };
        self.callers.lock().unwrap().push(caller.clone());
        let taken = self.authorization.lock().unwrap();
        if taken.is_some() && *taken != caller.authorization {
            return Err(status(Code::Unauthenticated, "TOKEN_EXPIRED", "no_effect", None));
        }
        Ok(request)
    }

    pub(crate) fn authorizations(&self) -> Vec<Option<String>> {
        let callers = self.callers.lock().unwrap();
        callers
            .iter()
            .map(|caller| caller.authorization.clone())
            .collect()
    }

    pub(crate) fn fault(&self, fault: Fault) {
        self.faults.lock().unwrap().push_back(fault);
    }

    /// Takes a message as a call or stream with this number brought it.
    pub(crate) fn take(&self, call: usize, message: MessageInput) -> Result<Ack, (Status, bool)> {
        self.seen.lock().unwrap().push((call, message.request_id.clone()));
        let fault = self.faults.lock().unwrap().pop_front().unwrap_or(Fault::None);
        match fault {
            Fault::Refuse(status) => Err((status, false)),
            Fault::None => Ok(self.store(message)),
            Fault::StoreThenFail(status) => {
                self.store(message);
                Err((status, false))
            }
            Fault::StoreThenBreak => {
                self.store(message);
                Err((Status::unavailable("broken"), true))
            }
        }
    }

    fn store(&self, message: MessageInput) -> Ack {
        let mut stored = self.stored.lock().unwrap();
        let earlier = stored
            .iter()
            .position(|other| other.request_id == message.request_id);
        let index = earlier.unwrap_or(stored.len());
        if earlier.is_none() {
            stored.push(message);
        }
        Ack {
            seq: index as u64 + 1,
            replayed: earlier.is_some(),
            ..Default::default()
        }
    }

    pub(crate) fn next_call(&self) -> usize {
        let mut calls = self.calls.lock().unwrap();
        *calls += 1;
        *calls
    }

    pub(crate) fn stored_texts(&self) -> Vec<String> {
        self.stored
            .lock()
            .unwrap()
            .iter()
            .map(|message| text_of(&message.parts[0]))
            .collect()
    }

    pub(crate) fn seen_ids(&self) -> Vec<String> {
        self.seen
            .lock()
            .unwrap()
            .iter()
            .map(|(_, id)| id.clone())
            .collect()
    }
}

pub(crate) fn text_of(part: &eunoe_client::types::Part) -> String {
    match &part.content {
        Some(eunoe_client::types::part::Content::Text(text)) => text.clone(),
        _ => panic!("the part is not text"),
    }
}

pub(crate) fn message_with_seq(seq: u64) -> Message {
    Message {
        seq,
        parts: vec![input::text(format!("text {seq}"))],
        ..Default::default()
    }
}

/// A status as Eunoe's nodes write it.
pub(crate) fn status(code: Code, reason: &str, outcome: &str, retry_after: Option<Duration>) -> Status {
    let metadata = HashMap::from([("outcome".to_owned(), outcome.to_owned())]);
    let mut details = ErrorDetails::with_error_info(reason, "eunoe", metadata);
    details.set_retry_info(retry_after);
    Status::with_error_details(code, "said by the node", details)
}

pub(crate) fn message(conversation: &str, text: &str) -> MessageInput {
    let author = input::participant(ParticipantKind::Visitor, "visitor/1");
    input::text_message(conversation, author, "support", text)
}

/// Nodes that run, and what reaches them.
pub(crate) struct Cluster {
    pub(crate) state: Arc<State>,
    pub(crate) ladder: Arc<erasure::Ladder>,
    pub(crate) authority: Authority,
    pub(crate) endpoints: Vec<String>,
}

impl Cluster {
    pub(crate) async fn start(nodes: usize) -> Self {
        let (state, authority) = (Arc::new(State::default()), Authority::new());
        let ladder = Arc::new(erasure::Ladder::default());
        let mut endpoints = Vec::new();
        for _ in 0..nodes {
            let (address, incoming) = authority.listen().await;
            let service = ChatServiceServer::new(service::Chat {
                state: Arc::clone(&state),
            });
            let erasures = ErasureServiceServer::new(erasure::Erasures(Arc::clone(&ladder)));
            let gate = Arc::clone(&state);
            tokio::spawn(
                tonic::transport::Server::builder()
                    .layer(InterceptorLayer::new(move |request| gate.admit(request)))
                    .add_service(service)
                    .add_service(erasures)
                    .serve_with_incoming(incoming),
            );
            endpoints.push(address);
        }
        Self {
            state,
            ladder,
            authority,
            endpoints,
        }
    }

    pub(crate) fn context(&self) -> Context {
        let mut context = self.authority.context(&self.endpoints);
        context.timeouts = Timeouts {
            call: Duration::from_secs(20),
            ..Timeouts::default()
        };
        context
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.context()).await.unwrap()
    }
}
