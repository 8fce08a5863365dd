//! Tiles have the paths and the content of the spec, and proofs can be made of them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use eunoe_evidence::merkle::{
    Hash, consistency_proof, inclusion_proof, leaf_hash, root_at, root_of, verify_consistency,
    verify_inclusion,
};
use eunoe_evidence::{
    ENTRY_BYTES_MAX, SIZE_MAX, TILE_LEVEL_MAX, TileContentError, TileId, TileKind, TilePathError, TileSource,
    TileTreeError, TiledTree, decode_entries, decode_hashes, encode_entries, encode_hashes, tile_hashes,
    tiles_between,
};
use proptest::prelude::*;

fn hashes(level: u8) -> TileKind {
    TileKind::Hashes { level }
}

/// A log's files, by path.
#[derive(Default)]
pub(crate) struct Files {
    files: BTreeMap<String, Vec<u8>>,
    read: RefCell<Vec<String>>,
}

impl Files {
    /// What a log publishes that grew in these steps.
    pub(crate) fn of(leaves: &[Hash], steps: &[u64]) -> Self {
        let mut files = Self::default();
        let mut old = 0;
        for size in steps {
            for tile in tiles_between(old, *size).filter(|tile| tile.kind() != TileKind::Entries) {
                let content = tile_hashes(leaves, &tile).unwrap();
                let before = files.files.insert(tile.to_string(), encode_hashes(&content));
                assert_eq!(before, None, "{tile} is published twice");
            }
            old = *size;
        }
        files
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = (&String, &Vec<u8>)> {
        self.files.iter()
    }
}

impl TileSource for Files {
    type Error = String;

