//! What the world asks once all faults are over.

use std::collections::BTreeMap;

use super::{Kind, Violation};
use crate::history::{Call, Chat, History, Operation, Outcome, Reply, Row, Seq, Tick};

/// Every call that began at `from` or later was answered with OK. The world sends only calls that should be.
pub fn all_ok(history: &History, from: Tick) -> Vec<Violation> {
    let late = history.calls().iter().filter(|call| call.begun >= from);
    let failed = late.filter(|call| !matches!(call.outcome, Outcome::Ok(_)));
    failed
        .map(|call| Violation::new(Kind::NotLive, format!("after {from}"), &[call]))
        .collect()
}

/// All reads that began at `from` or later show the same: the same message in each place, and the same end. Nothing may
/// be written or erased from then on.
pub fn all_agree(history: &History, from: Tick) -> Vec<Violation> {
    let mut rows: BTreeMap<(Chat, Seq), (&Call, &Row)> = BTreeMap::new();
    let mut ends: BTreeMap<Chat, (&Call, Seq)> = BTreeMap::new();
    let mut found = Vec::new();
    for call in history.calls().iter().filter(|call| call.begun >= from) {
        let (Operation::Read(chat), Some(Reply::Page(page))) = (&call.operation, call.reply()) else {
            continue;
        };
        for row in &page.rows {
            let (other, first) = *rows.entry((*chat, row.seq)).or_insert((call, row));
            if first != row {
                let what = format!("place {} of {chat}", row.seq);
                found.push(Violation::new(Kind::NodesDiffer, what, &[other, call]));
            }
        }
        if page.end && !page.rows.is_empty() {
            let (other, last) = *ends.entry(*chat).or_insert((call, page.last()));
            if last != page.last() {
                let what = format!("the end of {chat}");
                found.push(Violation::new(Kind::NodesDiffer, what, &[other, call]));
            }
        }
    }
    found
}
