//! The keys of one page, and interior pages: 32 page keys sealed under the key of the page above.

use eunoe_types::{DecodeError, Realm};

use super::page_id::{ARITY, PageId};
use crate::hash::derive_pair;
use crate::sealing::SUITE;
use crate::{Entropy, EntropyError, OpenError, SealError, SealingKey, SecretBytes, SecretKey};

const CONTEXT: &str = "eunoe v1 page";
const DOMAIN: &[u8] = b"eunoe/page/v1";

/// What a page's key gives: one key to seal its content, one to name its rows.
///
/// Derived when needed and dropped at once; what is kept is the page key, in the arena.
#[derive(Debug)]
pub struct PageKeys {
    pub(super) sealing: SealingKey,
    pub(super) naming: SecretKey,
}

impl PageKeys {
    /// From a page's key; from the epoch root for the `meta` page and the top pages.
    pub fn derive(page_key: &SecretKey) -> Self {
        let (sealing, naming) = derive_pair(CONTEXT, page_key);
        Self {
            sealing: SealingKey::new(sealing),
            naming,
        }
    }

    /// Seals an interior page. Each page key does this once: a changed page gets a new key.
    pub fn seal_page(
        &self,
        realm: Realm,
        page: PageId,
        generation: u32,
        children: &ChildKeys,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, SealError> {
        self.seal_content(realm, page, generation, &children.encode(), entropy)
    }

    /// Opens an interior page.
    pub fn open_page(&self, realm: Realm, page: PageId, sealed: &[u8]) -> Result<OpenedPage, OpenError> {
        let (generation, content) = self.open_content(realm, page, sealed)?;
        Ok(OpenedPage {
            generation,
            children: ChildKeys::decode(&content)?,
        })
    }

    pub(super) fn seal_content(
        &self,
        realm: Realm,
        page: PageId,
        generation: u32,
        content: &SecretBytes,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, SealError> {
        let sealed = self
            .sealing
            .seal(&aad(realm, page, generation), content.expose(), entropy)?;
        Ok([&[SUITE][..], &generation.to_le_bytes(), &sealed].concat())
    }

    pub(super) fn open_content(
        &self,
        realm: Realm,
        page: PageId,
        sealed: &[u8],
    ) -> Result<(u32, SecretBytes), OpenError> {
        let (generation, sealed) = read_header(sealed)?;
        Ok((
            generation,
            self.sealing.open(&aad(realm, page, generation), sealed)?,
        ))
    }
}

/// An interior page, opened.
#[derive(Debug)]
pub struct OpenedPage {
    /// The generation that it was sealed as.
    pub generation: u32,
    /// The keys of the pages below.
    pub children: ChildKeys,
}

/// The keys of the 32 pages below a page.
#[derive(Debug)]
pub struct ChildKeys(Box<[SecretKey; ARITY]>);

impl ChildKeys {
    /// Fresh random keys.
    pub fn generate(entropy: &mut dyn Entropy) -> Result<Self, EntropyError> {
        let mut keys = Box::new([const { SecretKey::from_bytes(&[0; SecretKey::BYTES]) }; ARITY]);
        for key in keys.iter_mut() {
            entropy.fill(key.expose_mut())?;
        }
        Ok(Self(keys))
    }

    /// The key of the page at `slot`; slots wrap at [`ARITY`].
    pub fn key(&self, slot: usize) -> &SecretKey {
        &self.0[slot % ARITY]
    }

    /// Gives the page at `slot` a fresh key.
    pub fn replace(&mut self, slot: usize, key: &SecretKey) {
        self.0[slot % ARITY].expose_mut().copy_from_slice(key.expose());
    }

    fn encode(&self) -> SecretBytes {
        let mut bytes = Vec::with_capacity(ARITY * SecretKey::BYTES);
        for key in self.0.iter() {
            bytes.extend_from_slice(key.expose());
        }
        SecretBytes::new(bytes)
    }

    fn decode(bytes: &SecretBytes) -> Result<Self, DecodeError> {
        let (keys, rest) = bytes.expose().as_chunks::<{ SecretKey::BYTES }>();
        if keys.len() != ARITY || !rest.is_empty() {
            return Err(DecodeError::Range);
        }
        let mut children = Box::new([const { SecretKey::from_bytes(&[0; SecretKey::BYTES]) }; ARITY]);
        for (child, key) in children.iter_mut().zip(keys) {
            child.expose_mut().copy_from_slice(key);
        }
        Ok(Self(children))
    }
}

/// Every part is of fixed width, so nothing needs a length.
fn aad(realm: Realm, page: PageId, generation: u32) -> Vec<u8> {
    [
        DOMAIN,
        &realm.0,
        &[page.tree.tag(), page.level],
        &page.index.to_le_bytes(),
        &generation.to_le_bytes(),
    ]
    .concat()
}

/// Suite and generation, which a page and a row begin with.
pub(super) fn read_header(sealed: &[u8]) -> Result<(u32, &[u8]), OpenError> {
    let (&suite, rest) = sealed.split_first().ok_or(OpenError::Truncated)?;
    if suite != SUITE {
        return Err(OpenError::UnknownSuite(suite));
    }
    let (generation, rest) = rest.split_first_chunk().ok_or(OpenError::Truncated)?;
    Ok((u32::from_le_bytes(*generation), rest))
}
