//! One call of a client to one node: over the network, through the node's edge, into the history.

use std::time::Duration;

use eunoe_raft::TransportError;
use eunoe_server::edge::{
    Ack, ApiError, ApiResult, ConversationName, Edge, ErasureRequest, ErasureTarget, ErasureView,
    ErasureViewer, MessageInput, MessagePage, PageRequest, PageStart, Reader, TailStart as Start,
};
use eunoe_types::{ConversationId, ErasureId};
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt as _};

use super::calls::{boxed, call, open, ready};
use super::coverage::Event;
use super::ledger::{Known, Ledger};
use super::names;
use super::net::{CLIENTS, Host, Net, Process};
use crate::history::{
    Append, Appended, CallId, Chat, Client, Create, Erase, ErasureNo, Node, Operation, Outcome, Page,
    Refusal, Reply, Shown, Step, TailEnd, TailEvent, TailStart, Target, Tenant,
};

/// A client gives a call up after so long.
const TIMEOUT: Duration = Duration::from_secs(8);
/// Messages of a page.
const PAGE: usize = 20;

/// One client.
#[derive(Clone)]
pub(super) struct Asker {
    /// Which.
    pub(super) client: Client,
    /// The network.
    pub(super) net: Net,
    /// What all clients know.
    pub(super) ledger: Ledger,
}

fn failed(error: &ApiError) -> Outcome {
    if error.outcome == eunoe_types::Outcome::Unknown {
        return Outcome::Unknown;
    }
    Outcome::Refused(match error.reason {
        "ERASED" => Refusal::Erased,
        "NOT_FOUND" => Refusal::NotFound,
        "CONVERSATION_CLOSED" => Refusal::Closed,
        "REQUEST_ID_REUSED" => Refusal::RequestReused,
        _ => Refusal::Unavailable,
    })
}

impl Asker {
    fn way(node: Node) -> (Host, Host) {
        (CLIENTS, Host(u64::from(node.0)))
    }

    /// What an answer means to whoever reads the history.
    fn outcome<T>(&self, answer: &Result<Option<ApiResult<T>>, TransportError>) -> Outcome {
        match answer {
            Ok(Some(Ok(_))) => unreachable!("an answer is told by its reply"),
            Ok(Some(Err(error))) => {
                if error.reason == "NODE_SEALED" {
                    self.net.count(Event::WithoutKeys);
                }
                failed(error)
            }
            // Nobody serves there: it was never taken.
            Ok(None) | Err(TransportError::Unreachable | TransportError::Refused) => {
                Outcome::Refused(Refusal::Unavailable)
            }
            Err(TransportError::Broken | TransportError::Timeout) => Outcome::Unknown,
        }
    }

    /// Asks the edge of a node. `None`: it serves nobody.
    async fn ask<T, F>(&self, node: Node, serve: F) -> Result<Option<ApiResult<T>>, TransportError>
    where
        T: Send + 'static,
        F: FnOnce(Edge) -> BoxFuture<'static, ApiResult<T>> + Send + 'static,
    {
        let serve = move |process: &Process| match process.edge() {
            Some(edge) => {
                let serving = serve(edge);
                boxed(async move { Some(serving.await) })
            }
            None => ready(None),
        };
        call(&self.net, Self::way(node), TIMEOUT, serve).await
    }

    /// Creates a conversation.
    pub(super) async fn create(&self, node: Node, create: Create) -> Outcome {
        let call = self
            .ledger
            .begin(self.client, node, Operation::Create(create.clone()));
        let (tenant, new) = (names::tenant(create.tenant), names::conversation(&create));
        let answer = self
            .ask(node, move |edge| {
                boxed(async move { edge.create_conversation(&tenant, new).await })
            })
            .await;
        let outcome = match &answer {
            Ok(Some(Ok((view, _)))) => {
                let known = Known {
                    id: view.id,
                    create: create.clone(),
                    page: None,
                    position: None,
                };
                self.ledger.book().chats.insert(create.chat, known);
                Outcome::Ok(Reply::Created)
            }
            other => self.outcome(other),
        };
        self.ledger.end(call, outcome.clone());
        outcome
    }

    /// Closes a conversation.
    pub(super) async fn close(&self, node: Node, chat: &Known) -> Outcome {
        let call = self
            .ledger
            .begin(self.client, node, Operation::Close(chat.create.chat));
        let (tenant, name) = (names::tenant(chat.create.tenant), ConversationName::Id(chat.id));
        let answer = self
            .ask(node, move |edge| {
                boxed(async move { edge.close_conversation(&tenant, &name, names::PURPOSE).await })
            })
            .await;
        let outcome = match &answer {
            Ok(Some(Ok(_))) => Outcome::Ok(Reply::Closed),
            other => self.outcome(other),
        };
        self.ledger.end(call, outcome.clone());
        outcome
    }

