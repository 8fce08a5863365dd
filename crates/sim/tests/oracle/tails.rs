//! Each violation by a tail, beside a tail that is nearly the same and right.

use eunoe_sim::history::{Outcome, Reply, Step, TailEnd, TailEvent, TailStart, Target, Tick};
use eunoe_sim::oracle::Kind;

use super::build::{CHAT, Log, ack, row, text};

/// Three messages by tick 7.
fn three() -> Log {
    (1..=3).fold(Log::support(), |log, number| {
        let at = 2 * Tick::from(number);
        log.append((at, at + 1), number, ack(u64::from(number)))
    })
}

fn messages(at: Tick, numbers: &[u32]) -> Vec<(Tick, TailEvent)> {
    let event = |number: &u32| TailEvent::Message(row(u64::from(*number), text(*number)));
    (at..).zip(numbers.iter().map(event)).collect()
}

#[test]
fn a_tail_tells_each_message_once_and_in_order() {
    let from = |start, numbers: &[u32]| three().tail(10, start, &messages(11, numbers), None);
    from(TailStart::After(0), &[1, 2, 3]).is_right();
    from(TailStart::After(0), &[]).is_right();
    from(TailStart::After(1), &[2, 3]).is_right();
    from(TailStart::After(0), &[1, 3]).violates(Kind::TailOrder);
    from(TailStart::After(0), &[1, 1]).violates(Kind::TailOrder);
    from(TailStart::After(0), &[2, 1]).violates(Kind::TailOrder);
    from(TailStart::After(0), &[2, 3]).violates(Kind::TailOrder);
}

#[test]
fn a_tail_from_the_position_of_an_ack_begins_behind_it() {
    let position = TailStart::Position { seq: 2, given: 5 };
    let from = |numbers: &[u32]| three().tail(10, position, &messages(11, numbers), None);
    from(&[3]).is_right();
    from(&[2, 3]).violates(Kind::TailOrder);
}

#[test]
fn a_tail_from_now_begins_behind_what_was_acknowledged() {
    let now = |at, numbers: &[u32]| three().tail(at, TailStart::Now, &messages(11, numbers), None);
    now(6, &[3]).is_right();
    now(6, &[2, 3]).violates(Kind::TailOrder);
    // The third was asked for after it was accepted.
    let fourth = || three().append((20, 21), 4, ack(4));
    let at = |at, numbers: &[u32]| fourth().tail(at, TailStart::Now, &messages(22, numbers), None);
    at(5, &[3, 4]).is_right();
    at(5, &[4]).violates(Kind::TailOrder);
    at(6, &[4]).is_right();
}

#[test]
fn a_tail_shows_what_reads_show() {
    let differing = [(11, TailEvent::Message(row(1, text(2))))];
    three()
        .tail(10, TailStart::After(0), &differing, None)
        .violates(Kind::TwoInOnePlace);
    // What a tail told counts as seen.
    let log = Log::support().append((2, 90), 1, ack(1));
    let told = log.tail(3, TailStart::After(0), &messages(10, &[1]), None);
    told.clone().read((10, 20), &[]).is_right();
    told.read((11, 20), &[]).violates(Kind::AcknowledgedLost);
}

#[test]
fn a_tail_ends_with_a_reason() {
    let all = messages(11, &[1, 2, 3]);
    let closed: Vec<_> = all.iter().copied().chain([(20, TailEvent::Closed)]).collect();
    let whole = Some((21, TailEnd::Whole));
    let start = TailStart::After(0);
    let close = |span| three().close(span, Outcome::Ok(Reply::Closed));
    close((9, 10)).tail(10, start, &closed, whole).is_right();
    three().tail(10, start, &closed, whole).violates(Kind::TailEnd);
    close((21, 22))
        .tail(10, start, &closed, whole)
        .violates(Kind::TailEnd);
    three().tail(10, start, &all, whole).violates(Kind::TailEnd);
    three()
        .tail(10, start, &all, Some((20, TailEnd::Broken)))
        .is_right();
    // The end comes behind everything.
    let early: Vec<_> = messages(11, &[1, 2])
        .into_iter()
        .chain([(20, TailEvent::Closed)])
        .collect();
    close((9, 10))
        .tail(10, start, &early, whole)
        .violates(Kind::TailOrder);
    let reopened: Vec<_> = [(11, TailEvent::Closed)]
        .into_iter()
        .chain(messages(12, &[1]))
        .collect();
    assert!(
        close((9, 10))
            .tail(10, start, &reopened, None)
            .found()
            .contains(&Kind::TailOrder)
    );
}

#[test]
fn a_tail_is_reset_by_an_erasure_only_and_told_of_what_it_missed() {
    let fenced = |span| three().erase(span, Target::Chat(CHAT), Step::Fenced);
    let reset = Some((20, TailEnd::Reset));
    let start = TailStart::After(3);
    fenced((15, 16)).tail(10, start, &[], reset).is_right();
    fenced((21, 22))
        .tail(10, start, &[], reset)
        .violates(Kind::TailEnd);
    three().tail(10, start, &[], reset).violates(Kind::TailEnd);

    let told = [
        (41, TailEvent::Erased),
        (42, TailEvent::Message(row(3, super::build::rows(&[0])[0].shown))),
    ];
    let resumed = |given, events: &[_]| {
        let start = TailStart::Position { seq: 2, given };
        fenced((15, 16)).tail(40, start, events, None)
    };
    resumed(10, &told).is_right();
    resumed(10, &told[1..]).violates(Kind::ErasureUntold);
    resumed(15, &told[1..]).is_right();
    resumed(10, &[]).is_right();
    let never_asked = TailStart::Position { seq: 2, given: 8 };
    three()
        .tail(40, never_asked, &told[..1], None)
        .violates(Kind::TailEnd);
}
