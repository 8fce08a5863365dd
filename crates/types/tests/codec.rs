//! The codec of stored forms: its bytes, and that it reads exactly what it wrote.

use eunoe_types::{DecodeError, Decoder, Encoder};
use proptest::prelude::*;

fn hex(e: &Encoder) -> String {
    e.as_slice().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn values_have_their_golden_bytes() {
    let numbers = [
        (0, "00"),
        (1, "01"),
        (127, "7f"),
        (128, "8001"),
        (300, "ac02"),
        (u64::from(u32::MAX), "ffffffff0f"),
        (1_700_000_000_000, "80d095ffbc31"),
        (u64::MAX, "ffffffffffffffffff01"),
    ];
    for (value, golden) in numbers {
        let mut e = Encoder::new();
        e.varint(value);
        assert_eq!(hex(&e), golden, "{value}");
    }
    let mut e = Encoder::new();
    e.u8(0xfe)
        .fixed(&[1, 2])
        .bytes(&[3, 4, 5])
        .bytes(&[])
        .text("é")
        .bytes(&[6; 128]);
    assert_eq!(
        hex(&e),
        format!("fe010203030405{}{}8001{}", "00", "02c3a9", "06".repeat(128))
    );
}

/// One value of a stored form.
#[derive(Clone, Debug)]
enum Value {
    Byte(u8),
    Number(u64),
    Fixed([u8; 16]),
    Bytes(Vec<u8>),
    Text(String),
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<u8>().prop_map(Value::Byte),
        any::<u64>().prop_map(Value::Number),
        (0u64..300).prop_map(Value::Number),
        any::<[u8; 16]>().prop_map(Value::Fixed),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Value::Bytes),
        ".{0,40}".prop_map(Value::Text),
    ]
}

fn write(values: &[Value]) -> Vec<u8> {
    let mut e = Encoder::new();
    for value in values {
        match value {
            Value::Byte(byte) => e.u8(*byte),
            Value::Number(number) => e.varint(*number),
            Value::Fixed(bytes) => e.fixed(bytes),
            Value::Bytes(bytes) => e.bytes(bytes),
            Value::Text(text) => e.text(text),
        };
    }
    e.finish()
}

fn read(bytes: &[u8], like: &[Value]) -> Result<Vec<Value>, DecodeError> {
    let mut d = Decoder::new(bytes);
    let read = like.iter().map(|value| {
        Ok(match value {
            Value::Byte(_) => Value::Byte(d.u8()?),
            Value::Number(_) => Value::Number(d.varint()?),
            Value::Fixed(_) => Value::Fixed(d.array()?),
            Value::Bytes(_) => Value::Bytes(d.bytes()?.to_vec()),
            Value::Text(_) => Value::Text(d.text()?.to_owned()),
        })
    });
    let values = read.collect::<Result<Vec<_>, DecodeError>>()?;
    d.finish()?;
    Ok(values)
}

proptest! {
    #[test]
    fn what_was_written_is_read(values in prop::collection::vec(value(), 0..8)) {
        let bytes = write(&values);
        let back = read(&bytes, &values).expect("reads its own bytes");
        prop_assert_eq!(format!("{back:?}"), format!("{values:?}"));
    }

    #[test]
    fn a_cut_or_longer_input_is_refused(values in prop::collection::vec(value(), 1..8), cut in any::<prop::sample::Index>()) {
        let mut bytes = write(&values);
        prop_assert!(read(&bytes[..cut.index(bytes.len())], &values).is_err());
        bytes.push(0);
        prop_assert!(read(&bytes, &values).is_err());
    }

    #[test]
    fn anything_that_reads_has_one_form(bytes in prop::collection::vec(any::<u8>(), 0..40), like in prop::collection::vec(value(), 0..5)) {
        if let Ok(values) = read(&bytes, &like) {
            prop_assert_eq!(write(&values), bytes);
        }
    }
}
