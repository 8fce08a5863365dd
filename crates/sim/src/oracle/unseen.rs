//! Which requests stand in the places whose text nobody read.
//!
//! An order is possible exactly if no message was asked for after another one in front of it had to stand. So a place takes
//! any request that was begun before the places from there on had to stand. Those that must be somewhere go first, each as
//! far in front as it may; that leaves the later places, which are the easier ones, to the others.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::Facts;
use super::order::{Bound, earliest, last_place};
use crate::history::{Call, Outcome, Refusal, Request, Seq, Text, Tick};

/// A request that nobody saw take effect, and that may have.
pub(super) struct Candidate<'h> {
    request: Request,
    /// Not before.
    pub(super) release: Bound<'h>,
    /// It must have taken effect by then, because another body was refused for it.
    pub(super) deadline: Option<Bound<'h>>,
}

/// Requests in their places.
pub(super) struct Filled<'h> {
    /// Where there was a gap.
    pub(super) gaps: BTreeMap<Seq, Candidate<'h>>,
    /// Those that must be somewhere and fit into no gap, in their order.
    pub(super) behind: Vec<Candidate<'h>>,
}

/// Fills the gaps as far as they can be filled. `deadlines` are those of the places.
pub(super) fn fill<'h>(facts: &Facts<'h>, deadlines: &BTreeMap<Seq, Bound<'h>>) -> Filled<'h> {
    let end = last_place(facts, deadlines);
    let mut open: BTreeSet<Seq> = (1..=end)
        .filter(|seq| facts.body_at(*seq).and_then(|body| body.first()).is_none())
        .collect();
    let mut filled = Filled {
        gaps: BTreeMap::new(),
        behind: Vec::new(),
    };
    let mut deadlines = deadlines.clone();
    let (mut must, mut may): (Vec<_>, Vec<_>) = candidates(facts)
        .into_iter()
        .partition(|candidate| candidate.deadline.is_some());
    must.sort_by_key(|candidate| candidate.deadline.map(|deadline| deadline.tick));
    for candidate in must {
        let by = standing_by(&open, &deadlines);
        let place = by.into_iter().find(|(_, by)| candidate.release.tick <= *by);
        let Some((seq, _)) = place else {
            filled.behind.push(candidate);
            continue;
        };
        open.remove(&seq);
        if let Some(deadline) = candidate.deadline {
            let known = deadlines.entry(seq).or_insert(deadline);
            *known = earliest(*known, deadline);
        }
        filled.gaps.insert(seq, candidate);
    }
    may.sort_by_key(|candidate| (candidate.release.tick, candidate.request));
    filled.gaps.extend(open.into_iter().zip(may));
    filled
}

/// For each open place, when it or one behind it has to stand.
fn standing_by(open: &BTreeSet<Seq>, deadlines: &BTreeMap<Seq, Bound<'_>>) -> BTreeMap<Seq, Tick> {
    let mut by = BTreeMap::new();
    let mut left = deadlines.iter().rev().peekable();
    let mut first = Tick::MAX;
    for seq in open.iter().rev() {
        while let Some((_, deadline)) = left.next_if(|(place, _)| *place >= seq) {
            first = first.min(deadline.tick);
        }
        by.insert(*seq, first);
    }
    by
}

/// Calls that were refused because of another body, and the bodies that it may have been.
pub(super) fn reused<'h>(facts: &Facts<'h>) -> Vec<(&'h Call, Vec<Text>)> {
    let refused = facts
        .appends()
        .filter(|append| matches!(append.call.outcome, Outcome::Refused(Refusal::RequestReused)));
    let others = refused.map(|append| {
        let texts = facts.requests.get(&append.asked.request).into_iter().flatten();
        let others = texts.copied().filter(|text| *text != append.asked.text);
        (append.call, others.collect())
    });
    others.collect()
}

fn candidates<'h>(facts: &Facts<'h>) -> Vec<Candidate<'h>> {
    let placed: Vec<Text> = facts.places.values().filter_map(|place| place.text).collect();
    let placed: BTreeSet<Text> = placed.into_iter().collect();
    let refused = reused(facts);
    let mut candidates = Vec::new();
    for (request, texts) in &facts.requests {
        if texts.iter().any(|text| placed.contains(text)) {
            continue;
        }
        let bodies = texts.iter().filter_map(|text| facts.bodies.get(text));
        let possible = bodies.filter(|body| facts.may_stand(body));
        let Some(first) = possible
            .filter_map(|body| body.first())
            .min_by_key(|call| call.begun)
        else {
            continue;
        };
        let deadline = refused
            .iter()
            .filter(|(_, others)| texts.iter().any(|text| others.contains(text)))
            .map(|(call, _)| *call)
            .min_by_key(|call| call.answered());
        candidates.push(Candidate {
            request: *request,
            release: Bound {
                tick: first.begun,
                call: first,
            },
            deadline: deadline.map(|call| Bound {
                tick: call.answered(),
                call,
            }),
        });
    }
    candidates
}
