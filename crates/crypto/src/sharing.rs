//! A root shared among holders: any `t` of them have it together, fewer know nothing of it (erasure.md §4.1).
//!
//! Replicated sharing: the root is the XOR of one *sub-key* for each set of `t − 1` holders, and a sub-key goes to all
//! holders outside its set. Any `t` holders have all sub-keys; `t − 1` miss exactly the one of their own set. It takes XOR
//! alone, where schemes over polynomials keep failing by biased coefficients. What is public of it (a commitment to each
//! sub-key, so that a false one names who gave it) makes secrecy below `t` computational.

use std::fmt;

use eunoe_types::{DecodeError, Decoder, limits};

use crate::commitment::sub_key_commitment;
use crate::root::{FORM_SHARE, VERSION};
use crate::{Commitment, Entropy, KeyArena, KeyError, RootKey, SecretBytes, SecretKey};

/// How a root is shared: among how many holders, and how many of them have it together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharing {
    holders: u8,
    threshold: u8,
}

/// Why a root cannot be shared so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{threshold} of {holders} holders share no root: there are 1 to 8, and more than half of them are needed"
)]
pub struct SharingError {
    /// How many holders.
    pub holders: usize,
    /// How many of them.
    pub threshold: usize,
}

/// Why a share was not taken. It names no content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// It is a share of a root that is shared otherwise, or of another holder.
    #[error("the share is not one of this holder of this root")]
    Foreign,
    /// A sub-key in it is not the one that was committed to.
    #[error("the share is false")]
    False,
}

impl Sharing {
    /// `threshold` of `holders`.
    ///
    /// # Errors
    ///
    /// Unless there are 1 to [`limits::ROOT_HOLDERS_MAX`] holders, and more than half of them are needed: two groups
    /// that know nothing of each other must never both have the root.
    pub fn new(holders: usize, threshold: usize) -> Result<Self, SharingError> {
        let error = SharingError { holders, threshold };
        if holders > limits::ROOT_HOLDERS_MAX || threshold > holders || 2 * threshold <= holders {
            return Err(error);
        }
        let small = |number: usize| u8::try_from(number).map_err(|_| error);
        Ok(Self {
            holders: small(holders)?,
            threshold: small(threshold)?,
        })
    }

    /// How many holders there are.
    pub fn holders(self) -> usize {
        self.holders.into()
    }

    /// How many of them have the root together.
    pub fn threshold(self) -> usize {
        self.threshold.into()
    }

    /// How many sub-keys there are.
    pub fn sub_keys(self) -> usize {
        self.sets().count()
    }

    /// The sets of `t − 1` holders, each as a bit for each holder, in the order of their numbers.
    fn sets(self) -> impl Iterator<Item = u16> {
        let missed = u32::from(self.threshold) - 1;
        (0..1u16 << self.holders).filter(move |set| set.count_ones() == missed)
    }

    /// Draws a fresh root and its shares.
    pub fn deal(self, arena: &KeyArena, entropy: &mut dyn Entropy) -> Result<DealtRoot, KeyError> {
        // Of its final size at once: a vector that grows leaves its old bytes behind.
        let mut sub_keys = Vec::with_capacity(self.sub_keys());
        for _ in 0..self.sub_keys() {
            sub_keys.push(SecretKey::generate(entropy)?);
        }
        let root = RootKey::store(arena, &xor(sub_keys.iter()))?;
        Ok(DealtRoot {
            sharing: self,
            root,
            sub_keys,
        })
    }
}

fn xor<'a>(keys: impl Iterator<Item = &'a SecretKey>) -> SecretKey {
    let mut sum = SecretKey::from_bytes(&[0; SecretKey::BYTES]);
    for key in keys {
        for (sum, byte) in sum.expose_mut().iter_mut().zip(key.expose()) {
            *sum ^= byte;
        }
    }
    sum
}

/// A fresh root with all of its shares: in the memory of whoever makes it, and nowhere else.
pub struct DealtRoot {
    sharing: Sharing,
    root: RootKey,
    sub_keys: Vec<SecretKey>,
}

impl DealtRoot {
    /// How it is shared.
    pub fn sharing(&self) -> Sharing {
        self.sharing
    }

    /// The root.
    pub fn root(&self) -> &RootKey {
        &self.root
    }

    /// The root, without its shares.
    pub fn into_root(self) -> RootKey {
        self.root
    }

    /// A public commitment to each sub-key.
    pub fn commitments(&self) -> Vec<Commitment> {
        self.sub_keys.iter().map(sub_key_commitment).collect()
    }

    /// The share of the holder at `position`, counted from 0; none if there is no such holder.
    pub fn share(&self, position: usize) -> Option<RootShare> {
        let position = u8::try_from(position)
            .ok()
            .filter(|at| *at < self.sharing.holders)?;
        let own = self.sharing.sets().zip(&self.sub_keys);
        let mut sub_keys = Vec::with_capacity(self.sub_keys.len());
        sub_keys.extend(
            own.filter(|(set, _)| !is_in(*set, position))
                .map(|(_, key)| key.duplicate()),
        );
        Some(RootShare {
            sharing: self.sharing,
            position,
            sub_keys,
        })
    }
}

