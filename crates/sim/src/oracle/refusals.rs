//! A refusal that says something about the state needs a call that made the state so.

use super::attempts::Attempts;
use super::facts::Facts;
use super::{Kind, Violation};
use crate::history::{Append, Call, Operation, Outcome, Refusal, Target, Text};

pub(super) fn check(facts: &Facts<'_>, attempts: &Attempts<'_>, found: &mut Vec<Violation>) {
    for call in &facts.calls {
        let Outcome::Refused(refusal) = call.outcome else {
            continue;
        };
        let reason = match refusal {
            Refusal::Unavailable => true,
            Refusal::Erased => attempts.touching(facts, None, call.answered()).next().is_some(),
            Refusal::NotFound => may_be_unknown(facts, attempts, call),
            Refusal::Closed => may_be_closed(facts, call),
            Refusal::RequestReused => {
                append_of(call).is_some_and(|append| has_other_body(facts, append, call))
            }
        };
        if !reason {
            let what = format!("nothing makes it {refusal:?}");
            found.push(Violation::new(Kind::RefusedWithoutReason, what, &[call]));
        }
    }
}

fn append_of(call: &Call) -> Option<&Append> {
    match &call.operation {
        Operation::Append(append) => Some(append),
        Operation::Create(_)
        | Operation::Close(_)
        | Operation::Read(_)
        | Operation::Tail { .. }
        | Operation::Erase(_)
        | Operation::Look(_) => None,
    }
}

/// A conversation is found from its creation on, until its tenant is erased.
fn may_be_unknown(facts: &Facts<'_>, attempts: &Attempts<'_>, call: &Call) -> bool {
    let created = facts
        .create
        .is_some_and(|(_, create)| create.answered() < call.begun);
    let by = attempts.touching(facts, None, call.answered());
    !created
        || by
            .into_iter()
            .any(|attempt| matches!(attempt.target, Target::Tenant(_)))
}

/// A closed conversation still knows the request ids that it has, so a refused one is not among them.
fn may_be_closed(facts: &Facts<'_>, call: &Call) -> bool {
    let closed = facts.closes.iter().any(|close| close.begun <= call.answered());
    let texts = append_of(call).and_then(|append| facts.requests.get(&append.request));
    let stands = texts.into_iter().flatten().any(|text| stands(facts, *text));
    closed && !stands
}

fn stands(facts: &Facts<'_>, text: Text) -> bool {
    facts.places.values().any(|place| place.text == Some(text))
}

/// Another body stands under the request id, or may; so this one does not.
fn has_other_body(facts: &Facts<'_>, append: &Append, call: &Call) -> bool {
    let texts = facts.requests.get(&append.request).into_iter().flatten();
    let mut others = texts.filter(|text| **text != append.text);
    !stands(facts, append.text)
        && others.any(|text| {
            let body = facts.bodies.get(text).filter(|body| facts.may_stand(body));
            let first = body.and_then(|body| body.first());
            first.is_some_and(|first| first.begun <= call.answered())
        })
}
