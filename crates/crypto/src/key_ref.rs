//! The names of keys, and the ordered list of them that a content key is made from.

use eunoe_types::{DecodeError, Decoder, Encoder, Kid};

/// What a key's death erases. The numbers are stored forms and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// A data subject.
    Subject = 1,
    /// A conversation.
    Conv = 2,
    /// A day of a tenant's retention class.
    Bucket = 3,
    /// A tenant.
    Tenant = 4,
    /// A purpose. Reserved: no key of this kind is made yet.
    Purpose = 5,
    /// A legal hold. Reserved: no key of this kind is made yet.
    Hold = 6,
}

impl KeyKind {
    /// The stored form.
    pub fn tag(self) -> u8 {
        self as u8
    }

    /// The kind of a stored form.
    pub fn from_tag(tag: u8) -> Result<Self, DecodeError> {
        Ok(match tag {
            1 => Self::Subject,
            2 => Self::Conv,
            3 => Self::Bucket,
            4 => Self::Tenant,
            5 => Self::Purpose,
            6 => Self::Hold,
            unknown => return Err(DecodeError::UnknownTag(unknown)),
        })
    }
}

/// One generation of one key, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyRef {
    /// The kind of key.
    pub kind: KeyKind,
    /// The key record's id.
    pub kid: Kid,
    /// Which of the record's generations.
    pub generation: u32,
}

impl KeyRef {
    /// Appends the stored form.
    pub fn encode(&self, e: &mut Encoder) {
        e.u8(self.kind.tag())
            .fixed(self.kid.as_bytes())
            .varint(u64::from(self.generation));
    }

    /// Reads a stored form.
    pub fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            kind: KeyKind::from_tag(d.u8()?)?,
            kid: Kid(d.array()?),
            generation: d.varint_u32()?,
        })
    }
}

/// Why keys do not make a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefsError {
    /// Fewer than 2 or more than 8.
    #[error("a list of keys has 2 to 8 of them")]
    Count,
    /// More than 4 subjects.
    #[error("content has at most 4 owners")]
    Owners,
    /// The same subject twice, or two keys of a kind that comes once.
    #[error("a key of one kind is repeated")]
    Repeated,
}

/// The keys that must all live for content to be readable: owners (0 to 4), CONV, BUCKET, TENANT.
///
/// The order is canonical (by kind, owners by kid), so that one set of keys gives one content key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyRefs(Box<[KeyRef]>);

impl KeyRefs {
    /// Fewest keys of a list.
    pub const MIN: usize = 2;
    /// Most keys of a list.
    pub const MAX: usize = 8;
    /// Most subjects of a list.
    pub const OWNERS_MAX: usize = 4;

    /// Brings the keys into order and checks them.
    pub fn new(refs: impl Into<Vec<KeyRef>>) -> Result<Self, KeyRefsError> {
        let mut refs = refs.into();
        refs.sort_unstable();
        Self::check(&refs)?;
        Ok(Self(refs.into_boxed_slice()))
    }

    fn check(sorted: &[KeyRef]) -> Result<(), KeyRefsError> {
        if !(Self::MIN..=Self::MAX).contains(&sorted.len()) {
            return Err(KeyRefsError::Count);
        }
        let owners = sorted.iter().filter(|key| key.kind == KeyKind::Subject).count();
        if owners > Self::OWNERS_MAX {
            return Err(KeyRefsError::Owners);
        }
        let repeats = |pair: &[KeyRef]| {
            pair[0].kind == pair[1].kind && (pair[0].kind != KeyKind::Subject || pair[0].kid == pair[1].kid)
        };
        if sorted.windows(2).any(repeats) {
            Err(KeyRefsError::Repeated)
        } else {
            Ok(())
        }
    }

    /// The keys in canonical order.
    pub fn as_slice(&self) -> &[KeyRef] {
        &self.0
    }

    /// The subjects among them.
    pub fn owners(&self) -> impl Iterator<Item = &KeyRef> {
        self.0.iter().filter(|key| key.kind == KeyKind::Subject)
    }

    /// Whether the list names this key, in any generation.
    pub fn contains(&self, kid: Kid) -> bool {
        self.0.iter().any(|key| key.kid == kid)
    }

    /// Appends the stored form.
    pub fn encode(&self, e: &mut Encoder) {
        e.varint(self.0.len() as u64);
        for key in &self.0 {
            key.encode(e);
        }
    }

    /// Reads a stored form; only the canonical order is one.
    pub fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let count = d.count(Self::MAX)?;
        let refs = (0..count)
            .map(|_| KeyRef::decode(d))
            .collect::<Result<Vec<_>, _>>()?;
        if !refs.is_sorted() {
            return Err(DecodeError::Range);
        }
        Self::check(&refs).map_err(|_| DecodeError::Range)?;
        Ok(Self(refs.into_boxed_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: KeyKind, kid: u8) -> KeyRef {
        KeyRef {
            kind,
            kid: Kid([kid; 16]),
            generation: 1,
        }
    }

    #[test]
    fn every_kind_keeps_its_number() {
        for tag in 1..=6 {
            assert_eq!(KeyKind::from_tag(tag).expect("known").tag(), tag);
        }
        assert_eq!(KeyKind::from_tag(0), Err(DecodeError::UnknownTag(0)));
        assert_eq!(KeyKind::from_tag(7), Err(DecodeError::UnknownTag(7)));
    }

    #[test]
    fn the_order_of_arguments_does_not_matter_and_the_stored_order_does() {
        let (a, b) = (key(KeyKind::Subject, 1), key(KeyKind::Subject, 2));
        let (c, t) = (key(KeyKind::Conv, 0), key(KeyKind::Tenant, 0));
        let refs = KeyRefs::new([t, b, c, a]).expect("valid");
        assert_eq!(refs.as_slice(), [a, b, c, t]);
        let mut e = Encoder::new();
        e.varint(2);
        t.encode(&mut e);
        c.encode(&mut e);
        assert_eq!(
            KeyRefs::decode(&mut Decoder::new(e.as_slice())),
            Err(DecodeError::Range)
        );
    }

    #[test]
    fn lists_that_break_a_rule_are_refused() {
        let conv = key(KeyKind::Conv, 9);
        assert_eq!(KeyRefs::new([conv]), Err(KeyRefsError::Count));
        assert_eq!(
            KeyRefs::new([conv, key(KeyKind::Conv, 8)]),
            Err(KeyRefsError::Repeated)
        );
        let newer = KeyRef {
            generation: 2,
            ..key(KeyKind::Subject, 1)
        };
        assert_eq!(
            KeyRefs::new([key(KeyKind::Subject, 1), newer]),
            Err(KeyRefsError::Repeated)
        );
        let five: Vec<_> = (0..5).map(|kid| key(KeyKind::Subject, kid)).collect();
        assert_eq!(KeyRefs::new(five), Err(KeyRefsError::Owners));
    }
}
