//! Golden bytes of the catalog: a vault that a release cannot read has lost its share. The checksum was computed with another
//! implementation of BLAKE3.

use eunoe_types::TimeMs;

use super::catalog::State;
use super::{Catalog, KeyName};
use crate::Slot;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_catalog_never_changes() {
    let mut catalog = Catalog {
        kind: "transit".to_owned(),
        id: [1; 16],
        counter: 0x0102,
        slots: Vec::new(),
    };
    let until = TimeMs(86_400_000);
    catalog.set(Slot { epoch: 4, attempt: 0 }, Some(State::Pending { until }));
    let held = State::Held {
        serial: 300,
        wrapped: vec![9, 8, 7],
        sealed: vec![6, 5],
    };
    catalog.set(Slot { epoch: 3, attempt: 1 }, Some(held));
    let body = "45554e4f4557525001077472616e73697401010101010101010101010101010101820202030101ac020309080702060504000280b89929";
    let checksum = "d5f83413790e346ed897d5205b718ec03a9d84372d3b5d482d0d2b65206c3a7d";
    assert_eq!(hex(&catalog.encode()), [body, checksum].concat());
    assert_eq!(Catalog::decode(&catalog.encode()), Some(catalog));
}

#[test]
fn what_a_ciphertext_is_bound_to_never_changes() {
    let name = KeyName {
        vault: [1; 16],
        slot: Slot { epoch: 3, attempt: 1 },
        serial: 300,
    };
    let bound = format!(
        "78{}030000000000000001000000{}",
        "01".repeat(16),
        "2c01000000000000"
    );
    assert_eq!(hex(&name.context(b"x")), bound);
}
