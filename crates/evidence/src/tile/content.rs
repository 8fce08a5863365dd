//! The bytes of tiles: hashes one after the other, entries each behind its length (tlog-tiles).

use eunoe_merkle::{Hash, HashSource, ProveError, subtree_at};

use super::id::{TileId, TileKind, shift};

/// Bytes of a log entry at most: what its length prefix can say.
pub const ENTRY_BYTES_MAX: usize = u16::MAX as usize;

const HASH_BYTES: usize = 32;

/// Why bytes are not a tile's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TileContentError {
    /// Hashes were asked of an entry bundle, or entries of a tile of hashes.
    #[error("content of the other kind of tile")]
    Kind,
    /// Not as many hashes or entries as the tile is wide, or bytes after the last.
    #[error("content of another width than its tile's")]
    Width,
    /// More than [`ENTRY_BYTES_MAX`] bytes.
    #[error("an entry that is too long")]
    EntryTooLong,
}

/// Reads a tile of hashes.
pub fn decode_hashes(tile: &TileId, bytes: &[u8]) -> Result<Vec<Hash>, TileContentError> {
    if tile.kind() == TileKind::Entries {
        return Err(TileContentError::Kind);
    }
    let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
    if rest.is_empty() && hashes.len() == usize::from(tile.width()) {
        Ok(hashes.to_vec())
    } else {
        Err(TileContentError::Width)
    }
}

/// The bytes of a tile of hashes.
pub fn encode_hashes(hashes: &[Hash]) -> Vec<u8> {
    hashes.concat()
}

/// Reads an entry bundle: for each entry its length as two bytes, the higher first, and its bytes.
pub fn decode_entries<'a>(tile: &TileId, bytes: &'a [u8]) -> Result<Vec<&'a [u8]>, TileContentError> {
    if tile.kind() != TileKind::Entries {
        return Err(TileContentError::Kind);
    }
    let mut rest = bytes;
    let mut entries = Vec::with_capacity(tile.width().into());
    for _ in 0..tile.width() {
        let (length, behind) = rest.split_first_chunk().ok_or(TileContentError::Width)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, behind) = behind.split_at_checked(length).ok_or(TileContentError::Width)?;
        entries.push(entry);
        rest = behind;
    }
    if rest.is_empty() {
        Ok(entries)
    } else {
        Err(TileContentError::Width)
    }
}

/// The bytes of an entry bundle.
pub fn encode_entries<E: AsRef<[u8]>>(entries: &[E]) -> Result<Vec<u8>, TileContentError> {
    let mut bytes = Vec::new();
    for entry in entries.iter().map(AsRef::as_ref) {
        let length = u16::try_from(entry.len()).map_err(|_| TileContentError::EntryTooLong)?;
        bytes.extend(length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

/// The hashes that belong in a tile, from a source that has at least the leaves below them. A tile of entries has
/// the hashes of its leaves.
pub fn tile_hashes<S: HashSource + ?Sized>(
    source: &S,
    tile: &TileId,
) -> Result<Vec<Hash>, ProveError<S::Error>> {
    let level = match tile.kind() {
        TileKind::Hashes { level } => level,
        TileKind::Entries => 0,
    };
    (0..u64::from(tile.width()))
        .map(|place| subtree_at(source, shift(level), tile.first() + place))
        .collect()
}
