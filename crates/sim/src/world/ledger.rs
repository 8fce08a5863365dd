//! What the clients of a world know together: the history, and what they may ask for next.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eunoe_core::control::ErasureState;
use eunoe_server::edge::ErasureView;
use eunoe_types::{ConversationId, ErasureId};

use super::net::Net;
use crate::history::{
    CallId, Chat, Client, Create, Erasure, ErasureNo, History, Node, Operation, Outcome, Request, Seq, Step,
    TailEnd, TailEvent, Target, Tenant, Text, Tick,
};

/// Microseconds of a tick.
pub(super) const TICK: u64 = 1_000;

/// A conversation that exists.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// What it was created as.
    pub(super) create: Create,
    /// Its id.
    pub(super) id: ConversationId,
    /// A token of a page, and where that page begins.
    pub(super) page: Option<(String, Seq)>,
    /// A resume point: the message before it, and when it was given.
    pub(super) position: Option<(String, Seq, Tick)>,
}

/// What clients share.
#[derive(Default)]
pub(super) struct Book {
    /// What they saw.
    pub(super) history: History,
    /// Conversations that were created.
    pub(super) chats: BTreeMap<Chat, Known>,
    /// Conversations that are being created: nobody erases what they need meanwhile.
    pub(super) creating: BTreeMap<Chat, Create>,
    /// What somebody asked to erase.
    pub(super) erased: BTreeMap<Target, ErasureNo>,
    erasures: BTreeMap<ErasureNo, (Tenant, ErasureId)>,
    chats_named: u32,
    requests: u32,
}

impl Book {
    /// A name that no conversation had before.
    pub(super) fn new_chat(&mut self) -> Chat {
        self.chats_named += 1;
        Chat(self.chats_named)
    }

    /// A request id and a text that nobody used before.
    pub(super) fn new_request(&mut self) -> (Request, Text) {
        self.requests += 1;
        (Request(self.requests), Text(self.requests))
    }

    /// An erasure by the server's id.
    fn number(&mut self, tenant: Tenant, id: ErasureId) -> ErasureNo {
        let known = self.erasures.iter().find(|(_, (_, known))| *known == id);
        match known {
            Some((number, _)) => *number,
            None => {
                let number = ErasureNo(u32::try_from(self.erasures.len()).unwrap_or(u32::MAX));
                self.erasures.insert(number, (tenant, id));
                number
            }
        }
    }

    /// What the server calls an erasure.
    pub(super) fn erasure(&self, number: ErasureNo) -> (Tenant, ErasureId) {
        self.erasures[&number]
    }

    /// All erasures.
    pub(super) fn erasures(&self) -> Vec<ErasureNo> {
        self.erasures.keys().copied().collect()
    }

    /// An erasure as it was shown.
    pub(super) fn shown(&mut self, tenant: Tenant, view: &ErasureView) -> Erasure {
        let row = &view.row;
        let (step, rekeyed, destroyed) = match row.state {
            // Nobody takes one back: to the oracle it is one that went back, which no erasure does.
            ErasureState::Requested | ErasureState::Cancelling { .. } | ErasureState::Cancelled { .. } => {
                (Step::Requested, None, None)
            }
            ErasureState::Fenced => (Step::Fenced, None, None),
            ErasureState::Rekeyed { time, .. } => (Step::Rekeyed, Some(time.0), None),
            ErasureState::Destroyed {
                rekeyed, time, full, ..
            } => {
                let step = match full {
                    None => Step::DestroyedByMost,
                    Some(_) => Step::Destroyed,
                };
                (step, Some(rekeyed.0), Some(time.0))
            }
        };
        Erasure {
            id: self.number(tenant, view.id),
            step,
            fenced: (step > Step::Requested).then_some(row.fenced.0.0),
            rekeyed,
            destroyed,
            missing: u32::try_from(view.missing.len()).unwrap_or(u32::MAX),
        }
    }
}

/// The book, and the clock that it is kept by. Clones share it.
#[derive(Clone)]
pub(super) struct Ledger {
    net: Net,
    book: Arc<Mutex<Book>>,
}

impl Ledger {
    /// An empty book.
    pub(super) fn new(net: Net) -> Self {
        Self {
            net,
            book: Arc::default(),
        }
    }

    /// The book.
    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The present tick.
    pub(super) fn now(&self) -> Tick {
        self.net.now() / TICK
    }

    /// A call is sent.
    pub(super) fn begin(&self, client: Client, node: Node, operation: Operation) -> CallId {
        let now = self.now();
        self.book().history.begin(now, client, node, operation)
    }

    /// It was answered.
    pub(super) fn end(&self, call: CallId, outcome: Outcome) {
        let now = self.now();
        self.book().history.end(call, now, outcome);
    }

    /// A tail told something.
    pub(super) fn tail_event(&self, call: CallId, event: TailEvent) {
        let now = self.now();
        self.book().history.tail_event(call, now, event);
    }

    /// A tail ended.
    pub(super) fn tail_end(&self, call: CallId, end: TailEnd) {
        let now = self.now();
        self.book().history.tail_end(call, now, end);
    }
}
