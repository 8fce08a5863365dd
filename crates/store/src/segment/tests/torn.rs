//! A torn last batch is cut; all else that is not as it was written is damage, never a shorter log.

use super::*;
use crate::fsck::{self, Condition};
use crate::segment::recovery::{DamageAt, Recovered};

const BATCHES: u64 = 4;
const LAST: usize = BATCHES as usize - 1;
const SECTOR_BYTES: usize = 512;

/// The bytes of a segment of some batches of three records, and where each batch ends.
fn segment() -> (Vec<u8>, Vec<usize>) {
    let place = Place::new(6 << 10);
    let log = place.open();
    let mut ends = Vec::new();
    for batch in 0..BATCHES {
        append(&log, A, batch * 3 + 1..=batch * 3 + 3, 350);
        ends.push(recovery::recover(&place.dir()).unwrap().end as usize);
    }
    (fs::read(file::path(&place.dir(), 1)).unwrap(), ends)
}

fn read(bytes: &[u8]) -> Result<Recovered, DamageAt> {
    let mut recovered = Recovered::default();
    recovered.read_segment(1, bytes, true).map(|()| recovered)
}

fn assert_torn(bytes: &[u8], what: &str) {
    let recovered = read(bytes).unwrap_or_else(|DamageAt { damage, .. }| panic!("{what}: {damage}"));
    assert!(recovered.torn, "{what}");
    assert_eq!(recovered.records, (BATCHES - 1) * 3, "{what}");
}

#[test]
fn a_last_batch_cut_at_any_byte_is_dropped_whole() {
    let (bytes, ends) = segment();
    for cut in ends[LAST - 1] + 1..ends[LAST] {
        let mut torn = bytes.clone();
        torn[cut..].fill(0);
        if torn != bytes {
            assert_torn(&torn, &format!("cut at byte {cut}"));
        }
    }
    assert_eq!(read(&bytes).unwrap().records, BATCHES * 3);
}

#[test]
fn a_last_batch_of_which_any_sectors_are_missing_is_dropped_whole() {
    let (bytes, ends) = segment();
    let sectors = ends[LAST - 1].div_ceil(SECTOR_BYTES)..ends[LAST] / SECTOR_BYTES + 1;
    assert!(sectors.len() >= 2);
    for lost in 1..1u32 << sectors.len() {
        let mut torn = bytes.clone();
        let is_lost = |(bit, _): &(usize, usize)| lost >> bit & 1 == 1;
        for (_, sector) in sectors.clone().enumerate().filter(is_lost) {
            torn[sector * SECTOR_BYTES..][..SECTOR_BYTES].fill(0);
        }
        assert_torn(&torn, &format!("sectors {lost:b} lost"));
    }
}

#[test]
fn a_flipped_bit_before_the_last_batch_is_damage() {
    let (bytes, ends) = segment();
    for at in 0..ends[LAST - 1] {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x04;
        assert!(read(&flipped).is_err(), "byte {at} of {:?}", ends);
    }
    for at in ends[LAST - 1]..ends[LAST] {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x04;
        assert_torn(&flipped, &format!("byte {at} flipped"));
    }
}

#[test]
fn a_torn_log_goes_on_after_what_is_whole() {
    let mut place = Place::new(16 << 10);
    let log = place.open();
    append(&log, A, 1..=3, 400);
    let whole = recovery::recover(&place.dir()).unwrap().end as usize;
    append(&log, A, 4..=6, 400);
    place.crash();
    let path = file::path(&place.dir(), 1);
    let mut bytes = fs::read(&path).unwrap();
    bytes[whole + 600..].fill(0);
    fs::write(&path, &bytes).unwrap();
    let conditions = |place: &Place| -> Vec<Condition> {
        let found = fsck::check_log(&place.dir()).unwrap();
        found.iter().map(|finding| finding.condition).collect()
    };
    assert_eq!(conditions(&place), [Condition::Repairable]);
    let log = place.open();
    assert_eq!(log.group(A).last, Some(3));
    append(&log, A, 4..=4, 10);
    drop(log);
    assert_eq!(conditions(&place), [Condition::Sound]);
    assert_eq!(
        held(&place.open(), A).last(),
        Some(&record(4, 10)),
        "what was cut never comes back"
    );
}

/// A log of several segments, closed.
fn segments() -> Place {
    let place = Place::new(1024);
    let log = place.open();
    for index in 1..=30 {
        append(&log, A, index..=index, 100);
    }
    drop(log);
    assert!(segment_files(&place.dir()) >= 4);
    place
}

fn assert_damaged(place: &Place) {
    assert!(SegmentLog::open(&place.dir(), &place.options).is_err());
    let found = fsck::check_log(&place.dir()).unwrap();
    assert!(
        found
            .iter()
            .any(|finding| finding.condition == Condition::Damaged)
    );
}

#[test]
fn a_missing_segment_is_damage() {
    for segment in [1, 2] {
        let place = segments();
        fs::remove_file(file::path(&place.dir(), segment)).unwrap();
        assert_damaged(&place);
    }
}

#[test]
fn a_segment_in_the_place_of_another_is_damage() {
    let place = segments();
    fs::copy(file::path(&place.dir(), 1), file::path(&place.dir(), 2)).unwrap();
    assert_damaged(&place);
}

#[test]
fn a_torn_batch_before_the_last_segment_is_damage() {
    let place = segments();
    let path = file::path(&place.dir(), 2);
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[end - 50..].fill(0);
    fs::write(&path, &bytes).unwrap();
    assert_damaged(&place);
}
