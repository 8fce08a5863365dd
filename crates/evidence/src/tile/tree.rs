//! A Merkle tree that is read from tiles, by a server from its files or by a verifier from what it downloaded.

use std::cell::RefCell;
use std::rc::Rc;

use eunoe_merkle::{Hash, HashSource, root_of};

use super::id::{TILE_LEVEL_MAX, TILE_WIDTH, TileId, TileKind};

/// Hashes of a tile that stand below one hash of the next level: a subtree of this height and up is in the next tile.
const HEIGHT: u32 = TILE_WIDTH.ilog2();

/// Where tiles of hashes are read from.
pub trait TileSource {
    /// What reading may fail with.
    type Error;

    /// The hashes of a tile, decoded. More than its width is fine: once a tile is full, a log may have no partial one.
    fn hashes(&self, tile: &TileId) -> Result<Vec<Hash>, Self::Error>;
}

/// Why a hash could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TileTreeError<E> {
    /// The hash is not in the tree.
    #[error("outside of the tree")]
    Range,
    /// The source has a tile of fewer hashes than the tree's size asks for.
    #[error("a tile with too few hashes: {0}")]
    Width(TileId),
    /// The source failed.
    #[error(transparent)]
    Source(E),
}

/// The tree of `size` leaves in tiles: proofs read at most one or two tiles of each level.
///
/// The hashes are believed as they come. A proof that is made from them is worth what its check against a signed root
/// says, and nothing before that.
pub struct TiledTree<'a, S: ?Sized> {
    source: &'a S,
    size: u64,
    /// The tile of each level that was read last; a proof asks for it again and again.
    last: RefCell<[Option<ReadTile>; TILE_LEVEL_MAX as usize + 1]>,
}

type ReadTile = (TileId, Rc<[Hash]>);

impl<'a, S: TileSource + ?Sized> TiledTree<'a, S> {
    /// The tree of `size` leaves.
    pub fn new(source: &'a S, size: u64) -> Self {
        Self {
            source,
            size,
            last: RefCell::default(),
        }
    }

    /// The hashes from number `first` on of a level, `count` of them, which one tile holds.
    fn hashes(&self, level: u8, first: u64, count: usize) -> Result<Vec<Hash>, TileTreeError<S::Error>> {
        let last = first + (count as u64 - 1);
        let tile =
            TileId::holding(TileKind::Hashes { level }, last, self.size).ok_or(TileTreeError::Range)?;
        let hashes = self.tile(level, tile)?;
        // The tile is no further than its last hash.
        let place = usize::try_from(first - tile.first()).map_err(|_| TileTreeError::Range)?;
        let found = hashes.get(place..place + count);
        found.map(<[Hash]>::to_vec).ok_or(TileTreeError::Width(tile))
    }

    fn tile(&self, level: u8, tile: TileId) -> Result<Rc<[Hash]>, TileTreeError<S::Error>> {
        let slot = usize::from(level);
        let known = self.last.borrow()[slot].clone();
        if let Some((known, hashes)) = known
            && known == tile
        {
            return Ok(hashes);
        }
        let hashes = self.source.hashes(&tile).map_err(TileTreeError::Source)?;
        if hashes.len() < usize::from(tile.width()) {
            return Err(TileTreeError::Width(tile));
        }
        let hashes: Rc<[Hash]> = hashes.into();
        self.last.borrow_mut()[slot] = Some((tile, hashes.clone()));
        Ok(hashes)
    }
}

impl<S: TileSource + ?Sized> HashSource for TiledTree<'_, S> {
    type Error = TileTreeError<S::Error>;

    fn leaf(&self, index: u64) -> Result<Hash, Self::Error> {
        Ok(self.hashes(0, index, 1)?[0])
    }

    fn subtree(&self, level: u32, index: u64) -> Result<Option<Hash>, Self::Error> {
        let tile_level = u8::try_from(level / HEIGHT).ok();
        let Some(tile_level) = tile_level.filter(|level| *level <= TILE_LEVEL_MAX) else {
            return Err(TileTreeError::Range);
        };
        let within = level % HEIGHT;
        let count = 1_u64 << within;
        let first = index.checked_mul(count).ok_or(TileTreeError::Range)?;
        let below = self.hashes(tile_level, first, 1 << within)?;
        Ok(Some(root_of(below)))
    }
}
