//! What the fuzzers call, and how every crate names it. Built only with the feature `fuzzing`.

pub use bytes::Bytes;

use crate::{DecodeError, Decoder, Encoder, Role, TenantId};

/// A form in which a value has one encoding: decodes bytes, and encodes what they mean.
pub type Form = (&'static str, fn(&Bytes) -> Result<Bytes, DecodeError>);

/// What reads bytes whose meaning may be written in several ways; whether it takes them.
pub type Reader = (&'static str, fn(&Bytes) -> bool);

/// The forms of this crate.
pub const FORMS: &[Form] = &[
    ("numbers", |bytes| {
        let (mut d, mut e) = (Decoder::new(bytes), Encoder::new());
        while !d.is_empty() {
            e.varint(d.varint()?);
        }
        Ok(e.finish().into())
    }),
    ("values", values),
    ("tenant", |bytes| {
        let name = TenantId::new(text(bytes)?).map_err(|_| DecodeError::Range)?;
        Ok(name.as_str().to_owned().into())
    }),
    ("role", |bytes| {
        let role = Role::from_name(text(bytes)?).ok_or(DecodeError::Range)?;
        Ok(role.name().into())
    }),
];

/// The text that `bytes` are.
pub fn text(bytes: &[u8]) -> Result<&str, DecodeError> {
    std::str::from_utf8(bytes).map_err(|_| DecodeError::Text)
}

/// Values of every kind, each after a byte that names its kind.
fn values(bytes: &Bytes) -> Result<Bytes, DecodeError> {
    let (mut d, mut e) = (Decoder::new(bytes), Encoder::new());
    while !d.is_empty() {
        let kind = d.u8()?;
        e.u8(kind);
        match kind {
            0 => e.u8(d.u8()?),
            1 => e.varint(d.varint()?),
            2 => e.varint(u64::from(d.varint_u32()?)),
            3 => e.varint(d.count(1_000)? as u64),
            4 => e.fixed(&d.array::<16>()?),
            5 => e.bytes(d.bytes()?),
            6 => e.text(d.text()?),
            7 => e.fixed(&Decoder::share(bytes, d.rest())),
            unknown => return Err(DecodeError::UnknownTag(unknown)),
        };
    }
    Ok(e.finish().into())
}
