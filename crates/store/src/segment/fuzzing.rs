//! Segment files as fuzzers write them: any frames in any order, with the right checksums, which no mutation finds.

use eunoe_types::fuzzing::Reader;
use eunoe_types::{DecodeError, Decoder, GroupId};

use super::frame::{BatchEncoder, Kind, header};
use super::recovery::Recovered;

/// Recovery of whole files.
pub(crate) const READERS: &[Reader] = &[
    ("segment", |bytes| recovers(&[bytes])),
    ("segment of frames", |script| recovers(&[&segment(1, script)])),
    ("two segments of frames", |script| {
        let (first, second) = script.split_at(script.len() / 2);
        recovers(&[&segment(1, first), &segment(2, second)])
    }),
];

/// Whether the files are a log; asks it everything that opening a log asks.
fn recovers(files: &[&[u8]]) -> bool {
    let mut recovered = Recovered::default();
    for (segment, bytes) in (1..).zip(files) {
        let is_last = segment == files.len() as u64;
        if recovered.read_segment(segment, bytes, is_last).is_err() {
            return false;
        }
    }
    for written in recovered.groups.values() {
        let known = written.locate(written.span.first().unwrap_or_default());
        assert!(
            known.is_none_or(|at| at.segment >= 1),
            "a record is in no segment"
        );
        assert!(written.data_bytes() <= files.iter().map(|bytes| bytes.len() as u64).sum());
        written.records_in(1).for_each(drop);
        assert!(written.oldest_segment().is_none_or(|oldest| oldest >= 1));
    }
    recovered.check_whole().is_ok()
}

/// The file of a segment whose frames `script` tells: a tag, then the parts of a frame or of a batch's head. The
/// first batch is the checkpoint. The script ends where it is none.
pub fn segment(number: u64, script: &[u8]) -> Vec<u8> {
    let mut out = header(number).to_vec();
    let mut d = Decoder::new(script);
    while let Ok(sequence) = d.varint() {
        let at = out.len() as u64;
        let mut batch = BatchEncoder::begin(number, at, &mut out);
        let end = frames(&mut d, &mut batch);
        batch.finish(sequence);
        if end.is_err() {
            break;
        }
    }
    out
}

/// The frames of one batch, up to a tag that is none.
fn frames(d: &mut Decoder<'_>, batch: &mut BatchEncoder<'_>) -> Result<(), DecodeError> {
    const KINDS: [Kind; 7] = [
        Kind::Entry,
        Kind::Vote,
        Kind::Committed,
        Kind::Truncate,
        Kind::Purge,
        Kind::Held,
        Kind::Carried,
    ];
    while let Some(kind) = KINDS.get(usize::from(d.u8()?)) {
        let (group, index) = (d.u8()?, d.varint()?);
        // A held span is given by two numbers, because eight bytes of one are rarely a near one.
        let first = match kind {
            Kind::Held => Some(d.varint()?.to_le_bytes()),
            Kind::Entry | Kind::Vote | Kind::Committed | Kind::Truncate | Kind::Purge | Kind::Carried => None,
        };
        let data = match &first {
            Some(first) => first,
            None => d.bytes()?,
        };
        batch.push(*kind, GroupId(u32::from(group)), index, data);
    }
    Ok(())
}
