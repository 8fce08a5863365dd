//! Rows of leaf pages: `suite ‖ generation ‖ version ‖ nonce ‖ ciphertext ‖ tag`, filed under a tag.

use eunoe_types::Realm;

use super::page::{PageKeys, read_header};
use super::page_id::{LeafName, PageId};
use crate::hash::keyed;
use crate::sealing::SUITE;
use crate::{Entropy, OpenError, SealError, SecretBytes};

const DOMAIN: &[u8] = b"eunoe/row/v1";

/// What a row is filed under within its page: leads to nothing once the page's key is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowTag(pub [u8; 16]);

/// What anyone can read of a sealed row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowHeader {
    /// The generation of the page that it was sealed for.
    pub generation: u32,
    /// Grows with each change of the row, from 1.
    pub version: u32,
}

impl RowHeader {
    pub(crate) fn split(sealed: &[u8]) -> Result<(Self, &[u8]), OpenError> {
        let (generation, rest) = read_header(sealed)?;
        let (version, rest) = rest.split_first_chunk().ok_or(OpenError::Truncated)?;
        Ok((
            Self {
                generation,
                version: u32::from_le_bytes(*version),
            },
            rest,
        ))
    }
}

/// A row, opened.
#[derive(Debug)]
pub struct OpenedRow {
    /// What it says of itself; authenticated.
    pub header: RowHeader,
    /// The encoded record.
    pub content: SecretBytes,
}

impl PageKeys {
    /// What the row of `name` is filed under.
    pub fn tag(&self, name: &LeafName) -> RowTag {
        RowTag(keyed(&self.naming, &[name.bytes()]))
    }

    /// Seals a row of leaf page `page`.
    pub fn seal_row(
        &self,
        realm: Realm,
        page: PageId,
        tag: RowTag,
        header: RowHeader,
        content: &SecretBytes,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, SealError> {
        let sealed = self
            .sealing
            .seal(&aad(realm, page, tag, header), content.expose(), entropy)?;
        Ok([
            &[SUITE][..],
            &header.generation.to_le_bytes(),
            &header.version.to_le_bytes(),
            &sealed,
        ]
        .concat())
    }

    /// Opens the row filed under `tag` in `page`.
    ///
    /// An older version of the same row opens too; whoever knows the current version compares it.
    pub fn open_row(
        &self,
        realm: Realm,
        page: PageId,
        tag: RowTag,
        sealed: &[u8],
    ) -> Result<OpenedRow, OpenError> {
        let (header, sealed) = RowHeader::split(sealed)?;
        let content = self.sealing.open(&aad(realm, page, tag, header), sealed)?;
        Ok(OpenedRow { header, content })
    }
}

/// Every part is of fixed width, so nothing needs a length.
fn aad(realm: Realm, page: PageId, tag: RowTag, header: RowHeader) -> Vec<u8> {
    [
        DOMAIN,
        &realm.0,
        &[page.tree.tag(), page.level],
        &page.index.to_le_bytes(),
        &header.generation.to_le_bytes(),
        &tag.0,
        &header.version.to_le_bytes(),
    ]
    .concat()
}
