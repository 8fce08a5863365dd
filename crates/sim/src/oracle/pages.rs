//! One order without gaps, each request once, and nothing that nobody wrote.

use std::collections::BTreeMap;

use super::facts::{Facts, Sighting};
use super::{Kind, Violation};
use crate::history::{Call, Request, Seq, Text};

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Violation>) {
    places_begin_with_one(facts, found);
    pages_are_whole(facts, found);
    for sighting in &facts.sightings {
        was_written(facts, sighting, found);
    }
    requests_stand_once(facts, found);
    added_once(facts, found);
    times_do_not_go_back(facts, found);
}

fn pages_are_whole(facts: &Facts<'_>, found: &mut Vec<Violation>) {
    for read in &facts.reads {
        let from = read.page.from.max(1);
        let whole = (from..).zip(&read.page.rows).all(|(seq, row)| row.seq == seq);
        if !whole {
            let what = format!("a page from {from} of {}", facts.chat);
            found.push(Violation::new(Kind::Gap, what, &[read.call]));
        }
        if read.page.rows.is_empty() && !read.page.end {
            let what = "an empty page that is not the end";
            found.push(Violation::new(Kind::Gap, what, &[read.call]));
        }
    }
}

fn places_begin_with_one(facts: &Facts<'_>, found: &mut Vec<Violation>) {
    if let Some(place) = facts.places.get(&0) {
        let what = format!("a place 0 of {}", facts.chat);
        found.push(Violation::new(Kind::Gap, what, &[place.first.0]));
    }
}

fn was_written(facts: &Facts<'_>, sighting: &Sighting<'_>, found: &mut Vec<Violation>) {
    let Some(text) = sighting.row.shown.text() else {
        return;
    };
    let body = facts.bodies.get(&text);
    let written = body.and_then(|body| Some((body, body.first()?)));
    let Some((body, first)) = written.filter(|(_, call)| call.begun <= sighting.seen) else {
        let what = format!("{text} in place {} of {}", sighting.row.seq, facts.chat);
        found.push(Violation::new(Kind::FromNowhere, what, &[sighting.call]));
        return;
    };
    if sighting
        .row
        .author
        .is_some_and(|author| author != body.asked.author)
    {
        let what = format!("{text} by another author");
        found.push(Violation::new(Kind::FromNowhere, what, &[first, sighting.call]));
    }
}

fn requests_stand_once(facts: &Facts<'_>, found: &mut Vec<Violation>) {
    let mut standing: BTreeMap<Request, Seq> = BTreeMap::new();
    for (seq, place) in &facts.places {
        let Some(body) = place.text.and_then(|text| facts.bodies.get(&text)) else {
            continue;
        };
        let Some(other) = standing.insert(body.asked.request, *seq) else {
            continue;
        };
        let first = &facts.places[&other];
        let kind = match first.text == place.text {
            true => Kind::Twice,
            false => Kind::RequestReused,
        };
        let what = format!("{} stands in places {other} and {seq}", body.asked.request);
        found.push(Violation::new(kind, what, &[first.first.0, place.first.0]));
    }
}

/// Only one answer may say that it added the message.
fn added_once(facts: &Facts<'_>, found: &mut Vec<Violation>) {
    let mut added: BTreeMap<Text, &Call> = BTreeMap::new();
    for (append, _) in facts.acks().filter(|(_, ack)| !ack.replayed) {
        if let Some(other) = added.insert(append.asked.text, append.call) {
            let what = format!("{} was added by two calls", append.asked.request);
            found.push(Violation::new(Kind::Twice, what, &[other, append.call]));
        }
    }
}

fn times_do_not_go_back(facts: &Facts<'_>, found: &mut Vec<Violation>) {
    for ((before, first), (after, second)) in facts.places.iter().zip(facts.places.iter().skip(1)) {
        if second.time < first.time {
            let what = format!("place {after} is older than place {before} of {}", facts.chat);
            found.push(Violation::new(
                Kind::TimeWentBack,
                what,
                &[first.first.0, second.first.0],
            ));
        }
    }
}
