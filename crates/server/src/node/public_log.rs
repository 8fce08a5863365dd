//! The transparency log as everybody may see it: checkpoints that this node signs, tiles and entries (erasure.md §6.2).

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use eunoe_core::StateView;
use eunoe_core::control::{self, GenesisRow, LogTree, NodeKeys};
use eunoe_crypto::SecretKey;
use eunoe_evidence::{
    Checkpoint, LogKey, Policy, SignatureType, SignedCheckpoint, TileId, TileKind, VerifierKey,
    encode_entries, encode_hashes, tile_hashes,
};
use eunoe_types::{ErasureId, Fault, GroupId, Realm};

use super::signing::{self, origin};
use super::witnesses::Witnesses;
use super::{NodeError, Shared, cosigning, receipts};
use crate::audit::{Audit, Unpublished};
use crate::config::AuditConfig;

/// Checkpoints that the nodes are asked to sign, one after the other, until enough do.
const ATTEMPTS: u32 = 3;

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";

/// The log of this node.
pub(super) struct PublicLog {
    shared: Arc<Shared>,
    witnesses: Witnesses,
    /// Served while the node signs nothing, and while nothing new is to be signed.
    last: Mutex<Option<SignedCheckpoint>>,
}

impl PublicLog {
    pub(super) fn new(shared: Arc<Shared>) -> Result<Self, NodeError> {
        Ok(Self {
            witnesses: Witnesses::new(&shared.config.audit.witnesses)?,
            shared,
            last: Mutex::default(),
        })
    }

    /// Reads the control group's state as far as it is applied here: what is applied is committed, and stays.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn StateView) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Unpublished> {
        let control = self.shared.group(GroupId::CONTROL).ok_or(Unpublished::NotYet)?;
        let done = self.shared.blocking(move || control.with_view(read)).await;
        match done {
            Ok(Ok(Ok(read))) => Ok(read),
            Ok(Ok(Err(fault)) | Err(fault)) => Err(fault.into()),
            Err(_) => Err(Unpublished::NotYet),
        }
    }

    /// A checkpoint of what is applied now that more than half of the nodes sign, if there is one: a node that has signed a
    /// larger one meanwhile does not sign a smaller one.
    async fn sign(&self) -> Result<Option<SignedCheckpoint>, Unpublished> {
        let signers = cosigning::signers(&self.shared)?.len();
        for attempt in 1.. {
            let Some(mut signed) = self.sign_alone().await? else {
                return Ok(None);
            };
            if let Some(last) = self.cosigned(signed.checkpoint().size()) {
                return Ok(Some(last));
            }
            cosigning::gather(&self.shared, &mut signed).await?;
            let cosigned = signed.note().signatures().len() - 1;
            if 2 * cosigned > signers || attempt == ATTEMPTS {
                self.witnesses.gather(&self.shared, &mut signed).await?;
                self.remember(&signed);
                return Ok(Some(signed));
            }
        }
        Ok(None)
    }

    /// Keeps a checkpoint to be served again, unless there is a larger one, or as large a one with more signatures: one that
    /// was asked for earlier may be ready later.
    fn remember(&self, signed: &SignedCheckpoint) {
        let rank = |signed: &SignedCheckpoint| {
            let signatures = signed.note().signatures().len();
            (signed.checkpoint().size(), signatures)
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_none_or(|before| rank(signed) > rank(before)) {
            *last = Some(signed.clone());
        }
    }

    /// Signs what is applied now with the log's key, if this node holds it.
    async fn sign_alone(&self) -> Result<Option<SignedCheckpoint>, Unpublished> {
        let frontier = self.read(control::frontier).await?;
        let Ok(keys) = self.shared.keyring.unsealed() else {
            return Ok(None);
        };
        let log_key = log_key(self.shared.config.realm, keys.log_key())?;
        let origin = log_key.verifier().name().as_str();
        let signed = Checkpoint::new(origin, frontier.size(), frontier.root(), Vec::new())
            .ok()
            .and_then(|checkpoint| {
                let line = log_key.sign(&checkpoint).ok()?;
                SignedCheckpoint::new(checkpoint, vec![line]).ok()
            });
        let signed = signed.ok_or_else(|| Fault::broken("the transparency log has no checkpoint"))?;
        Ok(Some(signed))
    }

    /// The last checkpoint, if it is of this size and all nodes have signed it.
    fn cosigned(&self, size: u64) -> Option<SignedCheckpoint> {
        let signers = cosigning::signers(&self.shared).ok()?.len();
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let same = last.as_ref().filter(|last| last.checkpoint().size() == size);
        let all = signers + self.shared.config.audit.witnesses.len();
        same.filter(|last| last.note().signatures().len() > all).cloned()
    }
}

#[tonic::async_trait]
impl Audit for PublicLog {
    async fn checkpoint(&self) -> Result<String, Unpublished> {
        // What it signs is remembered; without keys, the last one is served.
        self.sign().await?;
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().map(ToString::to_string).ok_or(Unpublished::NotYet)
    }

    async fn tile(&self, path: &str) -> Result<Vec<u8>, Unpublished> {
        let tile = TileId::parse(path).map_err(|_| Unpublished::NoSuchTile)?;
        self.read(move |view| content(view, &tile))
            .await?
            .ok_or(Unpublished::NoSuchTile)
    }

