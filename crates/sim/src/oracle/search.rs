//! The second checker: a search for an order of calls that one copy of a conversation could have answered so (Wing and
//! Gong, with Lowe's memory of what was tried). It shares nothing with the walk over places, and is for small histories.

use std::collections::HashSet;

use crate::history::{
    Append, Call, Chat, History, Operation, Outcome, Page, Refusal, Reply, Request, Seq, Shown, Target, Text,
    Tick,
};

/// What a search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Explained {
    /// There is such an order.
    Yes,
    /// There is none.
    No,
    /// Too many calls, or too many states: nothing is known.
    TooLarge,
}

/// Calls that a history may have at most.
const MOVES_MAX: usize = 128;

/// One copy of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Model {
    messages: Vec<(Request, Text)>,
    closed: bool,
    fenced: bool,
}

/// What a call does to the model, or demands of it.
enum Move<'h> {
    Append(&'h Append, Option<Seq>),
    AppendRefused(&'h Append, Refusal),
    /// A page's places. What it shows of them is looked at later: keys are of another group.
    Rows(&'h Page),
    /// That a page shows something readable.
    Readable,
    /// That a page shows something erased. A fence may come between two rows.
    Erased,
    Close,
    Fence,
}

struct Timed<'h> {
    begun: Tick,
    /// For ever, if nobody was told.
    ended: Tick,
    /// Whether it has taken effect for sure.
    must: bool,
    what: Move<'h>,
}

/// Whether the calls about `chat` can be explained: appends, pages, closing, and erasures of this very conversation, which
/// make all of it unreadable at once. Creating, tails and other erasures are not looked at. Tries `states_max` at most.
pub fn explain(history: &History, chat: Chat, states_max: usize) -> Explained {
    let moves: Vec<Timed<'_>> = history
        .calls()
        .iter()
        .flat_map(|call| moves(call, chat))
        .collect();
    if moves.len() > MOVES_MAX {
        return Explained::TooLarge;
    }
    let fences = moves.iter().filter(|timed| matches!(timed.what, Move::Fence));
    let fenced_by = fences.map(|timed| timed.ended).min().unwrap_or(Tick::MAX);
    let mut search = Search {
        moves,
        fenced_by,
        tried: HashSet::new(),
        states_max,
    };
    search.run()
}

fn moves(call: &Call, chat: Chat) -> Vec<Timed<'_>> {
    let what = match (&call.operation, &call.outcome) {
        (Operation::Append(append), Outcome::Ok(Reply::Appended(ack))) if append.chat == chat => {
            vec![Move::Append(append, Some(ack.seq))]
        }
        (Operation::Append(append), Outcome::Unknown | Outcome::Pending) if append.chat == chat => {
            vec![Move::Append(append, None)]
        }
        (Operation::Append(append), Outcome::Refused(refusal)) if append.chat == chat => match refusal {
            Refusal::Erased | Refusal::Closed | Refusal::RequestReused => {
                vec![Move::AppendRefused(append, *refusal)]
            }
            Refusal::NotFound | Refusal::Unavailable => vec![],
        },
        (Operation::Read(read), Outcome::Ok(Reply::Page(page))) if *read == chat => {
            let shows = |erased| page.rows.iter().any(|row| (row.shown == Shown::Erased) == erased);
            let readable = shows(false).then_some(Move::Readable);
            let erased = shows(true).then_some(Move::Erased);
            std::iter::once(Move::Rows(page))
                .chain(readable)
                .chain(erased)
                .collect()
        }
        (Operation::Close(closed), _) if *closed == chat && !call.is_refused() => vec![Move::Close],
        (Operation::Erase(erase), _) if erase.target == Target::Chat(chat) && !call.is_refused() => {
            vec![Move::Fence]
        }
        _ => vec![],
    };
    let timed = what.into_iter().map(|what| Timed {
        begun: call.begun,
        ended: call.answered(),
        must: matches!(call.outcome, Outcome::Ok(_) | Outcome::Refused(_)),
        what,
    });
    timed.collect()
}

