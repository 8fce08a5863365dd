//! Golden bytes of whole segments, computed by another implementation: what was stored once is read for ever.

use super::*;
use crate::segment::frame::Location;
use crate::segment::recovery::Recovered;
use crate::test_support::{hex, unhex};

const EMPTY_LOG: &str = "45554e4f454c4f47010000000100000000000000eca5ea38\
    1d00000001000000000000003291e5ba\
    150000001d792722060000000000000000000000000100000000000000";
const TWO_RECORDS: &str = "300000000200000000000000920251eb\
    1000000086960807010300000001000000000000006f6e65\
    100000009536efcf0103000000020000000000000074776f";
const CHECKPOINT: &str = "45554e4f454c4f47010000000700000000000000cfdd8f8b\
    88000000090000000000000038a8461e\
    150000002ebe67b806000000000000000000000000010000000000000011000000dfc3d276020300000000000000000000\
    00766f7465160000005387e5d903030000000000000000000000636f6d6d69747465640f0000007f999ff8050300000004\
    0000000000000069641500000015ca95c4060300000009000000000000000500000000000000";

#[test]
fn a_new_log_and_an_append_never_change() {
    let place = Place::new(4096);
    let log = place.open();
    let records = [(1, "one"), (2, "two")].map(|(index, text)| LogRecord {
        index,
        data: text.into(),
    });
    call(|done| log.append(GroupId(3), records.to_vec(), done)).unwrap();
    let bytes = fs::read(file::path(&place.dir(), 1)).unwrap();
    let golden = format!("{EMPTY_LOG}{TWO_RECORDS}");
    assert_eq!(hex(&bytes[..golden.len() / 2]), golden);
    assert!(bytes[golden.len() / 2..].iter().all(|byte| *byte == 0));
    assert_eq!(bytes.len(), 4096);
}

#[test]
fn a_checkpoint_never_changes() {
    let mut state = State::default();
    let written = &mut state.groups.entry(GroupId(3)).or_default().written;
    written.vote = Some(Bytes::from_static(b"vote"));
    written.committed = Some(Bytes::from_static(b"committed"));
    written.purge(4, Bytes::from_static(b"id"));
    for index in 5..=9 {
        let at = Location {
            segment: 6,
            offset: 100,
            data_bytes: 1,
        };
        written.append(index, at).unwrap();
    }
    let mut bytes = Vec::new();
    writer::first_bytes(7, 9, &state, &mut bytes);
    assert_eq!(hex(&bytes), CHECKPOINT);
}

#[test]
fn stored_bytes_are_read_back() {
    let mut recovered = Recovered::default();
    recovered.read_segment(7, &unhex(CHECKPOINT), true).unwrap();
    let written = &recovered.groups[&GroupId(3)];
    assert_eq!(written.vote.as_deref(), Some(&b"vote"[..]));
    assert_eq!(written.committed.as_deref(), Some(&b"committed"[..]));
    assert_eq!(written.purged, Some((4, Bytes::from_static(b"id"))));
    assert_eq!((written.span.first(), written.span.last()), (Some(5), Some(9)));
    assert!(recovered.check_whole().is_err(), "its records are in no segment");

    let place = Place::new(4096);
    fs::create_dir(place.dir()).unwrap();
    fs::write(
        file::path(&place.dir(), 1),
        unhex(&format!("{EMPTY_LOG}{TWO_RECORDS}")),
    )
    .unwrap();
    let texts: Vec<Bytes> = held(&place.open(), GroupId(3))
        .into_iter()
        .map(|it| it.data)
        .collect();
    assert_eq!(texts, ["one", "two"]);
}
