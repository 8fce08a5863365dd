//! The log as static files: which tiles there are and what is in them (tlog-tiles).

mod content;
mod id;
mod tree;

pub use content::{
    ENTRY_BYTES_MAX, TileContentError, decode_entries, decode_hashes, encode_entries, encode_hashes,
    tile_hashes,
};
pub use id::{TILE_LEVEL_MAX, TILE_WIDTH, TileId, TileKind, TilePathError, tiles_between};
pub use tree::{TileSource, TileTreeError, TiledTree};
