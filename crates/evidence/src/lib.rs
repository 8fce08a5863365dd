#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod attester;
mod audit;
mod checkpoint;
mod convict;
mod encoding;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod json;
mod key;
mod leaf;
mod monitor;
mod note;
mod policy;
mod proof;
mod receipt;
mod signer;
mod tile;
mod witness;

pub use attester::Attester;
pub use audit::{AuditedLog, LogAudit, LogError};
pub use checkpoint::{
    Checkpoint, CheckpointError, ConsistencyError, ORIGIN_BYTES_MAX, SignedCheckpoint, prove_consistency,
    verify_consistency,
};
pub use convict::{Conviction, Surfaced, Suspicion, surfaced_bytes};
pub use encoding::SIZE_MAX;
/// Trees, leaf hashes and bare proofs.
pub use eunoe_merkle as merkle;
pub use json::{JSON_BYTES_MAX, JSON_DEPTH_MAX, JSON_NUMBER_MAX, JsonError, Object, Value};
pub use key::{KEY_NAME_BYTES_MAX, KeyError, KeyId, KeyName, SignatureError, SignatureType, VerifierKey};
pub use leaf::{
    AttestationError, HOLDER_ATTEST_DOMAIN, HOLDER_RETIRED_DOMAIN, Kind, Process, Statement, VaultClass,
    attested_message,
};
pub use monitor::{
    Alarm, MONITOR_ERASED_MAX, MONITOR_KEYS_MAX, MONITOR_NODES_MAX, MONITOR_PROCESSES_MAX, MONITOR_ROOTS_MAX,
    Monitor, MonitorError, MonitorSummary, Problem,
};
pub use note::{NOTE_BYTES_MAX, Note, NoteError, SIGNATURES_MAX, SignatureLine, Signed, UntrustedNote};
pub use policy::{
    Agreement, Cosigned, GROUPS_MAX, LOGS_MAX, POLICY_BYTES_MAX, Policy, PolicyError, PolicyLineError,
    Refused, WITNESSES_MAX,
};
pub use proof::{PROOF_HASHES_MAX, Proof, ProofError, Unproved};
pub use receipt::{
    ASSUMPTIONS, AssembleError, Assumption, Clause, Failed, Grade, RECEIPT_BYTES_MAX, RECEIPT_ENTRIES_MAX,
    Receipt, ReceiptEntry, ReceiptError, ReceiptFacts, TICKET_BYTES_MAX, Ticket, TicketError, Verdict,
    subject_commitment, verify,
};
pub use signer::{Cosigner, LogKey, SignError};
pub use tile::{
    ENTRY_BYTES_MAX, TILE_LEVEL_MAX, TILE_WIDTH, TileContentError, TileId, TileKind, TilePathError,
    TileSource, TileTreeError, TiledTree, decode_entries, decode_hashes, encode_entries, encode_hashes,
    tile_hashes, tiles_between,
};
pub use witness::{
    ADD_CHECKPOINT_BYTES_MAX, AddCheckpoint, AddCheckpointError, AnswerError, Refusal, SIZE_CONTENT_TYPE,
    TreeHead, Witness, WitnessAnswer, Witnessed,
};
