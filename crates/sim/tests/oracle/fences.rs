//! Each violation of FENCED and of the ladder, beside a history that is nearly the same and right.

use eunoe_sim::history::{Erasure, Outcome, Page, Refusal, Step, TailEvent, TailStart, Target};
use eunoe_sim::oracle::Kind;

use super::build::{ANNA, BERT, CHAT, Log, TENANT, ack, erasure, row, rows, text};

const ANNA_OF_TENANT: Target = Target::Person(TENANT, ANNA);

fn one() -> Log {
    Log::support().append((2, 5), 1, ack(1))
}

#[test]
fn a_later_read_shows_nothing_of_a_person_a_conversation_or_a_tenant() {
    for target in [ANNA_OF_TENANT, Target::Chat(CHAT), Target::Tenant(TENANT)] {
        let fenced = || one().erase((10, 20), target, Step::Fenced);
        fenced().read((21, 25), &[1]).violates(Kind::ShownAfterFence);
        fenced().read((20, 25), &[1]).is_right();
        fenced().read((21, 25), &[0]).is_right();
        fenced().read((11, 12), &[0]).is_right();
        fenced().read((8, 9), &[0]).violates(Kind::ErasedWithoutReason);
    }
    let asked = || one().erase((10, 20), Target::Tenant(TENANT), Step::Requested);
    asked().read((21, 25), &[1]).is_right();
    asked()
        .look((30, 31), erasure(1, Step::Fenced))
        .read((32, 33), &[1])
        .violates(Kind::ShownAfterFence);
}

#[test]
fn what_others_own_stays_readable() {
    let peers = || {
        let log = Log::peers().body((2, 3), ANNA, 1, 1, ack(1));
        let log = log.body((4, 5), BERT, 2, 2, ack(2));
        log.erase((10, 20), ANNA_OF_TENANT, Step::Fenced)
    };
    peers().read((21, 25), &[0, 2]).is_right();
    peers().read((21, 25), &[1, 2]).violates(Kind::ShownAfterFence);
    peers()
        .read((21, 25), &[0, 0])
        .violates(Kind::ErasedWithoutReason);
    // She comes back as somebody new under the same name.
    let back = || peers().body((21, 22), ANNA, 3, 3, ack(3));
    back().read((23, 25), &[0, 2, 3]).is_right();
    back()
        .read((23, 25), &[0, 2, 0])
        .violates(Kind::ErasedWithoutReason);
    // Written while she was erased, it may be of either.
    let between = || peers().body((15, 22), ANNA, 3, 3, ack(3));
    between().read((23, 25), &[0, 2, 3]).is_right();
    between().read((23, 25), &[0, 2, 0]).is_right();
}

#[test]
fn a_fenced_author_is_not_named() {
    let named = |begun| {
        let mut rows = rows(&[0]);
        rows[0].author = Some(ANNA);
        let page = Page {
            from: 1,
            rows,
            end: true,
        };
        let log = Log::peers().append((2, 5), 1, ack(1));
        log.erase((10, 20), ANNA_OF_TENANT, Step::Fenced)
            .page((begun, 30), page)
    };
    named(21).violates(Kind::ShownAfterFence);
    named(20).is_right();
}

#[test]
fn a_tail_shows_nothing_that_was_read_later() {
    let told = |at, tail| {
        let fenced = one().erase((10, 20), Target::Chat(CHAT), Step::Fenced);
        fenced.tail(
            tail,
            TailStart::After(0),
            &[(at, TailEvent::Message(row(1, text(1))))],
            None,
        )
    };
    told(30, 21).violates(Kind::ShownAfterFence);
    // On its way since before.
    told(30, 19).is_right();
}

#[test]
fn an_erased_conversation_takes_nothing_for_good() {
    for target in [ANNA_OF_TENANT, Target::Chat(CHAT)] {
        let fenced = || one().erase((10, 20), target, Step::Fenced);
        fenced()
            .append((21, 22), 2, ack(2))
            .violates(Kind::AcceptedAfterFence);
        fenced().append((20, 22), 2, ack(2)).is_right();
        fenced()
            .append((21, 22), 2, Outcome::Refused(Refusal::Erased))
            .is_right();
    }
    one()
        .append((21, 22), 2, Outcome::Refused(Refusal::Erased))
        .violates(Kind::RefusedWithoutReason);
    let refused_early = one().append((8, 9), 2, Outcome::Refused(Refusal::Erased));
    refused_early
        .erase((10, 20), ANNA_OF_TENANT, Step::Fenced)
        .violates(Kind::RefusedWithoutReason);
}

#[test]
fn nothing_comes_back() {
    // Nobody was told FENCED yet.
    let asked = || {
        let log = one();
        let mut log = log.erase((10, 90), Target::Chat(CHAT), Step::Fenced);
        let erase = log.0.calls().len() - 1;
        log.0.calls_mut()[erase].outcome = Outcome::Unknown;
        log
    };
    asked()
        .read((11, 12), &[0])
        .read((13, 14), &[1])
        .violates(Kind::Restored);
    asked().read((11, 13), &[0]).read((13, 14), &[1]).is_right();
    asked()
        .append((11, 12), 2, Outcome::Refused(Refusal::Erased))
        .read((13, 14), &[1])
        .violates(Kind::Restored);
}

#[test]
fn erasures_only_climb() {
    let log = |first: Erasure, second: Erasure| {
        let asked = one().erase((10, 20), Target::Chat(CHAT), Step::Fenced);
        asked.look((21, 22), first).look((23, 24), second)
    };
    let at = |step| erasure(1, step);
    log(at(Step::Rekeyed), at(Step::Destroyed)).is_right();
    log(at(Step::Rekeyed), at(Step::Rekeyed)).is_right();
    log(at(Step::Rekeyed), at(Step::Fenced)).violates(Kind::Ladder);
    log(at(Step::Destroyed), at(Step::DestroyedByMost)).violates(Kind::Ladder);
    let later = Erasure {
        rekeyed: Some(7),
        ..at(Step::Destroyed)
    };
    log(at(Step::Rekeyed), later).violates(Kind::Ladder);
    let never_rekeyed = Erasure {
        rekeyed: None,
        ..at(Step::Destroyed)
    };
    log(at(Step::Fenced), never_rekeyed).violates(Kind::Ladder);
    let awaited = Erasure {
        missing: 1,
        ..at(Step::Destroyed)
    };
    log(at(Step::Fenced), awaited).violates(Kind::Ladder);
    // On the same tick either may be the earlier.
    let asked = one().erase((10, 20), Target::Chat(CHAT), Step::Fenced);
    asked
        .look((21, 23), at(Step::Rekeyed))
        .look((23, 24), at(Step::Fenced))
        .is_right();
    one()
        .erase((10, 20), Target::Chat(CHAT), Step::Requested)
        .violates(Kind::Ladder);
}
