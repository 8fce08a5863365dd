//! Changes to a history, each of which some defect of a cluster would make.

use eunoe_sim::history::{Call, History, Outcome, Page, Refusal, Reply, Shown, Tick};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    /// A message gets another place.
    Move(i8),
    /// A page misses its last message and does not know.
    Stale,
    /// A page misses a message in the middle.
    Gap,
    /// Two messages of a page change places.
    Swap,
    /// A message is shown twice.
    Duplicate,
    /// A page says that it is the end, or that it is not.
    End,
    /// What was shown as readable is shown as erased.
    Erase,
    /// An answer is lost.
    Forget,
    /// A call takes another time.
    Shift(Tick, Tick),
    /// A call is refused.
    Refuse(Refusal),
}

pub(crate) fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        prop_oneof![Just(-1i8), Just(1)].prop_map(Change::Move),
        Just(Change::Stale),
        Just(Change::Gap),
        Just(Change::Swap),
        Just(Change::Duplicate),
        Just(Change::End),
        Just(Change::Erase),
        Just(Change::Forget),
        (70u64..230, 0u64..30).prop_map(|(begun, long)| Change::Shift(begun, begun + long)),
        prop_oneof![
            Just(Refusal::Closed),
            Just(Refusal::RequestReused),
            Just(Refusal::Erased)
        ]
        .prop_map(Change::Refuse),
    ]
}

fn page(call: &mut Call) -> Option<&mut Page> {
    match &mut call.outcome {
        Outcome::Ok(Reply::Page(page)) => Some(page),
        Outcome::Ok(_) | Outcome::Pending | Outcome::Refused(_) | Outcome::Unknown => None,
    }
}

/// Changes the first call that it can change, from `at` on.
pub(crate) fn apply(history: &mut History, change: Change, at: usize) {
    let calls = history.calls_mut();
    let count = calls.len();
    for offset in 0..count {
        if change_call(&mut calls[(at + offset) % count], change) {
            return;
        }
    }
}

fn change_call(call: &mut Call, change: Change) -> bool {
    match change {
        Change::Move(by) => {
            let Outcome::Ok(Reply::Appended(ack)) = &mut call.outcome else {
                return false;
            };
            ack.seq = ack.seq.saturating_add_signed(by.into());
            true
        }
        Change::Forget => {
            let answered = matches!(call.outcome, Outcome::Ok(_));
            call.outcome = Outcome::Unknown;
            answered
        }
        Change::Shift(begun, ended) => {
            call.begun = begun;
            if call.ended.is_some() {
                call.ended = Some(ended);
            }
            true
        }
        Change::Refuse(refusal) => {
            let append = matches!(
                call.outcome,
                Outcome::Ok(Reply::Appended(_)) | Outcome::Refused(_)
            );
            let is_append = matches!(call.operation, eunoe_sim::history::Operation::Append(_));
            if append && is_append {
                call.outcome = Outcome::Refused(refusal);
            }
            append && is_append
        }
        Change::Stale | Change::Gap | Change::Swap | Change::Duplicate | Change::End | Change::Erase => {
            page(call).is_some_and(|page| change_page(page, change))
        }
    }
}

fn change_page(page: &mut Page, change: Change) -> bool {
    let count = page.rows.len();
    let rows_needed = if matches!(change, Change::End) {
        0
    } else {
        1 + usize::from(matches!(change, Change::Gap | Change::Swap))
    };
    if count < rows_needed {
        return false;
    }
    match change {
        Change::Stale => page.rows.truncate(count - 1),
        Change::Gap => drop(page.rows.remove((count - 1) / 2)),
        Change::Swap => {
            let first = page.rows[0].shown;
            page.rows[0].shown = page.rows[1].shown;
            page.rows[1].shown = first;
        }
        Change::Duplicate => {
            let mut row = page.rows[count - 1];
            row.seq += 1;
            page.rows.push(row);
        }
        Change::End => page.end = !page.end,
        Change::Erase => page.rows[0].shown = Shown::Erased,
        Change::Move(_) | Change::Forget | Change::Shift(..) | Change::Refuse(_) => return false,
    }
    true
}