    /// Appends a message.
    pub(super) async fn append(&self, node: Node, chat: &Known, append: Append) -> Outcome {
        let call = self
            .ledger
            .begin(self.client, node, Operation::Append(append.clone()));
        let message = MessageInput {
            conversation: chat.id,
            request_id: Some(names::request(append.request)),
            author: names::person(append.author),
            parts: vec![names::part(append.text, &append.about)],
            purpose: names::PURPOSE.into(),
        };
        let tenant = names::tenant(chat.create.tenant);
        let answer = self
            .ask(node, move |edge| {
                boxed(async move { edge.append(&tenant, message).await })
            })
            .await;
        let outcome = match &answer {
            Ok(Some(Ok(ack))) => Outcome::Ok(Reply::Appended(self.appended(append.chat, ack))),
            other => self.outcome(other),
        };
        self.ledger.end(call, outcome.clone());
        outcome
    }

    fn appended(&self, chat: Chat, ack: &Ack) -> Appended {
        if ack.replayed {
            self.net.count(Event::Replay);
        }
        let now = self.ledger.now();
        if let Some(known) = self.ledger.book().chats.get_mut(&chat) {
            known.position = Some((ack.position.encode(), ack.seq.0, now));
        }
        Appended {
            seq: ack.seq.0,
            time: ack.time.0,
            replayed: ack.replayed,
            erased: ack.erased,
        }
    }

    /// Reads a page.
    pub(super) async fn read(&self, node: Node, chat: &Known, start: PageStart, backward: bool) -> Outcome {
        let from = match &start {
            PageStart::Seq(seq) => seq.0.max(1),
            PageStart::Token(_) => chat.page.as_ref().map_or(1, |(_, from)| *from),
            PageStart::End | PageStart::Time(_) => 1,
        };
        let call = self
            .ledger
            .begin(self.client, node, Operation::Read(chat.create.chat));
        let (tenant, name) = (names::tenant(chat.create.tenant), ConversationName::Id(chat.id));
        let request = PageRequest {
            backward,
            start,
            size: PAGE,
        };
        let answer = self
            .ask(node, move |edge| {
                boxed(async move {
                    edge.messages(&tenant, &Reader::Tenant, &name, names::PURPOSE, request)
                        .await
                })
            })
            .await;
        let outcome = match &answer {
            Ok(Some(Ok(page))) => Outcome::Ok(Reply::Page(self.page(chat.create.chat, page, from, backward))),
            other => self.outcome(other),
        };
        self.ledger.end(call, outcome.clone());
        outcome
    }

    fn page(&self, chat: Chat, page: &MessagePage, from: u64, backward: bool) -> Page {
        let mut rows: Vec<_> = page.messages.iter().map(names::row).collect();
        if backward {
            rows.reverse();
        }
        if rows.iter().any(|row| row.shown == Shown::Erased) {
            self.net.count(Event::ErasedShown);
        }
        let last = rows.last().map(|row| row.seq);
        if let (Some(token), Some(last), false) = (&page.next, last, backward)
            && let Some(known) = self.ledger.book().chats.get_mut(&chat)
        {
            known.page = Some((token.clone(), last + 1));
        }
        Page {
            from: rows.first().map_or(from, |row| row.seq),
            rows,
            end: backward || page.next.is_none(),
        }
    }

