//! FENCED (erasure.md R2, R5, R6): no read that begins after the answer, on any node, shows anything of the target, and
//! what is erased for good takes nothing more. Content of others stays, and nothing comes back.

use std::collections::BTreeMap;

use super::attempts::{Attempt, Attempts};
use super::facts::{Facts, Sighting};
use super::{Kind, Violation};
use crate::history::{Call, Outcome, Refusal, Seq, Shown, Target, Tick};

pub(super) fn check(facts: &Facts<'_>, attempts: &Attempts<'_>, found: &mut Vec<Violation>) {
    for sighting in &facts.sightings {
        shown(facts, attempts, sighting, found);
        has_reason(facts, attempts, sighting, found);
    }
    accepted(facts, attempts, found);
    restored(facts, attempts, found);
}

fn shown(facts: &Facts<'_>, attempts: &Attempts<'_>, sighting: &Sighting<'_>, found: &mut Vec<Violation>) {
    let row = sighting.row;
    let stored = facts
        .places
        .get(&row.seq)
        .map_or(Tick::MAX, |place| place.first.1);
    let in_effect = |attempt: &&Attempt<'_>| attempt.since().is_some_and(|since| since < sighting.begun);
    let text = row.shown.text().and_then(|text| {
        let body = facts.bodies.get(&text);
        attempts.killing(facts, body, stored).find(in_effect)
    });
    let named = row.author.and_then(|author| {
        attempts.whole(facts).find(in_effect).or_else(|| {
            let own = |attempt: &&Attempt<'_>| {
                let tenant = facts.create.map(|(new, _)| new.tenant);
                tenant.is_some_and(|tenant| attempt.target == Target::Person(tenant, author))
                    && stored < attempt.asked.begun
            };
            let mut touching = attempts.touching(facts, None, Tick::MAX);
            touching.find(|attempt| own(attempt) && in_effect(attempt))
        })
    });
    if let Some(attempt) = text.or(named) {
        let what = format!(
            "place {} of {}, {} fenced since {}",
            row.seq,
            facts.chat,
            attempt.target,
            attempt.since().unwrap_or(0)
        );
        let calls: Vec<&Call> = [attempt.asked, sighting.call]
            .into_iter()
            .chain(attempt.fenced)
            .collect();
        found.push(Violation::new(Kind::ShownAfterFence, what, &calls));
    }
}

fn has_reason(
    facts: &Facts<'_>,
    attempts: &Attempts<'_>,
    sighting: &Sighting<'_>,
    found: &mut Vec<Violation>,
) {
    let seq = sighting.row.seq;
    let none = attempts
        .touching(facts, facts.body_at(seq), sighting.seen)
        .next()
        .is_none();
    if sighting.row.shown == Shown::Erased && none {
        let what = format!("place {seq} of {}", facts.chat);
        found.push(Violation::new(Kind::ErasedWithoutReason, what, &[sighting.call]));
    }
}

fn accepted(facts: &Facts<'_>, attempts: &Attempts<'_>, found: &mut Vec<Violation>) {
    for (append, ack) in facts.acks() {
        let body = facts.bodies.get(&append.asked.text);
        let answered = append.call.answered();
        if ack.erased && attempts.touching(facts, body, answered).next().is_none() {
            let what = format!("the ack of place {} of {}", ack.seq, facts.chat);
            found.push(Violation::new(Kind::ErasedWithoutReason, what, &[append.call]));
        }
        let dead = attempts.whole(facts).find(|attempt| {
            attempt
                .since()
                .is_some_and(|since| since + attempts.deaf_max() < append.call.begun)
        });
        if let Some(attempt) = dead {
            let what = format!("place {} of {}", ack.seq, facts.chat);
            let calls: Vec<&Call> = [attempt.asked, append.call]
                .into_iter()
                .chain(attempt.fenced)
                .collect();
            found.push(Violation::new(Kind::AcceptedAfterFence, what, &calls));
        }
    }
}

/// Once something was shown as erased, no later read shows it. Where all erasures are of the whole conversation, that
/// holds for all of it at once.
fn restored(facts: &Facts<'_>, attempts: &Attempts<'_>, found: &mut Vec<Violation>) {
    let whole: Vec<*const Attempt<'_>> = attempts.whole(facts).map(std::ptr::from_ref).collect();
    let at_once = attempts
        .touching(facts, None, Tick::MAX)
        .all(|attempt| whole.contains(&std::ptr::from_ref(attempt)));
    let part = |seq: Seq| if at_once { 0 } else { seq };
    let mut gone: BTreeMap<Seq, (Tick, &Call)> = BTreeMap::new();
    let mut note = |part, tick, call| {
        let first = gone.entry(part).or_insert((tick, call));
        if tick < first.0 {
            *first = (tick, call);
        }
    };
    let erased = |sighting: &&Sighting<'_>| sighting.row.shown == Shown::Erased;
    for sighting in facts.sightings.iter().filter(erased) {
        note(part(sighting.row.seq), sighting.seen, sighting.call);
    }
    if at_once {
        let refused = |call: &&&Call| matches!(call.outcome, Outcome::Refused(Refusal::Erased));
        for call in facts.calls.iter().filter(refused) {
            note(0, call.answered(), call);
        }
    }
    for sighting in facts.sightings.iter().filter(|sighting| !erased(sighting)) {
        let seq = sighting.row.seq;
        let Some((tick, call)) = gone.get(&part(seq)).copied() else {
            continue;
        };
        if tick < sighting.begun {
            let what = format!("place {seq} of {} was erased by {tick}", facts.chat);
            found.push(Violation::new(Kind::Restored, what, &[call, sighting.call]));
        }
    }
}