    async fn policy(&self) -> Result<String, Unpublished> {
        let genesis = self.read(control::genesis).await?.ok_or(Unpublished::NotYet)?;
        let signers = self.read(control::signers).await?;
        Ok(policy(&genesis, &signers, &self.shared.config.audit)?)
    }

    async fn receipt(&self, id: &ErasureId) -> Result<String, Unpublished> {
        let erasure = *id;
        let entries = self.read(move |view| receipts::entries(view, &erasure)).await?;
        let entries = entries.ok_or(Unpublished::NotDestroyed)?;
        let policy = Policy::parse(self.policy().await?.as_bytes())
            .map_err(|_| Fault::broken("this node's policy is none"))?;
        let signed = self.sign().await?.ok_or(Unpublished::NotYet)?;
        // It says DESTROYED only where whoever trusts that policy can see it (erasure.md R17).
        policy.verify(&signed).map_err(|_| Unpublished::NotCosigned)?;
        let sha256 = *policy.sha256();
        let receipt = self.read(move |view| receipts::assemble(view, (&erasure, &entries), &signed, sha256));
        Ok(receipt.await?.to_string())
    }
}

/// The log's key, and who must have signed a checkpoint: more than half of the nodes, and as many witnesses as are
/// configured.
fn policy(genesis: &GenesisRow, signers: &[NodeKeys], audit: &AuditConfig) -> Result<String, Fault> {
    let key = VerifierKey::new(origin(genesis.realm)?, SignatureType::Ed25519, &genesis.log_key);
    let key = key.map_err(|_| Fault::broken("the log's public key is none"))?;
    let mut policy = format!("log {key}\n");
    if signers.is_empty() {
        return Ok(policy + "quorum none\n");
    }
    let mut names = String::new();
    for keys in signers {
        let key = signing::cosigner(genesis.realm, keys)?;
        policy += &format!("witness node-{} {key}\n", keys.node);
        names += &format!(" node-{}", keys.node);
    }
    let majority = signers.len() / 2 + 1;
    policy += &format!("group nodes {majority}{names}\n");
    if audit.witnesses.is_empty() {
        return Ok(policy + "quorum nodes\n");
    }
    let mut names = String::new();
    for (number, witness) in (1..).zip(&audit.witnesses) {
        policy += &format!("witness witness-{number} {} {}\n", witness.key, witness.address);
        names += &format!(" witness-{number}");
    }
    if audit.quorum == 0 {
        return Ok(policy + "quorum nodes\n");
    }
    policy += &format!("group witnesses {}{names}\n", audit.quorum);
    Ok(policy + "group everybody all nodes witnesses\nquorum everybody\n")
}

fn log_key(realm: Realm, seed: &SecretKey) -> Result<LogKey, Fault> {
    LogKey::from_seed(origin(realm)?, seed.expose()).map_err(|_| Fault::broken("the log's key is none"))
}

/// The public half of the key that signs a realm's log.
pub(super) fn public_key(realm: Realm, seed: &SecretKey) -> Result<[u8; 32], Fault> {
    Ok(*log_key(realm, seed)?.verifier().public_key())
}

/// The bytes of a tile, if the log has it already.
fn content(view: &dyn StateView, tile: &TileId) -> Result<Option<Vec<u8>>, Fault> {
    let last = tile.first() + u64::from(tile.width()) - 1;
    if TileId::holding(tile.kind(), last, control::event_count(view)?).is_none() {
        return Ok(None);
    }
    let broken = || Fault::broken("the transparency log lacks what its size promises");
    let bytes = match tile.kind() {
        TileKind::Hashes { .. } => {
            let hashes = tile_hashes(&LogTree(view), tile);
            encode_hashes(&hashes.map_err(|_| broken())?)
        }
        TileKind::Entries => {
            let entries = (tile.first()..=last).map(|index| control::event(view, index)?.ok_or_else(broken));
            let entries = entries.collect::<Result<Vec<_>, Fault>>()?;
            encode_entries(&entries).map_err(|_| broken())?
        }
    };
    Ok(Some(bytes))
}

/// The log over plain HTTP, below `/log`.
pub(super) fn routes(log: Arc<PublicLog>) -> Router {
    Router::new()
        .route("/log/checkpoint", get(checkpoint))
        .route("/log/{*path}", get(tile))
        .with_state(log)
}

async fn checkpoint(State(log): State<Arc<PublicLog>>) -> Response {
    match log.checkpoint().await {
        Ok(checkpoint) => ([(CONTENT_TYPE, TEXT)], checkpoint).into_response(),
        Err(error) => refused(&error),
    }
}

async fn tile(State(log): State<Arc<PublicLog>>, Path(path): Path<String>) -> Response {
    match log.tile(&path).await {
        Ok(content) => ([(CONTENT_TYPE, BYTES)], content).into_response(),
        Err(error) => refused(&error),
    }
}

fn refused(error: &Unpublished) -> Response {
    let status = match error {
        Unpublished::NotYet | Unpublished::NotDestroyed | Unpublished::NotCosigned => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Unpublished::NoSuchTile => StatusCode::NOT_FOUND,
        Unpublished::Fault(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, error.to_string()).into_response()
}
