//! What the system answers when it cannot write: the log reports it and stops.

use std::collections::BTreeMap;

use super::*;

/// A log whose first segment is a device that does not do what a file does.
fn log_on(device: &str) -> (Place, SegmentLog) {
    let place = Place::new(4096);
    disk::create_dir(&place.dir()).unwrap();
    let lock = DirLock::take(&place.dir()).unwrap();
    let file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(device)
        .unwrap();
    let open = OpenSegment {
        file: Arc::new(file),
        bytes: 4096,
    };
    let state = State {
        segments: BTreeMap::from([(1, open.clone())]),
        ..State::default()
    };
    let tail = Tail {
        open,
        segment: 1,
        offset: 69,
        sequence: 2,
    };
    let log = SegmentLog::start(place.dir(), lock, state, tail, &place.options).unwrap();
    (place, log)
}

fn refuses_to_go_on(device: &str) {
    let (_place, log) = log_on(device);
    call(|done| log.append(A, vec![record(1, 10)], done)).unwrap_err();
    assert!(log.failure().is_some());
    call(|done| log.append(B, vec![record(1, 10)], done)).unwrap_err();
    call(|done| log.save_vote(B, Bytes::from_static(b"vote"), done)).unwrap_err();
    call(|done| log.purge(A, 1, Bytes::from_static(b"id"), done)).unwrap_err();
    assert_eq!(log.stats().records, 0, "nothing counts as written");
}

#[test]
fn a_write_that_fails_stops_the_log() {
    refuses_to_go_on("/dev/full");
}

#[test]
fn a_sync_that_fails_stops_the_log() {
    refuses_to_go_on("/dev/null");
}

#[test]
fn a_record_that_changed_on_disk_is_not_returned() {
    let place = Place::new(64 << 10);
    let log = place.open();
    append(&log, A, 1..=100, 100);
    let path = file::path(&place.dir(), 1);
    let mut bytes = fs::read(&path).unwrap();
    bytes[200] ^= 1;
    fs::write(&path, &bytes).unwrap();
    log.read(A, 1, 3, usize::MAX).unwrap_err();
    assert_eq!(
        log.read(A, 100, 101, usize::MAX).unwrap(),
        [record(100, 100)],
        "memory holds it"
    );
}

#[test]
fn a_second_process_is_kept_out() {
    let place = Place::new(4096);
    let log = place.open();
    assert!(SegmentLog::open(&place.dir(), &place.options).is_err());
    drop(log);
    place.open();
}
