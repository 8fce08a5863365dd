//! Coordinates of tiles and their paths (tlog-tiles, *Merkle Tree* and *Log entries*).

use std::fmt;

use crate::encoding::{SIZE_MAX, decimal};

/// Hashes of a full tile of hashes, entries of a full bundle.
pub const TILE_WIDTH: u16 = 256;

/// The highest level with hashes in a tree of fewer than 2^63 leaves. Paths may have levels up to 63; no log has such
/// tiles, and they are refused.
pub const TILE_LEVEL_MAX: u8 = 7;

/// The logarithm of [`TILE_WIDTH`]: a hash of level L stands for 2^(8·L) leaves.
const HEIGHT: u32 = 8;
/// The longest path: `tile/entries`, six groups of an index below 2^55, `.p/255`.
const PATH_BYTES_MAX: usize = 64;

/// Why a path names no tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TilePathError {
    /// Not `tile/<L>/<N>[.p/<W>]`, or not in its one spelling.
    #[error("not the canonical path of a tile")]
    Form,
    /// No tree of fewer than 2^63 leaves has this tile.
    #[error("a tile that no tree has")]
    Range,
}

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// Hashes of complete subtrees of 2^(8·level) leaves.
    Hashes {
        /// 0 to [`TILE_LEVEL_MAX`]; hashes of level 0 are those of leaves.
        level: u8,
    },
    /// The entries whose hashes are those of the tile of level 0 with the same index and width: an entry bundle.
    Entries,
}

impl TileKind {
    fn level(self) -> u8 {
        match self {
            Self::Hashes { level } => level,
            Self::Entries => 0,
        }
    }
}

/// A tile. Its path, below the log's prefix, is its [`fmt::Display`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    kind: TileKind,
    index: u64,
    width: u16,
}

impl TileId {
    /// The tile number `index` of its kind, with 1 to [`TILE_WIDTH`] hashes or entries; fewer than that is a partial
    /// tile.
    pub fn new(kind: TileKind, index: u64, width: u16) -> Result<Self, TilePathError> {
        let level = kind.level();
        if level > TILE_LEVEL_MAX || width == 0 || width > TILE_WIDTH {
            return Err(TilePathError::Range);
        }
        let hashes = index
            .checked_mul(TILE_WIDTH.into())
            .and_then(|before| before.checked_add(width.into()));
        match hashes {
            Some(hashes) if hashes <= SIZE_MAX >> shift(level) => Ok(Self { kind, index, width }),
            _ => Err(TilePathError::Range),
        }
    }

    /// The tile in which a tree of `size` leaves has the hash or entry number `position` of `kind`, as wide as it is
    /// in that tree. None if the tree does not have it.
    pub fn holding(kind: TileKind, position: u64, size: u64) -> Option<Self> {
        let level = kind.level();
        let total = (level <= TILE_LEVEL_MAX && size <= SIZE_MAX).then(|| size >> shift(level))?;
        (position < total).then(|| Self::of_total(kind, position / u64::from(TILE_WIDTH), total))
    }

    /// Reads a path, such as `tile/0/x001/x234/067.p/8`.
    pub fn parse(path: &str) -> Result<Self, TilePathError> {
        if path.len() > PATH_BYTES_MAX {
            return Err(TilePathError::Form);
        }
        let rest = path.strip_prefix("tile/").ok_or(TilePathError::Form)?;
        let (kind, rest) = rest.split_once('/').ok_or(TilePathError::Form)?;
        let kind = match kind {
            "entries" => TileKind::Entries,
            level => TileKind::Hashes {
                level: level_of(level)?,
            },
        };
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, partial_width_of(width)?),
            None => (rest, TILE_WIDTH),
        };
        let tile = Self::new(kind, index_of(index)?, width)?;
        // Leading groups of zeros are another spelling.
        if tile.to_string() == path {
            Ok(tile)
        } else {
            Err(TilePathError::Form)
        }
    }

    /// What it holds.
    pub fn kind(&self) -> TileKind {
        self.kind
    }

    /// Its number among those of its kind.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Hashes or entries in it.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// The number, among all hashes or entries of its kind, of the first in it.
    pub fn first(&self) -> u64 {
        self.index * u64::from(TILE_WIDTH)
    }

    /// The tile number `index` in a tree that has `total` hashes of this kind, more than the tile's first.
    fn of_total(kind: TileKind, index: u64, total: u64) -> Self {
        let width = (total - index * u64::from(TILE_WIDTH)).min(TILE_WIDTH.into());
        // At most 256.
        let width = u16::try_from(width).unwrap_or(TILE_WIDTH);
        Self { kind, index, width }
    }
}

impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes { level } => write!(f, "tile/{level}/")?,
            TileKind::Entries => f.write_str("tile/entries/")?,
        }
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups.iter().skip(1).rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", groups[0])?;
        if self.width < TILE_WIDTH {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

/// The tiles, of hashes and entries, that a tree of `new` leaves has and the tree of `old` has not, each as wide as
/// in the new tree. A log that has published these after the last of its checkpoints may publish the next.
pub fn tiles_between(old: u64, new: u64) -> impl Iterator<Item = TileId> {
    let levels = (0..=TILE_LEVEL_MAX).map(|level| TileKind::Hashes { level });
    levels.chain([TileKind::Entries]).flat_map(move |kind| {
        let (old, new) = (
            old >> shift(kind.level()),
            new.min(SIZE_MAX) >> shift(kind.level()),
        );
        let first = old / u64::from(TILE_WIDTH);
        let end = if new > old {
            new.div_ceil(TILE_WIDTH.into())
        } else {
            first
        };
        (first..end).map(move |index| TileId::of_total(kind, index, new))
    })
}

/// The logarithm of the leaves that a hash of this level stands for.
pub(super) fn shift(level: u8) -> u32 {
    u32::from(level) * HEIGHT
}

/// A level, which may be one that no tree has; [`TileId::new`] tells.
fn level_of(text: &str) -> Result<u8, TilePathError> {
    decimal(text)
        .and_then(|level| u8::try_from(level).ok())
        .ok_or(TilePathError::Form)
}

fn partial_width_of(text: &str) -> Result<u16, TilePathError> {
    decimal(text)
        .and_then(|width| u16::try_from(width).ok())
        .filter(|width| (1..TILE_WIDTH).contains(width))
        .ok_or(TilePathError::Form)
}

/// An index of three-digit groups, all but the last with an `x` before it.
fn index_of(text: &str) -> Result<u64, TilePathError> {
    let mut groups = text.split('/').peekable();
    let mut index = 0_u64;
    while let Some(group) = groups.next() {
        let digits = if groups.peek().is_some() {
            group.strip_prefix('x').ok_or(TilePathError::Form)?
        } else {
            group
        };
        if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(TilePathError::Form);
        }
        let group: u64 = digits.parse().map_err(|_| TilePathError::Form)?;
        index = index
            .checked_mul(1000)
            .and_then(|index| index.checked_add(group))
            .ok_or(TilePathError::Range)?;
    }
    Ok(index)
}
