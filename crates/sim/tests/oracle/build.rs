//! Histories in a few words. Every call is written with the ticks between which it ran.

use eunoe_sim::history::{
    Append, Appended, CallId, Chat, Client, Create, Erase, Erasure, ErasureNo, History, Node, Operation,
    Outcome, Page, Person, Profile, Refusal, Reply, Request, Row, Seq, Shown, Step, TailEnd, TailEvent,
    TailStart, Target, Tenant, Text, Tick,
};
use eunoe_sim::oracle::{self, Kind};

pub(crate) const CHAT: Chat = Chat(1);
pub(crate) const TENANT: Tenant = Tenant(1);
pub(crate) const ANNA: Person = Person(1);
pub(crate) const BERT: Person = Person(2);

/// When a call was sent and when it was answered.
pub(crate) type Span = (Tick, Tick);

#[derive(Clone, Default)]
pub(crate) struct Log(pub(crate) History);

pub(crate) fn text(number: u32) -> Shown {
    Shown::Text(Text(number))
}

pub(crate) fn row(seq: Seq, shown: Shown) -> Row {
    Row {
        seq,
        time: 0,
        author: None,
        shown,
    }
}

/// Rows from the first place on: a number is a text, 0 is erased.
pub(crate) fn rows(texts: &[u32]) -> Vec<Row> {
    let shown = |number: &u32| {
        if *number == 0 {
            Shown::Erased
        } else {
            text(*number)
        }
    };
    (1..)
        .zip(texts)
        .map(|(seq, number)| row(seq, shown(number)))
        .collect()
}

pub(crate) fn ack(seq: Seq) -> Outcome {
    Outcome::Ok(Reply::Appended(Appended {
        seq,
        time: 0,
        replayed: false,
        erased: false,
    }))
}

pub(crate) fn replayed(seq: Seq) -> Outcome {
    Outcome::Ok(Reply::Appended(Appended {
        seq,
        time: 0,
        replayed: true,
        erased: false,
    }))
}

pub(crate) fn erasure(id: u32, step: Step) -> Erasure {
    Erasure {
        id: ErasureNo(id),
        step,
        fenced: (step >= Step::Fenced).then_some(1),
        rekeyed: (step >= Step::Rekeyed).then_some(2),
        destroyed: (step >= Step::DestroyedByMost).then_some(3),
        missing: u32::from(matches!(step, Step::Rekeyed | Step::DestroyedByMost)),
    }
}

impl Log {
    /// A SUPPORT conversation of Anna's.
    pub(crate) fn support() -> Self {
        Self::created(Profile::Support(ANNA))
    }

    /// A conversation of peers.
    pub(crate) fn peers() -> Self {
        Self::created(Profile::Peer)
    }

    fn created(profile: Profile) -> Self {
        let mut log = Self::default();
        let create = Create {
            chat: CHAT,
            tenant: TENANT,
            profile,
        };
        log.call((0, 1), Operation::Create(create), Outcome::Ok(Reply::Created));
        log
    }

    pub(crate) fn call(&mut self, (begun, ended): Span, operation: Operation, outcome: Outcome) -> CallId {
        let id = self.0.begin(begun, Client(1), Node(1), operation);
        if outcome != Outcome::Pending {
            self.0.end(id, ended, outcome);
        }
        id
    }

    /// Of a text under the request of the same number.
    pub(crate) fn append(self, span: Span, number: u32, outcome: Outcome) -> Self {
        self.body(span, ANNA, number, number, outcome)
    }

    pub(crate) fn body(
        mut self,
        span: Span,
        author: Person,
        request: u32,
        text: u32,
        outcome: Outcome,
    ) -> Self {
        let append = Append {
            chat: CHAT,
            author,
            about: Vec::new(),
            request: Request(request),
            text: Text(text),
        };
        self.call(span, Operation::Append(append), outcome);
        self
    }

    /// All of the conversation.
    pub(crate) fn read(self, span: Span, texts: &[u32]) -> Self {
        self.page(
            span,
            Page {
                from: 1,
                rows: rows(texts),
                end: true,
            },
        )
    }

    pub(crate) fn page(mut self, span: Span, page: Page) -> Self {
        self.call(span, Operation::Read(CHAT), Outcome::Ok(Reply::Page(page)));
        self
    }

    pub(crate) fn read_refused(mut self, span: Span, refusal: Refusal) -> Self {
        self.call(span, Operation::Read(CHAT), Outcome::Refused(refusal));
        self
    }

    pub(crate) fn close(mut self, span: Span, outcome: Outcome) -> Self {
        self.call(span, Operation::Close(CHAT), outcome);
        self
    }

    pub(crate) fn erase(mut self, span: Span, target: Target, step: Step) -> Self {
        let erase = Erase {
            target,
            request: None,
        };
        let outcome = Outcome::Ok(Reply::Erasure(erasure(1, step)));
        self.call(span, Operation::Erase(erase), outcome);
        self
    }

    pub(crate) fn look(mut self, span: Span, shown: Erasure) -> Self {
        let outcome = Outcome::Ok(Reply::Erasure(shown));
        self.call(span, Operation::Look(shown.id), outcome);
        self
    }

    /// A tail that was accepted at once.
    pub(crate) fn tail(
        mut self,
        at: Tick,
        start: TailStart,
        events: &[(Tick, TailEvent)],
        end: Option<(Tick, TailEnd)>,
    ) -> Self {
        let operation = Operation::Tail { chat: CHAT, start };
        let id = self.call((at, at), operation, Outcome::Ok(Reply::Tailing));
        for (tick, event) in events {
            self.0.tail_event(id, *tick, *event);
        }
        if let Some((tick, end)) = end {
            self.0.tail_end(id, tick, end);
        }
        self
    }

    /// The kinds of what the oracle finds.
    pub(crate) fn found(&self) -> Vec<Kind> {
        let mut kinds: Vec<Kind> = oracle::check(&self.0)
            .iter()
            .map(|violation| violation.kind)
            .collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    /// Fails unless exactly this kind of violation is found, told with at least one call.
    #[track_caller]
    pub(crate) fn violates(&self, kind: Kind) {
        let found = oracle::check(&self.0);
        assert_eq!(self.found(), [kind], "in\n{}", self.0);
        for violation in found {
            assert!(violation.to_string().contains('#'), "{violation} has no proof");
        }
    }

    /// Fails if anything is found.
    #[track_caller]
    pub(crate) fn is_right(&self) {
        let found: Vec<String> = oracle::check(&self.0).iter().map(ToString::to_string).collect();
        assert!(found.is_empty(), "{}\nin\n{}", found.join("\n"), self.0);
    }
}