    fn hashes(&self, tile: &TileId) -> Result<Vec<Hash>, String> {
        self.read.borrow_mut().push(tile.to_string());
        let bytes = self
            .files
            .get(&tile.to_string())
            .ok_or_else(|| tile.to_string())?;
        decode_hashes(tile, bytes).map_err(|error| error.to_string())
    }
}

#[test]
fn paths_are_those_of_the_spec() {
    for (kind, index, width, path) in [
        (hashes(0), 1_234_067, 256, "tile/0/x001/x234/067"),
        (hashes(4), 12, 8, "tile/4/012.p/8"),
        (TileKind::Entries, 0, 256, "tile/entries/000"),
        (TileKind::Entries, 1000, 1, "tile/entries/x001/000.p/1"),
        (hashes(7), 0, 127, "tile/7/000.p/127"),
    ] {
        let tile = TileId::new(kind, index, width).unwrap_or_else(|_| panic!("{path}"));
        assert_eq!(tile.to_string(), path);
        assert_eq!(TileId::parse(path), Ok(tile));
    }
}

#[test]
fn other_paths_are_refused() {
    for path in [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "/tile/0/000",
        "tile/0/000/",
        "tile/00/000",
        "tile/-1/000",
        "tile/x/000",
        "tile/entry/000",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x000",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/0/x001/x000",
        "tile/0/X001/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000.p/1/",
        "tile/0/000.p/1.p/1",
        "tile/0/+01",
        "tile/0/..",
        "tile/0/000\n",
        "tile/0/٠٠٠",
        "tile/256/000",
    ] {
        assert_eq!(TileId::parse(path), Err(TilePathError::Form), "{path}");
    }
    for path in [
        "tile/8/000",
        "tile/63/000",
        "tile/7/000.p/128",
        "tile/0/x999/x999/x999/x999/x999/999",
    ] {
        assert_eq!(TileId::parse(path), Err(TilePathError::Range), "{path}");
    }
    let long = format!("tile/0/{}000", "x999/".repeat(100));
    assert_eq!(TileId::parse(&long), Err(TilePathError::Form));
    for (index, width) in [(0, 0), (0, 257), (u64::MAX, 1), (SIZE_MAX / 256 + 1, 1)] {
        assert_eq!(TileId::new(hashes(0), index, width), Err(TilePathError::Range));
    }
    assert_eq!(
        TileId::new(hashes(TILE_LEVEL_MAX + 1), 0, 1),
        Err(TilePathError::Range)
    );
}

/// The examples of the spec.
#[test]
fn a_tree_has_the_tiles_of_the_spec() {
    let counted = |size| {
        let mut tiles = BTreeMap::new();
        for tile in tiles_between(0, size) {
            let full = tile.width() == 256;
            *tiles.entry((tile.kind(), full)).or_insert(0) += 1;
        }
        tiles
    };
    let expected = [
        ((hashes(0), true), 273),
        ((hashes(0), false), 1),
        ((hashes(1), true), 1),
        ((hashes(1), false), 1),
        ((hashes(2), false), 1),
        ((TileKind::Entries, true), 273),
        ((TileKind::Entries, false), 1),
    ];
    assert_eq!(counted(70_000), BTreeMap::from(expected));
    let widths: Vec<String> = tiles_between(69_999, 70_000)
        .map(|tile| tile.to_string())
        .collect();
    assert_eq!(widths, ["tile/0/273.p/112", "tile/entries/273.p/112"]);
    let full = [
        ((hashes(0), true), 1),
        ((hashes(1), false), 1),
        ((TileKind::Entries, true), 1),
    ];
    assert_eq!(counted(256), BTreeMap::from(full));
    assert_eq!(tiles_between(0, 0).count(), 0);
    assert_eq!(tiles_between(7, 7).count(), 0);
    assert_eq!(tiles_between(7, 3).count(), 0);
    // The largest tree of all has tiles of every level.
    let levels: BTreeSet<_> = tiles_between(SIZE_MAX - 1, SIZE_MAX)
        .map(|tile| tile.kind())
        .collect();
    assert_eq!(levels.len(), 2);
    assert_eq!(
        TileId::holding(hashes(7), 126, SIZE_MAX).unwrap().to_string(),
        "tile/7/000.p/127"
    );
    assert_eq!(TileId::holding(hashes(7), 127, SIZE_MAX), None);
    assert_eq!(TileId::holding(hashes(0), 0, SIZE_MAX + 1), None);
}

#[test]
fn content_is_exact() {
    let tile = TileId::new(hashes(0), 0, 2).unwrap();
    let bytes = encode_hashes(&[[1; 32], [2; 32]]);
    assert_eq!(decode_hashes(&tile, &bytes).unwrap(), [[1; 32], [2; 32]]);
    for bad in [
        &bytes[..63],
        &bytes[..32],
        &[&bytes[..], &[0]].concat(),
        &[&bytes[..], &bytes[..32]].concat(),
    ] {
        assert_eq!(decode_hashes(&tile, bad), Err(TileContentError::Width));
    }
    let bundle = TileId::new(TileKind::Entries, 0, 2).unwrap();
    let bytes = encode_entries(&[&b"ab"[..], b""]).unwrap();
    assert_eq!(bytes, b"\x00\x02ab\x00\x00");
    assert_eq!(decode_entries(&bundle, &bytes).unwrap(), [&b"ab"[..], b""]);
    for bad in [
        &b""[..],
        b"\x00",
        b"\x00\x02ab",
        b"\x00\x02ab\x00",
        b"\x00\x02ab\x00\x01",
        b"\x00\x02ab\x00\x00\x00",
    ] {
        assert_eq!(
            decode_entries(&bundle, bad),
            Err(TileContentError::Width),
            "{bad:?}"
        );
    }
    assert_eq!(decode_entries(&tile, &bytes), Err(TileContentError::Kind));
    assert_eq!(decode_hashes(&bundle, &bytes), Err(TileContentError::Kind));
    assert!(encode_entries(&[vec![0; ENTRY_BYTES_MAX]]).is_ok());
    assert_eq!(
        encode_entries(&[vec![0; ENTRY_BYTES_MAX + 1]]),
        Err(TileContentError::EntryTooLong)
    );
}

#[test]
fn tiles_give_the_proofs_that_leaves_give() {
    let leaves: Vec<Hash> = (0..66_000_u64)
        .map(|index| leaf_hash(&index.to_be_bytes()))
        .collect();
    let files = Files::of(&leaves, &[1, 255, 256, 300, 65_536, 66_000]);
    for size in [1, 255, 256, 300, 65_536, 66_000] {
        let tree = TiledTree::new(&files, size);
        let root = root_at(&tree, size).unwrap();
        assert_eq!(root, root_of(leaves[..size as usize].iter().copied()), "{size}");
        for index in [0, size / 3, size / 2, size - 1] {
            files.read.borrow_mut().clear();
            let proof = inclusion_proof(&tree, index, size).unwrap();
            verify_inclusion(&leaves[index as usize], index, size, &proof, &root).unwrap();
            assert!(files.read.borrow().len() <= 6, "{:?}", files.read.borrow());
        }
        for old in [1, size / 3, size - 1, size].into_iter().filter(|old| *old > 0) {
            let proof = consistency_proof(&tree, old, size).unwrap();
            let old_root = root_of(leaves[..old as usize].iter().copied());
            verify_consistency(old, size, &old_root, &root, &proof).unwrap();
        }
    }
}

/// Answers with as many hashes as it was told, whatever is asked for.
struct Always(usize);

impl TileSource for Always {
    type Error = String;

