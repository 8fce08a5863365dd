//! Sorts a history into what is known of each conversation.

use std::collections::BTreeMap;

use super::facts::{Appending, Body, Facts, Place, Reading, Sighting, Tailing};
use super::{Kind, Violation};
use crate::history::{Call, Chat, History, Operation, Reply, Seq, TailEvent, Text, Tick};

/// What is known of every conversation. What cannot be put together is reported.
pub(super) fn by_chat<'h>(history: &'h History, found: &mut Vec<Violation>) -> BTreeMap<Chat, Facts<'h>> {
    let mut chats = BTreeMap::new();
    for call in history.calls() {
        let Some(chat) = chat_of(&call.operation) else {
            continue;
        };
        let facts = chats.entry(chat).or_insert_with(|| Facts::new(chat));
        facts.calls.push(call);
        if !reply_fits(call) {
            let what = "a reply belongs to another operation, or has no tick";
            found.push(Violation::new(Kind::Recording, what, &[call]));
            continue;
        }
        note(facts, call, found);
    }
    for facts in chats.values_mut() {
        sightings(facts);
        places(facts, found);
    }
    chats
}

fn chat_of(operation: &Operation) -> Option<Chat> {
    match operation {
        Operation::Create(new) => Some(new.chat),
        Operation::Append(append) => Some(append.chat),
        Operation::Close(chat) | Operation::Read(chat) | Operation::Tail { chat, .. } => Some(*chat),
        Operation::Erase(_) | Operation::Look(_) => None,
    }
}

fn reply_fits(call: &Call) -> bool {
    let Some(reply) = call.reply() else { return true };
    call.ended.is_some_and(|tick| tick >= call.begun)
        && matches!(
            (&call.operation, reply),
            (Operation::Create(_), Reply::Created)
                | (Operation::Close(_), Reply::Closed)
                | (Operation::Append(_), Reply::Appended(_))
                | (Operation::Read(_), Reply::Page(_))
                | (Operation::Tail { .. }, Reply::Tailing)
        )
}

fn note<'h>(facts: &mut Facts<'h>, call: &'h Call, found: &mut Vec<Violation>) {
    match (&call.operation, call.reply()) {
        (Operation::Create(new), _) if !call.is_refused() => {
            // A retry is the same call to whoever asks when it was there.
            let earlier = facts
                .create
                .filter(|(_, known)| known.answered() <= call.answered());
            facts.create = earlier.or(Some((new, call)));
        }
        (Operation::Append(asked), reply) => {
            let ack = match reply {
                Some(Reply::Appended(ack)) => Some(ack),
                Some(_) | None => None,
            };
            note_append(facts, Appending { call, asked, ack }, found);
        }
        (Operation::Read(_), Some(Reply::Page(page))) => facts.reads.push(Reading { call, page }),
        (Operation::Tail { start, .. }, Some(_)) => facts.tails.push(Tailing { call, start: *start }),
        (Operation::Close(_), _) if !call.is_refused() => facts.closes.push(call),
        (
            Operation::Create(_)
            | Operation::Close(_)
            | Operation::Read(_)
            | Operation::Tail { .. }
            | Operation::Erase(_)
            | Operation::Look(_),
            _,
        ) => {}
    }
}

fn note_append<'h>(facts: &mut Facts<'h>, append: Appending<'h>, found: &mut Vec<Violation>) {
    let body = facts.bodies.entry(append.asked.text).or_insert_with(|| Body {
        asked: append.asked,
        calls: Vec::new(),
    });
    if body.asked != append.asked {
        let what = format!("{} is of two bodies", append.asked.text);
        let calls = [body.calls[0].call, append.call];
        found.push(Violation::new(Kind::Recording, what, &calls));
        return;
    }
    body.calls.push(append);
    let texts = facts.requests.entry(append.asked.request).or_default();
    if !texts.contains(&append.asked.text) {
        texts.push(append.asked.text);
    }
}

fn sightings(facts: &mut Facts<'_>) {
    for read in &facts.reads {
        let (call, begun, seen) = (read.call, read.call.begun, read.call.answered());
        facts.sightings.extend(read.page.rows.iter().map(|row| Sighting {
            call,
            row,
            begun,
            seen,
        }));
    }
    for tail in &facts.tails {
        for (seen, event) in &tail.call.tail.events {
            let TailEvent::Message(row) = event else { continue };
            // A message cannot have been read before somebody began to write it.
            let body = row.shown.text().and_then(|text| facts.bodies.get(&text));
            let written = body.and_then(Body::first).map_or(0, |call| call.begun);
            facts.sightings.push(Sighting {
                call: tail.call,
                row,
                begun: tail.call.begun.max(written),
                seen: *seen,
            });
        }
    }
}

/// What somebody said of a place.
struct Claim<'h> {
    seq: Seq,
    text: Option<Text>,
    time: u64,
    call: &'h Call,
    at: Tick,
}

fn places<'h>(facts: &mut Facts<'h>, found: &mut Vec<Violation>) {
    let acks = facts.acks().map(|(append, ack)| Claim {
        seq: ack.seq,
        text: Some(append.asked.text),
        time: ack.time,
        call: append.call,
        at: append.call.answered(),
    });
    let rows = facts.sightings.iter().map(|sighting| Claim {
        seq: sighting.row.seq,
        text: sighting.row.shown.text(),
        time: sighting.row.time,
        call: sighting.call,
        at: sighting.seen,
    });
    let claims: Vec<Claim<'h>> = acks.chain(rows).collect();
    let mut places: BTreeMap<Seq, Place<'h>> = BTreeMap::new();
    for claim in claims {
        let place = places.entry(claim.seq).or_insert(Place {
            text: None,
            time: claim.time,
            first: (claim.call, claim.at),
        });
        let differs = match (place.text, claim.text) {
            (Some(known), Some(other)) => known != other,
            (None, _) | (_, None) => false,
        };
        if differs || place.time != claim.time {
            let what = format!("place {} of {}", claim.seq, facts.chat);
            let calls = [place.first.0, claim.call];
            found.push(Violation::new(Kind::TwoInOnePlace, what, &calls));
        }
        place.text = place.text.or(claim.text);
        if claim.at < place.first.1 {
            place.first = (claim.call, claim.at);
        }
    }
    facts.places = places;
}