    /// Follows a conversation until so many events came, or until `patience` is over.
    pub(super) async fn tail(
        &self,
        node: Node,
        chat: &Known,
        start: TailStart,
        events: usize,
        patience: Duration,
    ) {
        let operation = Operation::Tail {
            chat: chat.create.chat,
            start,
        };
        let call_id = self.ledger.begin(self.client, node, operation);
        let (tenant, name) = (names::tenant(chat.create.tenant), ConversationName::Id(chat.id));
        let start = match (start, &chat.position) {
            (TailStart::Now, _) => Start::Now,
            (TailStart::After(seq), _) => Start::After(eunoe_types::Seq(seq)),
            (TailStart::Position { .. }, Some((token, ..))) => Start::Position(token.clone()),
            (TailStart::Position { seq, .. }, None) => Start::After(eunoe_types::Seq(seq)),
        };
        let serve = move |process: &Process, _: BoxStream<'static, ()>| {
            let edge = process.edge();
            boxed(async move {
                let edge = edge.ok_or(Outcome::Refused(Refusal::Unavailable))?;
                let opened = edge
                    .tail(&tenant, &Reader::Tenant, &name, names::PURPOSE, start)
                    .await;
                opened.map_err(|error| failed(&error))
            })
        };
        let nothing = futures::stream::pending().boxed();
        let opened = open(&self.net, Self::way(node), TIMEOUT, nothing, serve).await;
        let mut stream = match opened {
            Ok(Ok(stream)) => stream,
            Ok(Err(outcome)) => return self.ledger.end(call_id, outcome),
            Err(_) => {
                let outcome = Outcome::Refused(Refusal::Unavailable);
                return self.ledger.end(call_id, outcome);
            }
        };
        self.ledger.end(call_id, Outcome::Ok(Reply::Tailing));
        let following = async {
            let mut left = events;
            while left > 0 {
                match stream.next().await {
                    Some(Ok(Ok((event, position)))) => {
                        if self.follow(call_id, chat.create.chat, event, position) {
                            left -= 1;
                        }
                    }
                    Some(Ok(Err(error))) => return self.tail_failed(&error),
                    Some(Err(_)) => return TailEnd::Broken,
                    None => return TailEnd::Whole,
                }
            }
            TailEnd::Left
        };
        let end = tokio::time::timeout(patience, following).await;
        self.ledger.tail_end(call_id, end.unwrap_or(TailEnd::Left));
    }

    fn tail_failed(&self, error: &ApiError) -> TailEnd {
        if error.reason == "ERASED_MEANWHILE" {
            self.net.count(Event::TailReset);
            return TailEnd::Reset;
        }
        TailEnd::Broken
    }

    /// Writes an event down; says whether it is one of the conversation.
    fn follow(
        &self,
        call: CallId,
        chat: Chat,
        event: eunoe_server::edge::TailEvent,
        position: eunoe_server::edge::Position,
    ) -> bool {
        use eunoe_server::edge::TailEvent as Told;
        let event = match event {
            Told::Message(message) => TailEvent::Message(names::row(&message)),
            Told::Erased => TailEvent::Erased,
            Told::Closed(_) => TailEvent::Closed,
            Told::Typing(..) | Told::Heartbeat => return false,
        };
        self.ledger.tail_event(call, event);
        let now = self.ledger.now();
        if let Some(known) = self.ledger.book().chats.get_mut(&chat) {
            known.position = Some((position.encode(), position.seq.0, now));
        }
        true
    }

    /// Asks for an erasure, as `person`.
    pub(super) async fn erase(
        &self,
        node: Node,
        (tenant, erase): (Tenant, Erase),
        chat: Option<ConversationId>,
        person: &str,
        urgent: bool,
    ) -> Outcome {
        let call = self.ledger.begin(self.client, node, Operation::Erase(erase));
        let target = match (erase.target, chat) {
            (Target::Person(_, person), _) => ErasureTarget::Subject(names::reference(person)),
            (Target::Chat(_), Some(id)) => ErasureTarget::Conversation(ConversationName::Id(id)),
            (Target::Chat(_) | Target::Tenant(_), _) => ErasureTarget::Tenant,
        };
        let request = ErasureRequest {
            target,
            request_id: erase.request.map(names::request).unwrap_or_default(),
            reason: 1,
            urgent,
            hold_s: 0,
            may_begin: true,
            own_ids: false,
            person: eunoe_server::tls::Asker {
                name: person.to_owned(),
                by_token: false,
            },
        };
        let name = names::tenant(tenant);
        let answer = self
            .ask(node, move |edge| {
                boxed(async move { edge.erase(&name, request).await })
            })
            .await;
        let outcome = match &answer {
            Ok(Some(Ok(requested))) => self.erasure(tenant, &requested.view),
            other => self.outcome(other),
        };
        if let Outcome::Ok(Reply::Erasure(shown)) = &outcome {
            self.ledger.book().erased.insert(erase.target, shown.id);
        }
        self.ledger.end(call, outcome.clone());
        outcome
    }

    /// Looks at an erasure.
    pub(super) async fn look(&self, node: Node, number: ErasureNo) -> Outcome {
        let (tenant, id): (Tenant, ErasureId) = self.ledger.book().erasure(number);
        let call = self.ledger.begin(self.client, node, Operation::Look(number));
        let answer = self
            .ask(node, move |edge| {
                boxed(async move { edge.erasure(None, &id, &ErasureViewer::AnyTenant).await })
            })
            .await;
        let outcome = match &answer {
            Ok(Some(Ok(view))) => self.erasure(tenant, view),
            other => self.outcome(other),
        };
        self.ledger.end(call, outcome.clone());
        outcome
    }

    fn erasure(&self, tenant: Tenant, view: &ErasureView) -> Outcome {
        let shown = self.ledger.book().shown(tenant, view);
        match shown.step {
            Step::Requested => {}
            Step::Fenced => self.net.count(Event::Fenced),
            Step::Rekeyed => self.net.count(Event::Rekeyed),
            Step::DestroyedByMost => {}
            Step::Destroyed => self.net.count(Event::Destroyed),
        }
        Outcome::Ok(Reply::Erasure(shown))
    }
}
