//! What auditors may ask a node for.

use eunoe_types::{ErasureId, Fault};

/// The transparency log of one node.
///
/// ### To ensure correctness
///
/// - Each checkpoint continues every one that the node gave before.
/// - A tile holds what every later checkpoint commits to.
#[tonic::async_trait]
pub trait Audit: Send + Sync + 'static {
    /// A signed checkpoint of the log, the newest that this node can give.
    async fn checkpoint(&self) -> Result<String, Unpublished>;

    /// The bytes of the tile or entry bundle with this path.
    async fn tile(&self, path: &str) -> Result<Vec<u8>, Unpublished>;

    /// What a verifier may trust, as this node says it.
    async fn policy(&self) -> Result<String, Unpublished>;

    /// A receipt of an erasure, whoever asks: who may see it is the caller's to check.
    async fn receipt(&self, id: &ErasureId) -> Result<String, Unpublished>;
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unpublished {
    /// The node has not started, or was sealed since.
    #[error("this node has no checkpoint of the log yet")]
    NotYet,
    /// The path names no tile, or one that the log does not have yet.
    #[error("the log has no such tile")]
    NoSuchTile,
    /// The erasure is not DESTROYED, or there is none.
    #[error("the erasure is not destroyed yet")]
    NotDestroyed,
    /// Too few nodes signed the log now.
    #[error("too few nodes signed the log")]
    NotCosigned,
    /// The node is unfit.
    #[error("the log cannot be read")]
    Fault(#[from] Fault),
}
