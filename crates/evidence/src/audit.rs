//! Reading a whole log against a checkpoint, bundle by bundle, so that whoever reads it needs no more memory than a hash
//! for each entry.

use eunoe_merkle::{Hash, leaf_hash, root_at};

use crate::checkpoint::Checkpoint;
use crate::json::{JsonError, Object};
use crate::tile::{TileContentError, TileId, TileKind, decode_entries, decode_hashes, tile_hashes};

/// Why a log is not what its checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// A bundle or a tile has another form than its path says.
    #[error("{tile}: {error}")]
    Content {
        /// Which.
        tile: TileId,
        /// What is wrong with it.
        error: TileContentError,
    },
    /// An entry is no canonical JSON object with a type.
    #[error("entry {index}: {error}")]
    Entry {
        /// From 0.
        index: u64,
        /// What is wrong with it.
        error: JsonError,
    },
    /// The entries make another tree than the one that was signed.
    #[error("the entries do not make the tree of the checkpoint")]
    Root,
    /// A tile has other hashes than its entries.
    #[error("{0}: not the hashes of the entries")]
    Tile(TileId),
    /// Bundles are missing.
    #[error("not all entries were read")]
    Unfinished,
}

/// A log as it is read, from its first entry on.
pub struct LogAudit<'a> {
    checkpoint: &'a Checkpoint,
    leaves: Vec<Hash>,
}

impl<'a> LogAudit<'a> {
    /// Begins to read the log of a checkpoint, whose signatures were checked.
    pub fn new(checkpoint: &'a Checkpoint) -> Self {
        Self {
            checkpoint,
            leaves: Vec::new(),
        }
    }

    fn read(&self) -> u64 {
        self.leaves.len() as u64
    }

    /// The bundle to read next; none when all were read.
    pub fn wanted(&self) -> Option<TileId> {
        TileId::holding(TileKind::Entries, self.read(), self.checkpoint.size())
    }

    /// Takes the bundle that [`wanted`](Self::wanted) named, and says what types of entries are in it, in their order. It says
    /// nothing yet of whether they are those of the checkpoint.
    pub fn add(&mut self, bundle: &[u8]) -> Result<Vec<String>, LogError> {
        let tile = self.wanted().ok_or(LogError::Unfinished)?;
        let entries = decode_entries(&tile, bundle).map_err(|error| LogError::Content { tile, error })?;
        let mut types = Vec::with_capacity(entries.len());
        for entry in entries {
            let typed = Object::parse(entry).and_then(|object| Ok(object.text("t")?.to_owned()));
            let index = self.read();
            types.push(typed.map_err(|error| LogError::Entry { index, error })?);
            self.leaves.push(leaf_hash(entry));
        }
        Ok(types)
    }

    /// Checks that the entries are those of the checkpoint.
    pub fn finish(self) -> Result<AuditedLog, LogError> {
        if self.read() != self.checkpoint.size() {
            return Err(LogError::Unfinished);
        }
        match root_at(&self.leaves[..], self.read()) {
            Ok(root) if root == *self.checkpoint.root() => Ok(AuditedLog { leaves: self.leaves }),
            Ok(_) | Err(_) => Err(LogError::Root),
        }
    }
}

/// A log whose entries are those of a checkpoint.
pub struct AuditedLog {
    leaves: Vec<Hash>,
}

impl AuditedLog {
    /// Checks a tile of hashes against the entries.
    pub fn check(&self, tile: &TileId, content: &[u8]) -> Result<(), LogError> {
        let found = decode_hashes(tile, content).map_err(|error| LogError::Content { tile: *tile, error })?;
        match tile_hashes(&self.leaves[..], tile) {
            Ok(hashes) if hashes == found => Ok(()),
            Ok(_) | Err(_) => Err(LogError::Tile(*tile)),
        }
    }
}

#[cfg(test)]
mod tests {
    use eunoe_merkle::Frontier;

    use super::*;
    use crate::tile::{encode_entries, encode_hashes, tiles_between};

    const SIZE: u64 = 600;

    fn entry(index: u64) -> Vec<u8> {
        format!(r#"{{"n":{index},"t":"eunoe/test@v1"}}"#).into_bytes()
    }

    fn bundle(tile: &TileId) -> Vec<u8> {
        let entries: Vec<_> = (tile.first()..tile.first() + u64::from(tile.width()))
            .map(entry)
            .collect();
        encode_entries(&entries).unwrap()
    }

    fn checkpoint() -> Checkpoint {
        let mut frontier = Frontier::new();
        (0..SIZE).for_each(|index| frontier.append(leaf_hash(&entry(index))));
        Checkpoint::new("eunoe/test", SIZE, frontier.root(), Vec::new()).unwrap()
    }

    fn audited(change: impl Fn(&TileId, &mut Vec<u8>)) -> Result<AuditedLog, LogError> {
        let checkpoint = checkpoint();
        let mut audit = LogAudit::new(&checkpoint);
        while let Some(tile) = audit.wanted() {
            let mut bytes = bundle(&tile);
            change(&tile, &mut bytes);
            assert_eq!(audit.add(&bytes)?.len(), usize::from(tile.width()));
        }
        audit.finish()
    }

    #[test]
    fn a_log_is_the_one_of_its_checkpoint_with_its_tiles() {
        let log = audited(|_, _| {}).unwrap();
        let hashes: Vec<Hash> = (0..SIZE).map(|index| leaf_hash(&entry(index))).collect();
        let mut tiles = 0;
        for tile in tiles_between(0, SIZE).filter(|tile| tile.kind() != TileKind::Entries) {
            let mut content = encode_hashes(&tile_hashes(&hashes[..], &tile).unwrap());
            assert_eq!(log.check(&tile, &content), Ok(()));
            content[31] ^= 1;
            assert_eq!(log.check(&tile, &content), Err(LogError::Tile(tile)));
            content.pop();
            assert!(matches!(
                log.check(&tile, &content),
                Err(LogError::Content { .. })
            ));
            tiles += 1;
        }
        assert_eq!(tiles, 4);
    }

    #[test]
    fn what_is_changed_left_out_or_no_json_is_found() {
        let digit = |tile: &TileId, bytes: &mut Vec<u8>| {
            if tile.first() == 256 {
                // A digit of the first entry's number.
                bytes[7] ^= 1;
            }
        };
        assert_eq!(audited(digit).err(), Some(LogError::Root));
        let brace = |tile: &TileId, bytes: &mut Vec<u8>| {
            if tile.first() == 256 {
                bytes[2] ^= 1;
            }
        };
        assert!(matches!(
            audited(brace).err(),
            Some(LogError::Entry { index: 256, .. })
        ));
        let cut = |_: &TileId, bytes: &mut Vec<u8>| {
            bytes.pop();
        };
        assert!(matches!(audited(cut).err(), Some(LogError::Content { .. })));
        let checkpoint = checkpoint();
        let mut audit = LogAudit::new(&checkpoint);
        audit.add(&bundle(&audit.wanted().unwrap())).unwrap();
        assert_eq!(audit.finish().err(), Some(LogError::Unfinished));
    }
}
