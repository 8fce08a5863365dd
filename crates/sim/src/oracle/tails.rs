//! Tails: every message after the start, each once and in order; an end or a reset only with a reason.

use super::attempts::Attempts;
use super::facts::{Facts, Tailing};
use super::{Kind, Violation};
use crate::history::{Call, Seq, TailEnd, TailEvent, TailStart, Tick};

pub(super) fn check(facts: &Facts<'_>, attempts: &Attempts<'_>, found: &mut Vec<Violation>) {
    for tail in &facts.tails {
        order(facts, tail, found);
        untold(facts, attempts, tail, found);
        reasons(facts, attempts, tail, found);
    }
}

fn messages<'h>(tail: &Tailing<'h>) -> impl Iterator<Item = (Tick, Seq)> + use<'h> {
    let events = tail.call.tail.events.iter();
    events.filter_map(|(tick, event)| match event {
        TailEvent::Message(row) => Some((*tick, row.seq)),
        TailEvent::Erased | TailEvent::Closed => None,
    })
}

fn order(facts: &Facts<'_>, tail: &Tailing<'_>, found: &mut Vec<Violation>) {
    let report = |what: String, other: Option<&Call>| {
        let calls: Vec<&Call> = other.into_iter().chain([tail.call]).collect();
        Violation::new(Kind::TailOrder, what, &calls)
    };
    let mut last = tail.start.seq();
    for (_, seq) in messages(tail) {
        let broken = match last {
            Some(last) => seq != last + 1,
            None => !begins_now(facts, tail, seq, found),
        };
        if broken {
            let before = last.map_or("the present end".to_owned(), |last| last.to_string());
            found.push(report(format!("place {seq} came after {before}"), None));
            return;
        }
        last = Some(seq);
    }
    let closed = tail
        .call
        .tail
        .events
        .iter()
        .position(|(_, event)| *event == TailEvent::Closed);
    let Some(closed) = closed else { return };
    if closed + 1 != tail.call.tail.events.len() {
        found.push(report("something came after the end".into(), None));
    }
    // Where it began is known, or some message was told; else nothing says where "now" was.
    let missing = facts.acks().find(|(append, ack)| {
        last.is_some_and(|last| ack.seq > last)
            || (last.is_none() && append.call.begun > tail.call.answered())
    });
    if let Some((append, ack)) = missing {
        let what = format!("the conversation was said to end before place {}", ack.seq);
        found.push(report(what, Some(append.call)));
    }
}

/// Whether a tail from now may begin with `first`: behind what was acknowledged before it, and with nothing left out
/// that somebody began to write after it was accepted.
fn begins_now(facts: &Facts<'_>, tail: &Tailing<'_>, first: Seq, found: &mut Vec<Violation>) -> bool {
    let wrong = facts.acks().find(|(append, ack)| {
        let before = append.call.answered() < tail.call.begun && ack.seq >= first;
        let left_out = append.call.begun > tail.call.answered() && !ack.replayed && ack.seq < first;
        before || left_out
    });
    if let Some((append, ack)) = wrong {
        let what = format!("it began at {first}, and place {} says otherwise", ack.seq);
        found.push(Violation::new(Kind::TailOrder, what, &[append.call, tail.call]));
    }
    wrong.is_none()
}

/// Who resumes from a position from before an erasure is told so first.
fn untold(facts: &Facts<'_>, attempts: &Attempts<'_>, tail: &Tailing<'_>, found: &mut Vec<Violation>) {
    let TailStart::Position { given, .. } = tail.start else {
        return;
    };
    let Some((_, first)) = tail.call.tail.events.first() else {
        return;
    };
    if *first == TailEvent::Erased {
        return;
    }
    let missed = attempts.whole(facts).find(|attempt| {
        given < attempt.asked.begun && attempt.since().is_some_and(|since| since < tail.call.begun)
    });
    if let Some(attempt) = missed {
        let what = format!("a tail of {} from a position of before", facts.chat);
        found.push(Violation::new(
            Kind::ErasureUntold,
            what,
            &[attempt.asked, tail.call],
        ));
    }
}

fn reasons(facts: &Facts<'_>, attempts: &Attempts<'_>, tail: &Tailing<'_>, found: &mut Vec<Violation>) {
    let erased_by = |tick| attempts.touching(facts, None, tick).next().is_some();
    let closed_by = |tick| facts.closes.iter().any(|close| close.begun <= tick);
    let mut report = |what: &str| found.push(Violation::new(Kind::TailEnd, what, &[tail.call]));
    for (at, (tick, event)) in tail.call.tail.events.iter().enumerate() {
        match event {
            TailEvent::Message(_) => {}
            TailEvent::Erased => {
                let from_position = matches!(tail.start, TailStart::Position { .. });
                if at > 0 || !from_position || !erased_by(*tick) {
                    report("it told of an erasure");
                }
            }
            TailEvent::Closed => {
                if !closed_by(*tick) {
                    report("it told of the conversation's end");
                }
            }
        }
    }
    let told_end = matches!(tail.call.tail.events.last(), Some((_, TailEvent::Closed)));
    match tail.call.tail.end {
        Some((tick, TailEnd::Reset)) if !erased_by(tick) => report("it was reset"),
        Some((_, TailEnd::Whole)) if !told_end => report("it ended and told no reason"),
        Some(_) | None => {}
    }
}
