//! Each violation of order by a least history, beside one that is nearly the same and right.

use eunoe_sim::history::{Outcome, Page, Refusal};
use eunoe_sim::oracle::{Kind, liveness};

use super::build::{ANNA, BERT, Log, ack, replayed, row, rows, text};

#[test]
fn an_acknowledged_message_is_not_lost() {
    let acked = || Log::support().append((2, 5), 1, ack(1));
    acked().read((6, 9), &[]).violates(Kind::AcknowledgedLost);
    acked().read((5, 9), &[]).is_right();
    acked().read((6, 9), &[1]).is_right();
    // Nobody was told.
    let unknown = Log::support().append((2, 5), 1, Outcome::Unknown);
    unknown.clone().read((6, 9), &[]).is_right();
    unknown.read((6, 9), &[1]).is_right();
}

#[test]
fn a_read_sees_what_another_saw() {
    let seen = || Log::support().append((2, 90), 1, ack(1)).read((3, 10), &[1]);
    seen()
        .read((11, 20), &[])
        .read((30, 31), &[1])
        .violates(Kind::StaleRead);
    seen().read((10, 20), &[]).read((30, 31), &[1]).is_right();
    let refused = Log::support().append((2, 5), 1, Outcome::Refused(Refusal::Unavailable));
    refused.clone().read((6, 9), &[]).is_right();
    refused.read((6, 9), &[1]).violates(Kind::FromNowhere);
}

#[test]
fn places_follow_real_time() {
    let two = |first, second| Log::support().append(first, 1, ack(2)).append(second, 2, ack(1));
    two((2, 5), (6, 9)).violates(Kind::NotLinearizable);
    two((2, 6), (6, 9)).is_right();
}

#[test]
fn a_place_holds_one_message() {
    let two = |second| {
        Log::support()
            .append((2, 5), 1, ack(1))
            .append((2, 5), 2, ack(second))
    };
    two(1).violates(Kind::TwoInOnePlace);
    two(2).is_right();
    two(2).read((6, 7), &[2, 1]).violates(Kind::TwoInOnePlace);
}

#[test]
fn times_do_not_go_back() {
    let log = |first, second| {
        let mut rows = rows(&[1, 2]);
        (rows[0].time, rows[1].time) = (first, second);
        let unknown = Log::support().append((2, 5), 1, Outcome::Unknown);
        let page = Page {
            from: 1,
            rows,
            end: true,
        };
        unknown.append((2, 5), 2, Outcome::Unknown).page((6, 7), page)
    };
    log(8, 7).violates(Kind::TimeWentBack);
    log(7, 7).is_right();
}

#[test]
fn a_request_stands_once_and_gets_its_first_answer() {
    let first = || Log::support().append((2, 5), 1, ack(1));
    first().append((6, 7), 1, replayed(1)).is_right();
    first().append((6, 7), 1, replayed(2)).violates(Kind::Twice);
    first().append((6, 7), 1, ack(1)).violates(Kind::Twice);
    let unknown = || {
        Log::support()
            .append((2, 5), 1, Outcome::Unknown)
            .append((6, 7), 1, ack(1))
    };
    unknown().read((8, 9), &[1]).is_right();
    unknown().read((8, 9), &[1, 1]).violates(Kind::Twice);
}

#[test]
fn another_body_under_a_request_id_is_refused() {
    let first = || Log::support().append((2, 5), 1, ack(1));
    let reused = Outcome::Refused(Refusal::RequestReused);
    first().body((6, 7), ANNA, 1, 9, reused.clone()).is_right();
    first()
        .body((6, 7), ANNA, 1, 9, ack(2))
        .violates(Kind::RequestReused);
    Log::support()
        .body((6, 7), ANNA, 1, 9, reused.clone())
        .violates(Kind::RefusedWithoutReason);
    // It says that the first body is in its place, which the read does not see.
    let unknown = || Log::support().append((2, 5), 1, Outcome::Unknown);
    let refused = || unknown().body((6, 7), ANNA, 1, 9, reused.clone());
    refused().read((8, 9), &[]).violates(Kind::AcknowledgedLost);
    refused().read((7, 9), &[]).is_right();
}

