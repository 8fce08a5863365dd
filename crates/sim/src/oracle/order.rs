//! Linearizability of a conversation, by one walk over its places.
//!
//! The server says where a message stands, so the order of messages is known. What is left is when each took its place:
//! not before anybody asked for it, nor before reads that had not seen it began; and not after its answer or a read that
//! saw it. Times rise with the places, so giving each the earliest one that is possible is best, and if that is too late,
//! nothing else works.

use std::collections::BTreeMap;

use super::facts::Facts;
use super::unseen::{self, Candidate, Filled};
use super::{Kind, Violation};
use crate::history::{Call, Outcome, Refusal, Seq, TailEvent, Text, Tick};

/// A bound and the call that sets it.
#[derive(Clone, Copy)]
pub(super) struct Bound<'h> {
    pub(super) tick: Tick,
    pub(super) call: &'h Call,
}

struct Walk<'a, 'h> {
    facts: &'a Facts<'h>,
    /// The earliest time of the place before.
    now: Option<Bound<'h>>,
    deadlines: BTreeMap<Seq, Bound<'h>>,
    /// What a place must not stand before: reads of the places in front of it that found nothing behind them.
    releases: BTreeMap<Seq, Bound<'h>>,
    filled: Filled<'h>,
}

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Violation>) {
    let (deadlines, releases) = (deadlines(facts), releases(facts));
    let filled = unseen::fill(facts, &deadlines);
    let walk = Walk {
        facts,
        now: None,
        deadlines,
        releases,
        filled,
    };
    if let Err(violation) = walk.run() {
        found.push(violation);
    }
}

impl<'h> Walk<'_, 'h> {
    fn run(mut self) -> Result<(), Violation> {
        let end = last_place(self.facts, &self.deadlines);
        for seq in 1..=end {
            let release = match self.facts.body_at(seq).and_then(|body| body.first()) {
                Some(call) => Bound {
                    tick: call.begun,
                    call,
                },
                None => self.unseen(seq)?,
            };
            self.step(seq, release)?;
        }
        // Requests that must have taken effect, and fit nowhere between the others, stand behind them.
        for (seq, candidate) in (end + 1..).zip(std::mem::take(&mut self.filled.behind)) {
            self.note(seq, &candidate);
            self.step(seq, candidate.release)?;
        }
        self.close()
    }

    fn unseen(&mut self, seq: Seq) -> Result<Bound<'h>, Violation> {
        if let Some(candidate) = self.filled.gaps.remove(&seq) {
            self.note(seq, &candidate);
            return Ok(candidate.release);
        }
        let known = self.facts.places.get(&seq).map(|place| place.first.0);
        let next = self.facts.places.range(seq + 1..).next();
        let seen = known
            .into_iter()
            .chain(self.deadlines.get(&seq).map(|bound| bound.call))
            .chain(self.now.map(|bound| bound.call))
            .chain(next.map(|(_, place)| place.first.0));
        let what = format!("place {seq} of {} can be no call's", self.facts.chat);
        Err(Violation::new(Kind::Gap, what, &seen.collect::<Vec<_>>()))
    }

    fn note(&mut self, seq: Seq, candidate: &Candidate<'h>) {
        if let Some(deadline) = candidate.deadline {
            let known = self.deadlines.entry(seq).or_insert(deadline);
            *known = earliest(*known, deadline);
        }
    }

    fn step(&mut self, seq: Seq, release: Bound<'h>) -> Result<(), Violation> {
        self.wait(release);
        if let Some(release) = self.releases.get(&seq).copied() {
            self.wait(release);
        }
        match self.deadlines.get(&seq).copied() {
            Some(deadline) => self.meet(deadline, |walk, now| walk.late(seq, now, deadline)),
            None => Ok(()),
        }
    }

    fn wait(&mut self, release: Bound<'h>) {
        self.now = Some(latest(self.now, release));
    }

    fn meet(
        &self,
        deadline: Bound<'h>,
        violation: impl FnOnce(&Self, Bound<'h>) -> Violation,
    ) -> Result<(), Violation> {
        match self.now {
            Some(now) if now.tick > deadline.tick => Err(violation(self, now)),
            Some(_) | None => Ok(()),
        }
    }

    fn late(&self, seq: Seq, now: Bound<'h>, deadline: Bound<'h>) -> Violation {
        let read = self.facts.reads.iter().find(|read| read.call.id == now.call.id);
        let blind = read.is_some_and(|read| read.page.last() < seq);
        let sightings = &self.facts.sightings;
        let shown_later = sightings
            .iter()
            .any(|sighting| sighting.row.seq >= seq && sighting.begun > deadline.tick);
        let kind = match (blind, shown_later) {
            (false, _) => Kind::NotLinearizable,
            (true, true) => Kind::StaleRead,
            (true, false) => Kind::AcknowledgedLost,
        };
        let what = format!(
            "place {seq} of {} was taken by {} and not before {}",
            self.facts.chat, deadline.tick, now.tick
        );
        Violation::new(kind, what, &[now.call, deadline.call])
    }

    /// A conversation closes behind its last message.
    fn close(mut self) -> Result<(), Violation> {
        let facts = self.facts;
        let refused = facts
            .appends()
            .filter(|append| matches!(append.call.outcome, Outcome::Refused(Refusal::Closed)));
        let said = facts.tails.iter().flat_map(|tail| {
            let events = tail.call.tail.events.iter();
            let closed = events.filter(|(_, event)| *event == TailEvent::Closed);
            closed.map(|(tick, _)| (*tick, tail.call))
        });
        let answers = facts
            .closes
            .iter()
            .copied()
            .chain(refused.map(|append| append.call));
        let by = answers.map(|call| (call.answered(), call)).chain(said);
        let Some((tick, call)) = by
            .min_by_key(|(tick, _)| *tick)
            .filter(|(tick, _)| *tick < Tick::MAX)
        else {
            return Ok(());
        };
        // Without any call that closes by then, the refusal itself is without a reason, and is reported as that.
        let first = facts.closes.iter().filter(|close| close.begun <= tick);
        if let Some(first) = first.min_by_key(|close| close.begun) {
            self.wait(Bound {
                tick: first.begun,
                call: first,
            });
        }
        self.meet(Bound { tick, call }, |walk, now| {
            let what = format!("{} was closed by {tick}", walk.facts.chat);
            Violation::new(Kind::AfterClose, what, &[call, now.call])
        })
    }
}

