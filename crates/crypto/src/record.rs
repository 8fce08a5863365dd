//! What the rows of the key tree hold once opened: a key's record, and an index entry that leads to one.

use eunoe_types::{DecodeError, Decoder, Encoder, Kid, TimeMs};

use crate::{KeyKind, Locator, SecretBytes, SecretKey};

const VERSION: u8 = 1;
/// Most generations of one record. One a day for a decade fits.
const GENERATIONS_MAX: usize = 4096;

/// One generation of a record's key. New content uses the newest, old content keeps its own.
#[derive(Debug)]
pub struct KeyGeneration {
    /// Its number; they grow.
    pub generation: u32,
    /// The key.
    pub key: SecretKey,
    /// When it was made, as its maker saw it.
    pub created: TimeMs,
}

/// A row of the KEY tree.
#[derive(Debug)]
pub struct KeyRecord {
    /// What its death erases.
    pub kind: KeyKind,
    /// Its id.
    pub kid: Kid,
    /// The epoch that it was created in.
    pub created_epoch: u64,
    /// All generations, oldest first; at least one.
    pub generations: Vec<KeyGeneration>,
    /// Reserved (legal hold); 0.
    pub flags: u8,
    /// The index row that leads to it, so that both are found when it is erased.
    pub locator: Option<Locator>,
    /// The blind of its public commitment; a subject's is in its index row instead.
    pub blind: Option<SecretKey>,
}

impl KeyRecord {
    /// The generation that never goes while the record lives: lookup and locator keys come from it.
    pub fn first(&self) -> Option<&KeyGeneration> {
        self.generations.first()
    }

    /// The generation that new content is sealed under.
    pub fn newest(&self) -> Option<&KeyGeneration> {
        self.generations.last()
    }

    /// The key of one generation.
    pub fn generation(&self, number: u32) -> Option<&SecretKey> {
        self.generations
            .iter()
            .find(|generation| generation.generation == number)
            .map(|found| &found.key)
    }

    /// The stored form, to be sealed.
    pub fn encode(&self) -> SecretBytes {
        // Enough room for everything: a vector that grows leaves secrets behind.
        let mut e = Encoder::with_capacity(136 + self.generations.len() * 64);
        e.u8(VERSION)
            .u8(self.kind.tag())
            .fixed(&self.kid.0)
            .varint(self.created_epoch)
            .u8(self.flags);
        e.varint(self.generations.len() as u64);
        for generation in &self.generations {
            e.varint(u64::from(generation.generation))
                .fixed(generation.key.expose());
            e.varint(generation.created.0);
        }
        encode_blind(&mut e, self.blind.as_ref());
        match &self.locator {
            None => e.u8(0),
            Some(locator) => e.u8(1).fixed(&locator.0),
        };
        SecretBytes::new(e.finish())
    }

    /// Reads the stored form.
    pub fn decode(bytes: &SecretBytes) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes.expose());
        decode_version(&mut d)?;
        let (kind, kid) = (KeyKind::from_tag(d.u8()?)?, Kid(d.array()?));
        let (created_epoch, flags) = (d.varint()?, d.u8()?);
        let generations = decode_generations(&mut d)?;
        let blind = decode_blind(&mut d)?;
        let locator = match d.u8()? {
            0 => None,
            1 => Some(Locator(d.array()?)),
            unknown => return Err(DecodeError::UnknownTag(unknown)),
        };
        d.finish()?;
        Ok(Self {
            kind,
            kid,
            created_epoch,
            generations,
            flags,
            blind,
            locator,
        })
    }
}

fn decode_generations(d: &mut Decoder<'_>) -> Result<Vec<KeyGeneration>, DecodeError> {
    let count = d.count(GENERATIONS_MAX)?;
    let mut generations: Vec<KeyGeneration> = Vec::new();
    for _ in 0..count {
        let generation = d.varint_u32()?;
        if generations
            .last()
            .is_some_and(|last| last.generation >= generation)
        {
            return Err(DecodeError::Range);
        }
        let key = decode_key(d)?;
        generations.push(KeyGeneration {
            generation,
            key,
            created: TimeMs(d.varint()?),
        });
    }
    if generations.is_empty() {
        Err(DecodeError::Range)
    } else {
        Ok(generations)
    }
}

/// A row of the IDX tree.
#[derive(Debug)]
pub struct IndexRecord {
    /// What it leads to.
    pub kid: Kid,
    /// The blind of a subject's public commitment.
    pub blind: Option<SecretKey>,
    /// Its own name, so that an epoch can file it anew under a fresh page key.
    pub locator: Locator,
    /// What its kind keeps beside that (a conversation's data group, a subject's settings).
    pub payload: SecretBytes,
}

impl IndexRecord {
    /// The stored form, to be sealed.
    pub fn encode(&self) -> SecretBytes {
        let mut e = Encoder::with_capacity(128 + self.payload.len());
        e.u8(VERSION).fixed(&self.kid.0).fixed(&self.locator.0);
        encode_blind(&mut e, self.blind.as_ref());
        e.bytes(self.payload.expose());
        SecretBytes::new(e.finish())
    }

    /// Reads the stored form.
    pub fn decode(bytes: &SecretBytes) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes.expose());
        decode_version(&mut d)?;
        let (kid, locator) = (Kid(d.array()?), Locator(d.array()?));
        let blind = decode_blind(&mut d)?;
        let payload = SecretBytes::from(d.bytes()?);
        d.finish()?;
        Ok(Self {
            kid,
            blind,
            locator,
            payload,
        })
    }
}

fn decode_version(d: &mut Decoder<'_>) -> Result<(), DecodeError> {
    match d.u8()? {
        VERSION => Ok(()),
        unknown => Err(DecodeError::UnknownTag(unknown)),
    }
}

fn encode_blind(e: &mut Encoder, blind: Option<&SecretKey>) {
    match blind {
        Some(blind) => e.u8(1).fixed(blind.expose()),
        None => e.u8(0),
    };
}

fn decode_blind(d: &mut Decoder<'_>) -> Result<Option<SecretKey>, DecodeError> {
    match d.u8()? {
        0 => Ok(None),
        1 => decode_key(d).map(Some),
        unknown => Err(DecodeError::UnknownTag(unknown)),
    }
}

fn decode_key(d: &mut Decoder<'_>) -> Result<SecretKey, DecodeError> {
    let bytes: &[u8; SecretKey::BYTES] = d
        .fixed(SecretKey::BYTES)?
        .try_into()
        .map_err(|_| DecodeError::Truncated)?;
    Ok(SecretKey::from_bytes(bytes))
}
