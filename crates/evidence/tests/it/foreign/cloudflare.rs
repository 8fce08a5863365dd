//! Cloudflare's crates `signed_note` and `tlog_tiles`, which serve and read public logs.

use eunoe_evidence::merkle::{Hash as OurHash, inclusion_proof};
use eunoe_evidence::{KeyName, SignatureType, TileId, TileKind, TileSource as _, VerifierKey, tiles_between};
use signed_note::{Note, StandardVerifier, Verifier as _, VerifierList};
use tlog_tiles::{
    Checkpoint, Error, Hash, Tile, TileHashReader, TileReader, check_record, check_tree, prove_record,
    record_hash, tree_hash,
};

use crate::story::{self, Story};
use crate::tiles::Files;
use crate::world::{
    INDEX, OLD_SIZE, SIZE, TIME_S, checkpoint, consistency, cosigner, leaf, leaf_hashes, log_key, proof,
    signed,
};

fn theirs(hashes: &[OurHash]) -> Vec<Hash> {
    hashes.iter().map(|hash| Hash(*hash)).collect()
}

#[test]
fn they_verify_our_notes() {
    let note = Note::from_bytes(signed().to_string().as_bytes()).unwrap();
    assert_eq!(note.to_bytes(), signed().to_string().as_bytes());
    let verifier = StandardVerifier::new(&log_key().verifier().to_string()).unwrap();
    let known = VerifierList::new(vec![Box::new(verifier)]);
    let (verified, unknown) = note.verify(&known).unwrap();
    // The cosigners' type is not theirs.
    assert_eq!((verified.len(), unknown.len()), (1, 3));
    let read = Checkpoint::from_bytes(note.text()).unwrap();
    let ours = checkpoint(SIZE);
    assert_eq!(
        (read.origin(), read.size(), read.hash().0),
        (ours.origin(), SIZE, *ours.root())
    );
    assert_eq!(read.to_bytes(), ours.to_string().as_bytes());
}

#[test]
fn they_verify_our_cosignatures() {
    let node = cosigner("n1");
    let line = node.cosign(&checkpoint(SIZE), TIME_S).unwrap();
    let (time, signature) = line.signature().split_first_chunk::<8>().unwrap();
    assert_eq!(u64::from_be_bytes(*time), TIME_S);
    // Their verifier of plain Ed25519, over the message as the spec writes it.
    let name = KeyName::new("n1.eunoe.example").unwrap();
    let plain = VerifierKey::new(name, SignatureType::Ed25519, node.verifier().public_key()).unwrap();
    let verifier = StandardVerifier::new(&plain.to_string()).unwrap();
    let message = format!("cosignature/v1\ntime {TIME_S}\n{}", checkpoint(SIZE));
    assert!(verifier.verify(message.as_bytes(), signature));
    assert!(!verifier.verify(checkpoint(SIZE).to_string().as_bytes(), signature));
    let typed = [&[4][..], node.verifier().public_key()].concat();
    let id = signed_note::key_id("n1.eunoe.example", &typed);
    assert_eq!(format!("{id:08x}"), node.verifier().id().to_string());
}

#[test]
fn they_verify_our_proofs() {
    let (new, old) = (checkpoint(SIZE), checkpoint(OLD_SIZE));
    let proof = theirs(proof().hashes());
    let leaf = record_hash(&leaf(INDEX));
    check_record(&proof, SIZE, Hash(*new.root()), INDEX, leaf).unwrap();
    assert!(check_record(&proof, SIZE, Hash(*new.root()), INDEX - 1, leaf).is_err());
    let proof = theirs(&consistency());
    check_tree(&proof, SIZE, Hash(*new.root()), OLD_SIZE, Hash(*old.root())).unwrap();
    assert!(check_tree(&proof, SIZE, Hash(*new.root()), OLD_SIZE - 1, Hash(*old.root())).is_err());
}

/// All that they are given is the receipt's text and the log's key: each entry and proof is taken from it as an auditor would
/// take it with a JSON reader.
#[test]
fn p1_they_verify_each_entry_of_a_receipt() {
    let receipt = Story::at_threshold().receipt("threshold");
    let verifier = StandardVerifier::new(&story::log_key().verifier().to_string()).unwrap();
    let known = VerifierList::new(vec![Box::new(verifier)]);
    let mut verified = 0;
    for (entry, proof) in story::unpacked(&receipt) {
        let (head, note) = proof.split_once("\n\n").unwrap();
        let note = Note::from_bytes(note.as_bytes()).unwrap();
        assert_eq!(note.verify(&known).unwrap().0.len(), 1);
        let tree = Checkpoint::from_bytes(note.text()).unwrap();
        let mut lines = head.lines().skip(1);
        let index = lines
            .next()
            .unwrap()
            .strip_prefix("index ")
            .unwrap()
            .parse()
            .unwrap();
        let hashes: Vec<Hash> = lines.map(|line| Hash::parse_hash(line).unwrap()).collect();
        check_record(&hashes, tree.size(), *tree.hash(), index, record_hash(&entry)).unwrap();
        let other = [&entry[..], b" "].concat();
        assert!(check_record(&hashes, tree.size(), *tree.hash(), index, record_hash(&other)).is_err());
        verified += 1;
    }
    assert_eq!(verified, 14);
}

/// Our files for their reader, which checks each tile against the root.
struct OurTiles(Files);

impl TileReader for OurTiles {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        let read = |tile: &Tile| {
            let kind = TileKind::Hashes { level: tile.level() };
            let width = u16::try_from(tile.width()).unwrap();
            let ours = TileId::new(kind, tile.level_index(), width).unwrap();
            self.0.hashes(&ours).unwrap().concat()
        };
        Ok(tiles.iter().map(read).collect())
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

#[test]
fn they_read_our_tiles() {
    let tiles = OurTiles(Files::of(&leaf_hashes(SIZE), &[SIZE]));
    let root = Hash(*checkpoint(SIZE).root());
    let reader = TileHashReader::new(SIZE, root, &tiles);
    assert_eq!(tree_hash(SIZE, &reader).unwrap(), root);
    for index in [0, 255, 256, INDEX, SIZE - 1] {
        let ours = inclusion_proof(&leaf_hashes(SIZE)[..], index, SIZE).unwrap();
        assert_eq!(prove_record(SIZE, index, &reader).unwrap(), theirs(&ours));
    }
}

#[test]
fn they_publish_the_same_tiles() {
    for (old, new) in [
        (0, 1),
        (0, 256),
        (3, 300),
        (255, 70_000),
        (65_535, 65_536),
        (70_000, 70_000),
    ] {
        let hashes = tiles_between(old, new).filter(|tile| tile.kind() != TileKind::Entries);
        let mut ours: Vec<String> = hashes.map(|tile| tile.to_string()).collect();
        // Theirs have the height in the path.
        let theirs = Tile::new_tiles(8, old, new);
        let mut theirs: Vec<String> = theirs
            .iter()
            .map(|tile| tile.path().replacen("tile/8/", "tile/", 1))
            .collect();
        ours.sort();
        theirs.sort();
        assert_eq!(ours, theirs, "{old} to {new}");
    }
}