fn latest<'h>(one: Option<Bound<'h>>, other: Bound<'h>) -> Bound<'h> {
    one.filter(|one| one.tick >= other.tick).unwrap_or(other)
}

pub(super) fn earliest<'h>(one: Bound<'h>, other: Bound<'h>) -> Bound<'h> {
    if other.tick < one.tick { other } else { one }
}

/// The last place that anybody spoke of.
pub(super) fn last_place(facts: &Facts<'_>, deadlines: &BTreeMap<Seq, Bound<'_>>) -> Seq {
    let last = |seq: Option<&Seq>| seq.copied().unwrap_or(0);
    last(facts.places.keys().next_back()).max(last(deadlines.keys().next_back()))
}

fn deadlines<'h>(facts: &Facts<'h>) -> BTreeMap<Seq, Bound<'h>> {
    let mut deadlines: BTreeMap<Seq, Bound<'h>> = BTreeMap::new();
    let mut note = |seq, tick, call| {
        let bound = Bound { tick, call };
        let known = deadlines.entry(seq).or_insert(bound);
        *known = earliest(*known, bound);
    };
    for (seq, place) in &facts.places {
        note(*seq, place.first.1, place.first.0);
    }
    for read in facts.reads.iter().filter(|read| !read.page.end) {
        note(read.page.last() + 1, read.call.answered(), read.call);
    }
    let seqs: BTreeMap<Text, Seq> = facts
        .places
        .iter()
        .filter_map(|(seq, place)| Some((place.text?, *seq)))
        .collect();
    for (call, others) in unseen::reused(facts) {
        if let Some(seq) = others.iter().find_map(|text| seqs.get(text)) {
            note(*seq, call.answered(), call);
        }
    }
    deadlines
}

fn releases<'h>(facts: &Facts<'h>) -> BTreeMap<Seq, Bound<'h>> {
    let mut releases: BTreeMap<Seq, Bound<'h>> = BTreeMap::new();
    for read in facts.reads.iter().filter(|read| read.page.end) {
        let (tick, call) = (read.call.begun, read.call);
        let bound = releases
            .entry(read.page.last() + 1)
            .or_insert(Bound { tick, call });
        if tick > bound.tick {
            *bound = Bound { tick, call };
        }
    }
    releases
}
