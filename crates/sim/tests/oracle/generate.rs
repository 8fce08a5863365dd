//! Small histories that one copy of a conversation really answered, with calls that overlap, answers that got lost,
//! repeated requests, another body under a request id, closing and a fence.

use eunoe_sim::history::{
    Append, Appended, Client, Erase, History, Node, Operation, Outcome, Page, Refusal, Reply, Request, Row,
    Shown, Step, Target, Text, Tick,
};
use proptest::prelude::*;

use super::build::{ANNA, CHAT, erasure, row};

#[derive(Clone, Debug)]
pub(crate) enum Act {
    Append { request: u32, body: u32 },
    Read { from: u64, rows: usize },
    Close,
    Fence,
}

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fate {
    Arrives,
    IsLost,
    NeverHappens,
    Unavailable,
}

#[derive(Clone, Debug)]
pub(crate) struct Doing {
    act: Act,
    fate: Fate,
    before: Tick,
    after: Tick,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        10 => (1u32..6, prop_oneof![5 => Just(0u32), 1 => Just(1)])
            .prop_map(|(request, body)| Act::Append { request, body }),
        8 => (1u64..4, 1usize..6).prop_map(|(from, rows)| Act::Read { from, rows }),
        1 => Just(Act::Close),
        1 => Just(Act::Fence),
    ]
}

pub(crate) fn plan() -> impl Strategy<Value = Vec<Doing>> {
    let fate = prop_oneof![
        6 => Just(Fate::Arrives),
        1 => Just(Fate::IsLost),
        1 => Just(Fate::NeverHappens),
        1 => Just(Fate::Unavailable),
    ];
    let doing = (act(), fate, 0u64..30, 0u64..30);
    let doing = doing.prop_map(|(act, fate, before, after)| Doing {
        act,
        fate,
        before,
        after,
    });
    prop::collection::vec(doing, 1..11)
}

#[derive(Default)]
struct Copy {
    messages: Vec<(u32, Text)>,
    closed: bool,
    fenced: bool,
    /// When somebody was told of the fence first.
    told: Option<Tick>,
}

/// What happens when each thing is done at a moment of its own, between its call and its answer.
pub(crate) fn history(plan: &[Doing]) -> History {
    let (mut history, mut copy) = (History::default(), Copy::default());
    for (number, doing) in (0u64..).zip(plan) {
        let at = 100 + 10 * number;
        let (begun, ended) = (at - doing.before, at + doing.after);
        let id = history.begin(begun, Client(0), Node(0), operation(&doing.act));
        if doing.fate == Fate::Unavailable {
            history.end(id, ended, Outcome::Refused(Refusal::Unavailable));
            continue;
        }
        if doing.fate == Fate::NeverHappens {
            continue;
        }
        let outcome = copy.act(&doing.act, begun, ended, doing.fate == Fate::Arrives);
        let told = if doing.fate == Fate::IsLost {
            Outcome::Unknown
        } else {
            outcome
        };
        history.end(id, ended, told);
    }
    history
}

fn operation(act: &Act) -> Operation {
    match act {
        Act::Append { request, body } => Operation::Append(Append {
            chat: CHAT,
            author: ANNA,
            about: Vec::new(),
            request: Request(*request),
            text: text_of(*request, *body),
        }),
        Act::Read { .. } => Operation::Read(CHAT),
        Act::Close => Operation::Close(CHAT),
        Act::Fence => Operation::Erase(Erase {
            target: Target::Chat(CHAT),
            request: None,
        }),
    }
}

fn text_of(request: u32, body: u32) -> Text {
    Text(request * 2 + body)
}

impl Copy {
    fn act(&mut self, act: &Act, begun: Tick, ended: Tick, told: bool) -> Outcome {
        match act {
            Act::Append { request, body } => self.append(*request, text_of(*request, *body), begun),
            Act::Read { from, rows } => Outcome::Ok(Reply::Page(self.page(*from, *rows))),
            Act::Close => {
                self.closed = true;
                Outcome::Ok(Reply::Closed)
            }
            Act::Fence => {
                self.fenced = true;
                if told {
                    self.told = Some(self.told.map_or(ended, |told| told.min(ended)));
                }
                Outcome::Ok(Reply::Erasure(erasure(1, Step::Fenced)))
            }
        }
    }

    fn append(&mut self, request: u32, text: Text, begun: Tick) -> Outcome {
        if self.fenced && self.told.is_some_and(|told| told < begun) {
            return Outcome::Refused(Refusal::Erased);
        }
        let known = self.messages.iter().position(|(known, _)| *known == request);
        let place = match known {
            Some(at) if self.messages[at].1 == text => at + 1,
            Some(_) => return Outcome::Refused(Refusal::RequestReused),
            None if self.closed => return Outcome::Refused(Refusal::Closed),
            None => {
                self.messages.push((request, text));
                self.messages.len()
            }
        };
        Outcome::Ok(Reply::Appended(Appended {
            seq: place as u64,
            time: 0,
            // Nobody says here who was first; what it means is shown elsewhere.
            replayed: true,
            erased: false,
        }))
    }

    fn page(&self, from: u64, rows_max: usize) -> Page {
        let shown = |text: &Text| {
            if self.fenced {
                Shown::Erased
            } else {
                Shown::Text(*text)
            }
        };
        let all = (1u64..).zip(&self.messages);
        let behind = all.filter(|(seq, _)| *seq >= from);
        let rows: Vec<Row> = behind
            .take(rows_max)
            .map(|(seq, (_, text))| row(seq, shown(text)))
            .collect();
        let last = rows.last().map_or(0, |row| row.seq);
        Page {
            from,
            end: rows.is_empty() || last == self.messages.len() as u64,
            rows,
        }
    }
}
