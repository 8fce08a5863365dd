#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod audit;
mod checkpoint;
mod encoding;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod json;
mod key;
mod note;
mod policy;
mod proof;
mod signer;
mod tile;
mod witness;

pub use audit::{AuditedLog, LogAudit, LogError};
pub use checkpoint::{
    Checkpoint, CheckpointError, ConsistencyError, ORIGIN_BYTES_MAX, SignedCheckpoint, prove_consistency,
    verify_consistency,
};
pub use encoding::SIZE_MAX;
/// Trees, leaf hashes and bare proofs.
pub use eunoe_merkle as merkle;
pub use json::{JSON_BYTES_MAX, JSON_DEPTH_MAX, JSON_NUMBER_MAX, JsonError, Object, Value};
pub use key::{KEY_NAME_BYTES_MAX, KeyError, KeyId, KeyName, SignatureError, SignatureType, VerifierKey};
pub use note::{NOTE_BYTES_MAX, Note, NoteError, SIGNATURES_MAX, SignatureLine, Signed, UntrustedNote};
pub use policy::{
    Agreement, Cosigned, GROUPS_MAX, LOGS_MAX, POLICY_BYTES_MAX, Policy, PolicyError, PolicyLineError,
    Refused, WITNESSES_MAX,
};
pub use proof::{PROOF_HASHES_MAX, Proof, ProofError, Unproved};
pub use signer::{Cosigner, LogKey, SignError};
pub use tile::{
    ENTRY_BYTES_MAX, TILE_LEVEL_MAX, TILE_WIDTH, TileContentError, TileId, TileKind, TilePathError,
    TileSource, TileTreeError, TiledTree, decode_entries, decode_hashes, encode_entries, encode_hashes,
    tile_hashes, tiles_between,
};
pub use witness::{
    AddCheckpoint, AddCheckpointError, AnswerError, Refusal, SIZE_CONTENT_TYPE, TreeHead, Witness,
    WitnessAnswer, Witnessed,
};