    fn hashes(&self, _: &TileId) -> Result<Vec<Hash>, String> {
        Ok(vec![[0; 32]; self.0])
    }
}

#[test]
fn tiles_that_are_missing_or_narrow_are_named() {
    use eunoe_evidence::merkle::HashSource as _;
    let missing = Files::default();
    let error = TiledTree::new(&missing, 300).leaf(257).unwrap_err();
    assert_eq!(error, TileTreeError::Source("tile/0/001.p/44".to_owned()));
    let tile = TileId::holding(hashes(0), 257, 300).unwrap();
    assert_eq!(
        TiledTree::new(&Always(43), 300).leaf(257),
        Err(TileTreeError::Width(tile))
    );
    // A full tile in place of the partial one will do.
    assert_eq!(TiledTree::new(&Always(256), 300).leaf(257), Ok([0; 32]));
    let tree = TiledTree::new(&missing, 300);
    assert_eq!(tree.leaf(300), Err(TileTreeError::Range));
    for (level, index) in [
        (0, 300),
        (3, 37),
        (8, 1),
        (64, 0),
        (u32::MAX, 0),
        (9, u64::MAX),
        (63, u64::MAX),
    ] {
        assert_eq!(
            tree.subtree(level, index),
            Err(TileTreeError::Range),
            "{level} {index}"
        );
    }
}

fn any_tile() -> impl Strategy<Value = TileId> {
    let kind = prop_oneof![Just(TileKind::Entries), (0..=TILE_LEVEL_MAX).prop_map(hashes)];
    (kind, any::<u64>(), 0..64_u32, 1..=256_u16)
        .prop_filter_map("a tile that no tree has", |(kind, index, shift, width)| {
            TileId::new(kind, index >> shift, width).ok()
        })
}

proptest! {
    #[test]
    fn a_path_is_a_tile(tile in any_tile()) {
        prop_assert_eq!(TileId::parse(&tile.to_string()), Ok(tile));
    }

    #[test]
    fn what_is_read_as_a_path_is_written_the_same(path in "tile/([0-9]{1,2}|entries)(/x?[0-9]{3}){1,4}(\\.p/[0-9]{1,3})?") {
        if let Ok(tile) = TileId::parse(&path) {
            prop_assert_eq!(tile.to_string(), path);
        }
    }

    #[test]
    fn growth_in_steps_publishes_what_growth_at_once_needs(steps in proptest::collection::vec(0..200_000_u64, 1..6)) {
        let mut steps = steps;
        steps.sort_unstable();
        let last = steps[steps.len() - 1];
        let mut published = BTreeSet::new();
        let mut old = 0;
        for size in &steps {
            published.extend(tiles_between(old, *size));
            old = *size;
        }
        for tile in tiles_between(0, last) {
            prop_assert!(published.contains(&tile), "{}", tile);
        }
    }

    #[test]
    fn bundles_round_trip(entries in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..=256)) {
        let bundle = TileId::new(TileKind::Entries, 0, u16::try_from(entries.len()).unwrap()).unwrap();
        let bytes = encode_entries(&entries).unwrap();
        prop_assert_eq!(decode_entries(&bundle, &bytes).unwrap(), entries);
    }
}
