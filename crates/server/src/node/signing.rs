//! What this node signs with: its words about its vault and its memory, and checkpoints of the transparency log.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use eunoe_core::StateView;
use eunoe_core::control::{self, AttestDestroyed, Command, HOLDS_NONE, LogTree, RegisterKeys, Reply};
use eunoe_crypto::SecretKey;
use eunoe_evidence::merkle::root_at;
use eunoe_evidence::{Attester, Cosigner, KeyName, SignatureType, SignedCheckpoint, Statement, VerifierKey};
use eunoe_types::{BootId, Fault, GroupId, NodeId, Realm, VaultClass};
use tokio::time::sleep;

use super::{NodeError, Shared};
use crate::surroundings;

/// The pause after an attempt to register the keys.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(500);

/// What a node's signing keys are made of. They stay for the node's life.
pub struct SigningSeeds {
    attest: SecretKey,
    cosign: SecretKey,
}

impl SigningSeeds {
    /// Of random bytes that only this node has.
    pub fn new(material: &[u8]) -> Self {
        Self {
            attest: SecretKey::derive("eunoe node attestation v1", material),
            cosign: SecretKey::derive("eunoe node cosignature v1", material),
        }
    }
}

/// The signing keys of this node.
pub(super) struct Signer {
    node: NodeId,
    realm: Realm,
    vault: VaultClass,
    attester: Attester,
    cosigner: Cosigner,
    /// The size of the largest checkpoint that this process has cosigned.
    cosigned: Mutex<u64>,
}

impl Signer {
    pub(super) fn new(
        node: NodeId,
        realm: Realm,
        vault: VaultClass,
        seeds: &SigningSeeds,
    ) -> Result<Self, Fault> {
        let cosigner = Cosigner::from_seed(cosigner_name(realm, node)?, seeds.cosign.expose());
        Ok(Self {
            node,
            realm,
            vault,
            attester: Attester::from_seed(seeds.attest.expose()),
            cosigner: cosigner.map_err(|_| Fault::broken("the key for checkpoints is none"))?,
            cosigned: Mutex::default(),
        })
    }

    /// This node's signed word that it holds nothing older than an epoch, or nothing for good.
    pub(super) fn word(&self, boot: BootId, epoch: u64) -> AttestDestroyed {
        let mut said = AttestDestroyed {
            node: self.node,
            boot,
            epoch,
            time: surroundings::now(),
            vault: self.vault,
            signature: [0; 64],
        };
        let statement = match epoch {
            HOLDS_NONE => Statement::Retired,
            _ => Statement::Destroyed,
        };
        said.signature = self.attester.sign(statement, &self.realm.0, &said.statement());
        said
    }

    fn registration(&self) -> RegisterKeys {
        RegisterKeys {
            node: self.node,
            attest: self.attester.public_key(),
            cosign: *self.cosigner.verifier().public_key(),
        }
    }

    /// A line for a checkpoint whose tree is the one that this node has, unless it has cosigned a larger one.
    pub(super) fn cosign(
        &self,
        view: &dyn StateView,
        signed: &SignedCheckpoint,
    ) -> Result<Option<String>, Fault> {
        let checkpoint = signed.checkpoint();
        let size = checkpoint.size();
        if checkpoint.origin() != origin(self.realm)?.as_str() || control::event_count(view)? < size {
            return Ok(None);
        }
        let own =
            root_at(&LogTree(view), size).map_err(|_| Fault::broken("the transparency log has a gap"))?;
        if own != *checkpoint.root() {
            tracing::error!(
                size,
                "a checkpoint of the transparency log has another tree than this node"
            );
            return Ok(None);
        }
        let mut cosigned = self.cosigned.lock().unwrap_or_else(PoisonError::into_inner);
        if *cosigned > size {
            return Ok(None);
        }
        *cosigned = size;
        let seconds = surroundings::now().0 / 1_000;
        let line = self.cosigner.cosign(checkpoint, seconds);
        Ok(line.ok().map(|line| line.to_string()))
    }
}

/// The name of a realm's log, for ever.
pub(super) fn origin(realm: Realm) -> Result<KeyName, Fault> {
    KeyName::new(&format!("eunoe/{realm}")).map_err(|_| Fault::broken("the log's name is none"))
}

fn cosigner_name(realm: Realm, node: NodeId) -> Result<KeyName, Fault> {
    let name = KeyName::new(&format!("eunoe/{realm}/node-{node}"));
    name.map_err(|_| Fault::broken("the name of a node's key is none"))
}

/// What others check a node's cosignatures with.
pub(super) fn cosigner(realm: Realm, keys: &control::NodeKeys) -> Result<VerifierKey, Fault> {
    let name = cosigner_name(realm, keys.node)?;
    let key = VerifierKey::new(name, SignatureType::Cosignature, &keys.cosign);
    key.map_err(|_| Fault::broken("a node's key for checkpoints is none"))
}

/// Registers this node's keys, until the log has them.
pub(super) async fn register(shared: Arc<Shared>) -> Result<(), NodeError> {
    while !ensure_registered(&shared).await? {
        sleep(PAUSE).await;
    }
    Ok(())
}

/// Whether the log has this node's keys; proposes them if not.
pub(super) async fn ensure_registered(shared: &Arc<Shared>) -> Result<bool, NodeError> {
    let Some(control) = shared.group(GroupId::CONTROL) else {
        return Ok(false);
    };
    let own = shared.signer.registration();
    let known = control.with_view(|view| control::keys_of(view, own.node))??;
    let newest = known.last().map(|keys| (keys.attest, keys.cosign));
    if newest == Some((own.attest, own.cosign)) {
        return Ok(true);
    }
    let command = Bytes::from(Command::RegisterKeys(own).encode());
    let said = shared.groups()?.propose_control(command).await;
    Ok(said.is_ok_and(|reply| Reply::decode(&reply) == Ok(Reply::Done)))
}
