//! The suites that every log engine passes.

use proptest::prelude::*;

use super::*;
use crate::conformance::{LogFaults, LogHarness, LogStep, check_log_steps, log_fault_suite, log_suite};

struct Segments {
    place: Place,
}

impl LogHarness for Segments {
    type Log = SegmentLog;

    fn create(&mut self) -> SegmentLog {
        self.place = Place::new(self.place.options.segment_bytes);
        self.place.open()
    }

    fn reopen(&mut self, log: SegmentLog) -> SegmentLog {
        drop(log);
        self.place.open()
    }
}

impl LogFaults for Segments {
    fn crash(&mut self, log: SegmentLog) -> SegmentLog {
        self.place.crash();
        drop(log);
        self.place.open()
    }

    /// Directories stand under the names of the next segments, so that a new file cannot get its name.
    fn break_disk(&mut self, _: &SegmentLog) {
        let last = file::list(&self.place.dir()).unwrap().pop().unwrap();
        for segment in last + 1..=last + 3 {
            fs::create_dir(file::path(&self.place.dir(), segment)).unwrap();
        }
    }
}

fn segments(segment_bytes: u64) -> Segments {
    Segments {
        place: Place::new(segment_bytes),
    }
}

#[test]
fn it_passes_the_suite_in_one_segment_and_over_many() {
    log_suite(&mut segments(1 << 20));
    log_suite(&mut segments(512));
}

#[test]
fn it_passes_the_fault_suite() {
    log_fault_suite(&mut segments(4096));
}

fn step() -> impl Strategy<Value = LogStep> {
    let group = 0..3u8;
    prop_oneof![
        6 => (group.clone(), 0..8u8, 0..300u16).prop_map(|(group, count, bytes)| LogStep::Append(group, count, bytes)),
        1 => (group.clone(), proptest::option::of(0..5u8)).prop_map(|(group, keep)| LogStep::Truncate(group, keep)),
        2 => (group.clone(), -10..3i8).prop_map(|(group, distance)| LogStep::Purge(group, distance)),
        1 => (group.clone(), any::<u8>()).prop_map(|(group, vote)| LogStep::Vote(group, vote)),
        1 => (group.clone(), any::<u8>()).prop_map(|(group, at)| LogStep::Committed(group, at)),
        2 => (group, 0..20u8, 0..20u8, 0..1000u16)
            .prop_map(|(group, back, count, bytes)| LogStep::Read(group, back, count, bytes)),
        1 => Just(LogStep::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn it_does_what_the_model_does(steps in proptest::collection::vec(step(), 1..80)) {
        check_log_steps(&mut segments(512), &steps);
    }
}
