//! What is known of one conversation: its calls by kind, and for each place the message that anybody saw there.

use std::collections::BTreeMap;

use crate::history::{
    Append, Appended, Call, Chat, Create, Outcome, Page, Person, Refusal, Request, Row, Seq, TailStart, Text,
    Tick,
};

/// A call to append, with its acknowledgement if it got one.
#[derive(Clone, Copy)]
pub(super) struct Appending<'h> {
    pub(super) call: &'h Call,
    pub(super) asked: &'h Append,
    pub(super) ack: Option<&'h Appended>,
}

/// A page and the call that got it.
#[derive(Clone, Copy)]
pub(super) struct Reading<'h> {
    pub(super) call: &'h Call,
    pub(super) page: &'h Page,
}

/// A tail that was accepted.
#[derive(Clone, Copy)]
pub(super) struct Tailing<'h> {
    pub(super) call: &'h Call,
    pub(super) start: TailStart,
}

/// A message that was shown, by a page or by a tail.
#[derive(Clone, Copy)]
pub(super) struct Sighting<'h> {
    pub(super) call: &'h Call,
    pub(super) row: &'h Row,
    /// When the read of it began at the earliest, as far as can be told.
    pub(super) begun: Tick,
    /// When it arrived.
    pub(super) seen: Tick,
}

/// A body under a request id, with all calls that may have added it.
pub(super) struct Body<'h> {
    pub(super) asked: &'h Append,
    pub(super) calls: Vec<Appending<'h>>,
}

impl<'h> Body<'h> {
    /// The first call that may have added it.
    pub(super) fn first(&self) -> Option<&'h Call> {
        let open = self.calls.iter().filter(|append| !append.call.is_refused());
        open.map(|append| append.call).min_by_key(|call| call.begun)
    }

    pub(super) fn owners(&self) -> impl Iterator<Item = Person> + use<'_, 'h> {
        std::iter::once(self.asked.author).chain(self.asked.about.iter().copied())
    }
}

/// What stands in a place.
pub(super) struct Place<'h> {
    pub(super) text: Option<Text>,
    pub(super) time: u64,
    /// Who said so first, and when.
    pub(super) first: (&'h Call, Tick),
}

/// What is known of one conversation.
pub(super) struct Facts<'h> {
    pub(super) chat: Chat,
    pub(super) create: Option<(&'h Create, &'h Call)>,
    pub(super) bodies: BTreeMap<Text, Body<'h>>,
    /// Bodies by request id: more than one where a request id was used again.
    pub(super) requests: BTreeMap<Request, Vec<Text>>,
    pub(super) places: BTreeMap<Seq, Place<'h>>,
    pub(super) reads: Vec<Reading<'h>>,
    pub(super) tails: Vec<Tailing<'h>>,
    pub(super) closes: Vec<&'h Call>,
    pub(super) sightings: Vec<Sighting<'h>>,
    /// All calls about it, whatever became of them.
    pub(super) calls: Vec<&'h Call>,
}

impl<'h> Facts<'h> {
    pub(super) fn new(chat: Chat) -> Self {
        Self {
            chat,
            create: None,
            bodies: BTreeMap::new(),
            requests: BTreeMap::new(),
            places: BTreeMap::new(),
            reads: Vec::new(),
            tails: Vec::new(),
            closes: Vec::new(),
            sightings: Vec::new(),
            calls: Vec::new(),
        }
    }

    /// The body that stands in a place, where its text is known.
    pub(super) fn body_at(&self, seq: Seq) -> Option<&Body<'h>> {
        self.bodies.get(&self.places.get(&seq)?.text?)
    }

    /// Whether a body may stand anywhere: it was not refused because of another one, and nothing of its request because the
    /// conversation was closed. A copy that has a request id says neither.
    pub(super) fn may_stand(&self, body: &Body<'_>) -> bool {
        let refused = |body: &Body<'_>, refusal| {
            let mut calls = body.calls.iter();
            calls.any(|append| append.call.outcome == Outcome::Refused(refusal))
        };
        let texts = self.requests.get(&body.asked.request).into_iter().flatten();
        let mut bodies = texts.filter_map(|text| self.bodies.get(text));
        !refused(body, Refusal::RequestReused) && !bodies.any(|body| refused(body, Refusal::Closed))
    }

    /// Every call to append.
    pub(super) fn appends(&self) -> impl Iterator<Item = Appending<'h>> + use<'_, 'h> {
        self.bodies.values().flat_map(|body| body.calls.iter().copied())
    }

    /// Every acknowledgement.
    pub(super) fn acks(&self) -> impl Iterator<Item = (Appending<'h>, &'h Appended)> + use<'_, 'h> {
        self.appends().filter_map(|append| Some((append, append.ack?)))
    }
}