struct Search<'h> {
    moves: Vec<Timed<'h>>,
    fenced_by: Tick,
    tried: HashSet<(u128, Model)>,
    states_max: usize,
}

impl Search<'_> {
    fn run(&mut self) -> Explained {
        let mut waiting = vec![(0u128, Model::default())];
        while let Some((done, model)) = waiting.pop() {
            if self.is_over(done) {
                return Explained::Yes;
            }
            if !self.tried.insert((done, model.clone())) {
                continue;
            }
            if self.tried.len() > self.states_max {
                return Explained::TooLarge;
            }
            waiting.extend(self.next(done, &model));
        }
        Explained::No
    }

    fn left(&self, done: u128) -> impl Iterator<Item = (usize, &Timed<'_>)> {
        let all = self.moves.iter().enumerate();
        all.filter(move |(at, _)| done & (1 << at) == 0)
    }

    fn is_over(&self, done: u128) -> bool {
        self.left(done).all(|(_, timed)| !timed.must)
    }

    /// What may come next: nothing that began after another one ended that has not come yet.
    fn next(&self, done: u128, model: &Model) -> Vec<(u128, Model)> {
        let first_end = self.left(done).map(|(_, timed)| timed.ended).min();
        let first_end = first_end.unwrap_or(Tick::MAX);
        let ready = self.left(done).filter(|(_, timed)| timed.begun <= first_end);
        let stepped = ready.filter_map(|(at, timed)| {
            let after = self.step(model, timed)?;
            Some((done | 1 << at, after))
        });
        stepped.collect()
    }

    fn step(&self, model: &Model, timed: &Timed<'_>) -> Option<Model> {
        match &timed.what {
            Move::Append(append, seq) => self.append(model, timed, append, *seq),
            Move::AppendRefused(append, refusal) => {
                let known = model
                    .messages
                    .iter()
                    .find(|(request, _)| *request == append.request);
                let right = match refusal {
                    Refusal::Erased => model.fenced,
                    Refusal::Closed => model.closed && known.is_none(),
                    Refusal::RequestReused => known.is_some_and(|(_, text)| *text != append.text),
                    Refusal::NotFound | Refusal::Unavailable => true,
                };
                right.then(|| model.clone())
            }
            Move::Rows(page) => model.has(page).then(|| model.clone()),
            Move::Readable => (!model.fenced).then(|| model.clone()),
            Move::Erased => model.fenced.then(|| model.clone()),
            Move::Close => Some(Model {
                closed: true,
                ..model.clone()
            }),
            Move::Fence => Some(Model {
                fenced: true,
                ..model.clone()
            }),
        }
    }

    /// What was sealed before a fence may be stored behind it; what began after its answer may not.
    fn append(&self, model: &Model, timed: &Timed<'_>, append: &Append, seq: Option<Seq>) -> Option<Model> {
        if seq.is_some() && timed.begun > self.fenced_by {
            return None;
        }
        let known = model
            .messages
            .iter()
            .position(|(request, _)| *request == append.request);
        let place = match known {
            Some(at) => (model.messages[at].1 == append.text).then_some(at + 1)?,
            None if model.closed => return None,
            None => model.messages.len() + 1,
        };
        if seq.is_some_and(|seq| seq != place as Seq) {
            return None;
        }
        let mut after = model.clone();
        if known.is_none() {
            after.messages.push((append.request, append.text));
        }
        Some(after)
    }
}

impl Model {
    /// Whether it would show these places. What is erased may be anything.
    fn has(&self, page: &Page) -> bool {
        let count = self.messages.len() as Seq;
        let from = page.from.max(1);
        let rows_are = (from..).zip(&page.rows).all(|(seq, row)| {
            let stored = usize::try_from(seq - 1).ok().and_then(|at| self.messages.get(at));
            row.seq == seq
                && stored.is_some_and(|(_, text)| row.shown.text().is_none_or(|shown| shown == *text))
        });
        let end_is = match (page.end, page.rows.is_empty()) {
            (true, true) => count < from,
            (true, false) => count == page.last(),
            (false, true) => false,
            (false, false) => count > page.last(),
        };
        rows_are && end_is
    }
}