impl fmt::Debug for DealtRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DealtRoot({:?})", self.sharing)
    }
}

fn is_in(set: u16, position: u8) -> bool {
    set & (1 << position) != 0
}

/// What one holder keeps of a root.
pub struct RootShare {
    sharing: Sharing,
    position: u8,
    sub_keys: Vec<SecretKey>,
}

impl RootShare {
    /// How the root is shared.
    pub fn sharing(&self) -> Sharing {
        self.sharing
    }

    /// Which holder's it is, counted from 0.
    pub fn position(&self) -> usize {
        self.position.into()
    }

    /// The form that a vault keeps and a holder hands over: at most 1,125 bytes.
    pub fn encode(&self) -> SecretBytes {
        let mut bytes = Vec::with_capacity(5 + SecretKey::BYTES * self.sub_keys.len());
        bytes.extend_from_slice(&[
            VERSION,
            FORM_SHARE,
            self.sharing.holders,
            self.sharing.threshold,
            self.position,
        ]);
        self.sub_keys
            .iter()
            .for_each(|key| bytes.extend_from_slice(key.expose()));
        SecretBytes::new(bytes)
    }

    /// Reads that form. Whether it is a share of some root shows when the root is rebuilt.
    pub fn decode(bytes: &SecretBytes) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes.expose());
        for expected in [VERSION, FORM_SHARE] {
            let found = d.u8()?;
            if found != expected {
                return Err(DecodeError::UnknownTag(found));
            }
        }
        let sharing = Sharing::new(d.u8()?.into(), d.u8()?.into()).map_err(|_| DecodeError::Range)?;
        let position = d.u8()?;
        if position >= sharing.holders {
            return Err(DecodeError::Range);
        }
        let own = sharing.sets().filter(|set| !is_in(*set, position)).count();
        let mut sub_keys = Vec::with_capacity(own);
        for _ in 0..own {
            let key = d
                .fixed(SecretKey::BYTES)?
                .try_into()
                .map_err(|_| DecodeError::Truncated)?;
            sub_keys.push(SecretKey::from_bytes(key));
        }
        d.finish()?;
        Ok(Self {
            sharing,
            position,
            sub_keys,
        })
    }
}

impl fmt::Debug for RootShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootShare({} of {:?})", self.position, self.sharing)
    }
}

/// A root that is put together from shares.
pub struct Rebuilding {
    sharing: Sharing,
    commitments: Vec<Commitment>,
    sub_keys: Vec<Option<SecretKey>>,
}

impl Rebuilding {
    /// A root of which nothing is there yet; none if `commitments` are not those of a root that is shared so.
    pub fn new(sharing: Sharing, commitments: Vec<Commitment>) -> Option<Self> {
        let count = sharing.sub_keys();
        (commitments.len() == count).then(|| Self {
            sharing,
            commitments,
            sub_keys: (0..count).map(|_| None).collect(),
        })
    }

    /// Adds the share of the holder at `position`. What is false in it changes nothing.
    pub fn add(&mut self, position: usize, share: RootShare) -> Result<(), ShareError> {
        if share.sharing != self.sharing || share.position() != position {
            return Err(ShareError::Foreign);
        }
        let own = |(_, (set, _)): &(usize, (u16, &Commitment))| !is_in(*set, share.position);
        let places = self.sharing.sets().zip(&self.commitments).enumerate().filter(own);
        let places: Vec<(usize, Commitment)> = places
            .map(|(place, (_, commitment))| (place, *commitment))
            .collect();
        let mut given = places.iter().zip(&share.sub_keys);
        if !given.all(|((_, commitment), key)| sub_key_commitment(key) == *commitment) {
            return Err(ShareError::False);
        }
        // Copied, and wiped where they were: what is moved out of a vector stays behind in its memory.
        for ((place, _), key) in places.into_iter().zip(&share.sub_keys) {
            self.sub_keys[place] = Some(key.duplicate());
        }
        Ok(())
    }

    /// The root, once enough holders gave their shares. Whoever calls compares its commitment with the epoch's.
    pub fn root(&self, arena: &KeyArena) -> Result<Option<RootKey>, KeyError> {
        if self.sub_keys.iter().any(Option::is_none) {
            return Ok(None);
        }
        RootKey::store(arena, &xor(self.sub_keys.iter().flatten())).map(Some)
    }
}

impl fmt::Debug for Rebuilding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rebuilding({:?})", self.sharing)
    }
}

/// Decodes the form of a share and encodes it again.
#[cfg(feature = "fuzzing")]
pub(crate) fn recode(
    bytes: &eunoe_types::fuzzing::Bytes,
) -> Result<eunoe_types::fuzzing::Bytes, DecodeError> {
    let share = RootShare::decode(&SecretBytes::new(bytes.to_vec()))?;
    Ok(share.encode().expose().to_vec().into())
}
