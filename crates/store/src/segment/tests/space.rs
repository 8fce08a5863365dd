//! Purging gives space back, and no group can keep another from it.

use super::*;

const SEGMENT_BYTES: u64 = 4096;
/// Four segments of slack, the one that is written, and some that wait for their removal.
const SEGMENTS_MAX: usize = 10;
const ROUNDS: u64 = 400;

/// Appends and purges about two hundred segments' worth.
fn fill(log: &SegmentLog, group: GroupId, mut each: impl FnMut(u64)) {
    for round in 0..ROUNDS {
        append(log, group, round * 20 + 1..=round * 20 + 20, 80);
        purge(log, group, round * 20 + 18);
        each(round);
    }
}

#[test]
fn purged_segments_are_removed() {
    let place = Place::new(SEGMENT_BYTES);
    let log = place.open();
    fill(&log, A, |_| ());
    assert!(log.stats().bytes > 100 * SEGMENT_BYTES);
    drop(log);
    assert!(segment_files(&place.dir()) <= SEGMENTS_MAX);
    let log = place.open();
    assert!(log.disk_bytes() <= SEGMENTS_MAX as u64 * SEGMENT_BYTES);
    assert_eq!(
        held(&log, A),
        [record(ROUNDS * 20 - 1, 80), record(ROUNDS * 20, 80)]
    );
}

#[test]
fn a_group_that_never_purges_does_not_keep_the_others_segments() {
    let mut place = Place::new(SEGMENT_BYTES);
    let log = place.open();
    append(&log, B, 1..=5, 200);
    call(|done| log.save_vote(B, Bytes::from_static(b"vote"), done)).unwrap();
    let lagging: Vec<LogRecord> = (1..=5).map(|index| record(index, 200)).collect();
    fill(&log, A, |_| assert_eq!(held(&log, B), lagging));
    assert!(log.disk_bytes() <= (SEGMENTS_MAX as u64 + 4) * SEGMENT_BYTES);
    place.crash();
    drop(log);
    let log = place.open();
    assert_eq!(held(&log, B), lagging, "carried, not lost");
    assert_eq!(log.group(B).vote.as_deref(), Some(&b"vote"[..]));
    call(|done| log.truncate_after(B, Some(3), done)).unwrap();
    append(&log, B, 4..=4, 7);
    purge(&log, B, 2);
    fill_after(&log, A);
    drop(log);
    assert!(segment_files(&place.dir()) <= SEGMENTS_MAX);
    assert_eq!(held(&place.open(), B), [record(3, 200), record(4, 7)]);
}

/// Goes on with what [`fill`] left.
fn fill_after(log: &SegmentLog, group: GroupId) {
    for index in ROUNDS * 20 + 1..=ROUNDS * 20 + 500 {
        append(log, group, index..=index, 80);
        purge(log, group, index - 1);
    }
}

#[test]
fn carrying_costs_a_bounded_share_of_what_is_written() {
    let written = |lags: bool| {
        let place = Place::new(SEGMENT_BYTES);
        let log = place.open();
        append(&log, B, 1..=20, 150);
        if !lags {
            purge(&log, B, 20);
        }
        fill(&log, A, |_| ());
        (log.stats().bytes, log.stats().carried)
    };
    let ((lagging, carried), (alone, none)) = (written(true), written(false));
    assert_eq!(none, 0, "nothing is carried while all purge");
    assert!(carried > 20, "all of it, more than once");
    assert!(lagging < alone + alone / 2, "{lagging} bytes instead of {alone}");
}

#[test]
fn the_group_that_keeps_the_oldest_segment_is_named() {
    let place = Place::new(1 << 16);
    let log = place.open();
    append(&log, A, 1..=5, 100);
    append(&log, B, 1..=5, 100);
    assert_eq!(log.pinning_group(), None, "there is one segment");
    append(&log, A, 6..=900, 100);
    assert_eq!(log.pinning_group(), Some(A));
    purge(&log, A, 800);
    assert_eq!(log.pinning_group(), Some(B));
    purge(&log, B, 5);
    assert_eq!(log.pinning_group(), Some(A), "again: the segment before the last");
    purge(&log, A, 900);
    assert_eq!(log.pinning_group(), None);
}
