//! Erasures only climb, and each step shows what it needs.

use std::collections::BTreeMap;

use super::{Kind, Violation};
use crate::history::{Call, Erasure, ErasureNo, History, Operation, Reply, Step, Target, Tick};

/// An erasure as a call showed it.
#[derive(Clone, Copy)]
struct Look<'h> {
    call: &'h Call,
    shown: &'h Erasure,
}

pub(super) fn check(history: &History, found: &mut Vec<Violation>) {
    let mut looks: BTreeMap<ErasureNo, Vec<Look<'_>>> = BTreeMap::new();
    for call in history.calls() {
        let Some(Reply::Erasure(shown)) = call.reply() else {
            continue;
        };
        if let Some(what) = wrong(&call.operation, shown) {
            found.push(Violation::new(Kind::Ladder, what, &[call]));
        }
        looks.entry(shown.id).or_default().push(Look { call, shown });
    }
    for looks in looks.values() {
        only_up(looks, found);
    }
}

/// What a single answer says wrong.
fn wrong(operation: &Operation, shown: &Erasure) -> Option<&'static str> {
    let times = [
        (shown.fenced, Step::Fenced),
        (shown.rekeyed, Step::Rekeyed),
        (shown.destroyed, Step::DestroyedByMost),
    ];
    if times
        .iter()
        .any(|(time, step)| time.is_some() != (shown.step >= *step))
    {
        return Some("a step has no time, or a time comes before its step");
    }
    if let Operation::Erase(erase) = operation
        && !matches!(erase.target, Target::Tenant(_))
        && shown.step == Step::Requested
    {
        return Some("it was answered before it was fenced");
    }
    let waiting = matches!(shown.step, Step::Rekeyed | Step::DestroyedByMost);
    (shown.missing > 0 && !waiting).then_some("holders are missing where none are waited for")
}

/// What was shown before a call began is not taken back.
fn only_up(looks: &[Look<'_>], found: &mut Vec<Violation>) {
    let mut by_end = looks.to_vec();
    by_end.sort_by_key(|look| look.call.answered());
    let mut ended = by_end.into_iter().peekable();
    let mut highest: Option<Look<'_>> = None;
    for look in looks {
        while let Some(before) = ended.next_if(|before| before.call.answered() < look.call.begun) {
            if highest.is_none_or(|highest| before.shown.step > highest.shown.step) {
                highest = Some(before);
            }
        }
        let Some(highest) = highest else { continue };
        if look.shown.step < highest.shown.step {
            let what = format!("{} went back", look.shown.id);
            found.push(Violation::new(Kind::Ladder, what, &[highest.call, look.call]));
        }
        let times = |shown: &Erasure| [shown.fenced, shown.rekeyed, shown.destroyed];
        let kept = times(highest.shown).into_iter().zip(times(look.shown));
        if kept
            .into_iter()
            .any(|(before, now): (Option<Tick>, _)| before.is_some() && before != now)
        {
            let what = format!("a time of {} changed", look.shown.id);
            found.push(Violation::new(Kind::Ladder, what, &[highest.call, look.call]));
        }
    }
}
