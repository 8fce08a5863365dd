//! The `meta` page: what both trees share, sealed under the epoch root beside their top pages.

use eunoe_types::{DecodeError, Realm};

use super::page::PageKeys;
use super::page_id::PageId;
use crate::{Entropy, EntropyError, OpenError, SealError, SecretBytes, SecretKey};

const VERSION: u8 = 1;

/// The content of the `meta` page.
#[derive(Debug)]
pub struct MetaPage {
    /// What all locator keys are derived from.
    pub locator_root: SecretKey,
    /// The seed of the key that signs the transparency log's checkpoints.
    pub log_key: SecretKey,
}

impl MetaPage {
    /// A fresh one, for a new realm.
    pub fn generate(entropy: &mut dyn Entropy) -> Result<Self, EntropyError> {
        Ok(Self {
            locator_root: SecretKey::generate(entropy)?,
            log_key: SecretKey::generate(entropy)?,
        })
    }

    /// Seals it under the root's page keys.
    pub fn seal(
        &self,
        root: &PageKeys,
        realm: Realm,
        generation: u32,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, SealError> {
        let mut content = Vec::with_capacity(1 + 2 * SecretKey::BYTES);
        content.push(VERSION);
        content.extend_from_slice(self.locator_root.expose());
        content.extend_from_slice(self.log_key.expose());
        root.seal_content(
            realm,
            PageId::META,
            generation,
            &SecretBytes::new(content),
            entropy,
        )
    }

    /// Opens it; gives its generation beside it.
    pub fn open(root: &PageKeys, realm: Realm, sealed: &[u8]) -> Result<(u32, Self), OpenError> {
        let (generation, content) = root.open_content(realm, PageId::META, sealed)?;
        let (&version, keys) = content.expose().split_first().ok_or(DecodeError::Truncated)?;
        if version != VERSION {
            return Err(DecodeError::UnknownTag(version).into());
        }
        let (keys, left_over) = keys.as_chunks::<{ SecretKey::BYTES }>();
        let ([locator_root, log_key], []) = (keys, left_over) else {
            return Err(DecodeError::Range.into());
        };
        let page = Self {
            locator_root: SecretKey::from_bytes(locator_root),
            log_key: SecretKey::from_bytes(log_key),
        };
        Ok((generation, page))
    }
}