#[test]
fn pages_have_no_gaps_and_end_where_they_say() {
    let two = || Log::support().append((2, 5), 1, ack(1)).append((6, 7), 2, ack(2));
    let page = |from, rows, end| Page { from, rows, end };
    two()
        .page((8, 9), page(1, vec![row(2, text(2))], true))
        .violates(Kind::Gap);
    two()
        .page((8, 9), page(2, vec![row(2, text(2))], true))
        .is_right();
    two().page((8, 9), page(1, rows(&[1]), false)).is_right();
    two()
        .page((8, 9), page(1, rows(&[1]), true))
        .violates(Kind::AcknowledgedLost);
    two()
        .page((8, 9), page(1, rows(&[1, 2]), false))
        .violates(Kind::Gap);
    two().page((8, 9), page(3, vec![], true)).is_right();
    two().page((8, 9), page(3, vec![], false)).violates(Kind::Gap);
    two()
        .page((8, 9), page(2, vec![], true))
        .violates(Kind::AcknowledgedLost);
    // Nobody can stand in the first place.
    Log::support().append((2, 5), 1, ack(2)).violates(Kind::Gap);
    Log::support()
        .append((2, 3), 2, Outcome::Unknown)
        .append((2, 5), 1, ack(2))
        .is_right();
    Log::support()
        .append((6, 7), 2, Outcome::Unknown)
        .append((2, 5), 1, ack(2))
        .violates(Kind::NotLinearizable);
}

#[test]
fn what_is_shown_was_written_by_its_author() {
    let with_author = |author| {
        let mut rows = rows(&[1]);
        rows[0].author = Some(author);
        let page = Page {
            from: 1,
            rows,
            end: true,
        };
        Log::support().append((2, 5), 1, ack(1)).page((6, 7), page)
    };
    with_author(ANNA).is_right();
    with_author(BERT).violates(Kind::FromNowhere);
    Log::support()
        .read((2, 5), &[1])
        .append((6, 7), 1, Outcome::Unknown)
        .violates(Kind::FromNowhere);
    Log::support()
        .read((2, 6), &[1])
        .append((6, 7), 1, Outcome::Unknown)
        .is_right();
}

#[test]
fn a_closed_conversation_takes_nothing() {
    let closed = |span| Log::support().close(span, Outcome::Ok(eunoe_sim::history::Reply::Closed));
    closed((2, 5))
        .append((6, 7), 1, ack(1))
        .violates(Kind::AfterClose);
    closed((2, 6)).append((6, 7), 1, ack(1)).is_right();
    let refused = Outcome::Refused(Refusal::Closed);
    closed((2, 5)).append((6, 7), 1, refused.clone()).is_right();
    closed((8, 9))
        .append((6, 7), 1, refused.clone())
        .violates(Kind::RefusedWithoutReason);
    // Who was refused is nowhere.
    closed((2, 5))
        .append((1, 2), 1, Outcome::Unknown)
        .append((6, 7), 1, refused.clone())
        .read((8, 9), &[1])
        .violates(Kind::RefusedWithoutReason);
    // A refusal says that it was closed by then.
    Log::support()
        .close((2, 9), Outcome::Unknown)
        .append((3, 4), 1, refused)
        .append((5, 6), 2, ack(1))
        .violates(Kind::AfterClose);
}

#[test]
fn a_conversation_is_found_from_its_creation_on() {
    let refused = |span| Log::support().read_refused(span, Refusal::NotFound);
    refused((2, 5)).violates(Kind::RefusedWithoutReason);
    refused((1, 5)).is_right();
    Log::support()
        .read_refused((2, 5), Refusal::Unavailable)
        .is_right();
}

#[test]
fn an_answer_belongs_to_its_operation() {
    Log::support().close((2, 3), ack(1)).violates(Kind::Recording);
    // A text is of one body.
    let two = Log::support().append((2, 3), 1, ack(1));
    two.body((2, 3), BERT, 1, 1, Outcome::Unknown)
        .violates(Kind::Recording);
}

#[test]
fn after_all_faults_every_call_succeeds_and_all_nodes_agree() {
    let log = Log::support()
        .append((2, 3), 1, Outcome::Unknown)
        .append((10, 11), 1, ack(1));
    assert_eq!(liveness::all_ok(&log.0, 10), []);
    assert_eq!(liveness::all_ok(&log.0, 2).len(), 1);
    let silent = log.clone().append((12, 13), 2, Outcome::Pending);
    assert_eq!(liveness::all_ok(&silent.0, 10).len(), 1);
    let agreed = log.read((12, 13), &[1]).read((12, 13), &[1]);
    assert_eq!(liveness::all_agree(&agreed.0, 12), []);
    for differing in [&[0][..], &[1, 2]] {
        let found = liveness::all_agree(&agreed.clone().read((14, 15), differing).0, 12);
        assert_eq!(
            found.iter().map(|one| one.kind).collect::<Vec<_>>(),
            [Kind::NodesDiffer]
        );
        assert_eq!(liveness::all_agree(&agreed.0, 15), []);
    }
}
