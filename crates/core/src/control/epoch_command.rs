//! Commands of epochs, and of who holds their roots.

use eunoe_types::{BootId, DecodeError, Decoder, Encoder, Kid, NodeId, TimeMs, VaultClass, limits};

use super::command::{Page, list};
use super::erasure_row::{decode_pending, encode_pending};
use super::event::Event;
use super::root_row::{HOLDS_NONE, MadeRoot, Sharing};

/// Pages of one chunk.
const PAGES_MAX: usize = 1_024;
/// Rows of one chunk.
const ROWS_MAX: usize = 4_096;

/// The beginning of an attempt at the next epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeginEpoch {
    /// The epoch: one after the current.
    pub epoch: u64,
    /// The attempt: one after the last.
    pub attempt: u32,
    /// Keys to leave out, all of them fenced.
    pub keys: Vec<Kid>,
    /// Leaf pages, as tree and index, to replace.
    pub pages: Vec<(u8, u32)>,
    /// Processes that the new root is about to be given to.
    pub recipients: Vec<(NodeId, BootId)>,
    /// How it will be shared: among which of their nodes, and how many of them have it together.
    pub sharing: Sharing,
}

/// A part of what an attempt made: everything is sealed under the new root or below it.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochChunk<'a> {
    /// The attempt.
    pub attempt: u32,
    /// Number of the chunk, from 0.
    pub number: u32,
    /// Interior pages, and the one that the trees share.
    pub pages: Vec<Page<'a>>,
    /// Rows of the replaced leaf pages.
    pub rows: Vec<EpochRowOf<'a>>,
}

/// A row of a replaced leaf page.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochRowOf<'a> {
    /// Tree, as the crypto crate numbers them.
    pub tree: u8,
    /// Leaf page.
    pub page: u32,
    /// What the row is filed under.
    pub tag: [u8; 16],
    /// The sealed record.
    pub sealed: &'a [u8],
}

/// What became of an attempt's root: what commits to it, and whose vaults keep their shares of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareEpoch {
    /// The attempt.
    pub attempt: u32,
    /// Public commitments to the root.
    pub made: MadeRoot,
}

/// That a node put an attempt's root together from shares in vaults, and found the staged trees right under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyEpoch {
    /// The attempt.
    pub attempt: u32,
    /// The node.
    pub node: NodeId,
    /// Digest over the chunks that it looked at.
    pub digest: [u8; 32],
    /// Public commitment to the root that it rebuilt.
    pub root_commit: [u8; 32],
}

/// The step from which there is no way back: the new root counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchEpoch {
    /// The attempt.
    pub attempt: u32,
    /// Digest over its chunks.
    pub digest: [u8; 32],
    /// When, as the proposer saw it.
    pub time: TimeMs,
}

/// A node's word that it holds no share and no root of before an epoch any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttestDestroyed {
    /// The node.
    pub node: NodeId,
    /// The run of its process.
    pub boot: BootId,
    /// The oldest epoch whose share or root it holds; [`HOLDS_NONE`](super::HOLDS_NONE) for none at all, for good.
    pub epoch: u64,
    /// When, as the node saw it.
    pub time: TimeMs,
    /// How strongly its vault forgets.
    pub vault: VaultClass,
    /// Over [`statement`](Self::statement), with the key that the node registered.
    pub signature: [u8; 64],
}

/// Public keys that a node signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisterKeys {
    /// The node.
    pub node: NodeId,
    /// Ed25519: of what it says about its vault and its memory.
    pub attest: [u8; 32],
    /// Ed25519: of checkpoints whose tree is its own.
    pub cosign: [u8; 32],
}

/// That the lease of a process is over, by the clock of whoever grants leases: its memory holds no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseOver {
    /// The node.
    pub node: NodeId,
    /// The run of its process that was given a root last.
    pub boot: BootId,
    /// The epoch when that was so.
    pub epoch: u64,
    /// How long the leader waited since the last lease that it, or a leader before it, may have granted.
    pub waited_ms: u64,
    /// When, as the leader saw it.
    pub time: TimeMs,
}

/// That a removed node's shares and memory are gone for good, on evidence that two people keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decommission {
    /// The node.
    pub node: NodeId,
    /// SHA-256 of the evidence.
    pub evidence: [u8; 32],
    /// When, as the edge saw it.
    pub time: TimeMs,
}

/// That a share came back into a vault after its node had said that it was destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VaultRolledBack {
    /// The node, which destroyed it again.
    pub node: NodeId,
    /// The run of its process.
    pub boot: BootId,
    /// The root's epoch.
    pub epoch: u64,
    /// The attempt that made it.
    pub attempt: u32,
}

impl BeginEpoch {
    pub(super) fn encode(&self, e: &mut Encoder) {
        e.varint(self.epoch).varint(u64::from(self.attempt));
        encode_pending(e, &self.keys, &self.pages);
        e.varint(self.recipients.len() as u64);
        self.recipients.iter().for_each(|(node, boot)| {
            e.varint(node.0).fixed(boot.as_bytes());
        });
        self.sharing.encode(e);
    }

    pub(super) fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let (epoch, attempt) = (d.varint()?, d.varint_u32()?);
        let (keys, pages) = decode_pending(d)?;
        let recipients = list(d, limits::HOLDERS_MAX, |d| {
            Ok((NodeId(d.varint()?), BootId(d.array()?)))
        })?;
        Ok(Self {
            epoch,
            attempt,
            keys,
            pages,
            recipients,
            sharing: Sharing::decode(d)?,
        })
    }
}

impl<'a> EpochChunk<'a> {
    pub(super) fn encode(&self, e: &mut Encoder) {
        e.varint(u64::from(self.attempt)).varint(u64::from(self.number));
        e.varint(self.pages.len() as u64);
        self.pages.iter().for_each(|page| page.encode(e));
        e.varint(self.rows.len() as u64);
        self.rows.iter().for_each(|row| {
            e.u8(row.tree)
                .varint(u64::from(row.page))
                .fixed(&row.tag)
                .bytes(row.sealed);
        });
    }

    pub(super) fn decode(d: &mut Decoder<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            attempt: d.varint_u32()?,
            number: d.varint_u32()?,
            pages: list(d, PAGES_MAX, Page::decode)?,
            rows: list(d, ROWS_MAX, |d| {
                Ok(EpochRowOf {
                    tree: d.u8()?,
                    page: d.varint_u32()?,
                    tag: d.array()?,
                    sealed: d.bytes()?,
                })
            })?,
        })
    }
}

impl ShareEpoch {
    pub(super) fn encode(&self, e: &mut Encoder) {
        self.made.encode(e.varint(u64::from(self.attempt)));
    }

    pub(super) fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            attempt: d.varint_u32()?,
            made: MadeRoot::decode(d)?,
        })
    }
}

impl VerifyEpoch {
    pub(super) fn encode(&self, e: &mut Encoder) {
        e.varint(u64::from(self.attempt)).varint(self.node.0);
        e.fixed(&self.digest).fixed(&self.root_commit);
    }

    pub(super) fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            attempt: d.varint_u32()?,
            node: NodeId(d.varint()?),
            digest: d.array()?,
            root_commit: d.array()?,
        })
    }
}

impl SwitchEpoch {
    pub(super) fn encode(&self, e: &mut Encoder) {
        e.varint(u64::from(self.attempt))
            .fixed(&self.digest)
            .varint(self.time.0);
    }

    pub(super) fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            attempt: d.varint_u32()?,
            digest: d.array()?,
            time: TimeMs(d.varint()?),
        })
    }
}

impl AttestDestroyed {
    pub(super) fn encode(&self, e: &mut Encoder) {
        e.varint(self.node.0).fixed(self.boot.as_bytes());
        e.varint(self.epoch).varint(self.time.0);
        self.vault.encode(e);
        e.fixed(&self.signature);
    }

    pub(super) fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            node: NodeId(d.varint()?),
            boot: BootId(d.array()?),
            epoch: d.varint()?,
            time: TimeMs(d.varint()?),
            vault: VaultClass::decode(d)?,
            signature: d.array()?,
        })
    }

    /// The leaf that it becomes in the transparency log, without the signature: what is signed.
    pub fn statement(&self) -> Vec<u8> {
        self.event(None).finish()
    }

    pub(super) fn event(&self, signature: Option<&[u8; 64]>) -> Event {
        let retired = self.epoch == HOLDS_NONE;
        let mut event = Event::new().bytes("boot", self.boot.as_bytes());
        if !retired {
            event = event.number("epoch", self.epoch);
        }
        event = event.number("node", self.node.0);
        if let Some(signature) = signature {
            event = event.bytes("sig", signature);
        }
        let said = if retired {
            "eunoe/holder-retired@v1"
        } else {
            "eunoe/holder-attest@v1"
        };
        event.text("t", said).text("vault", self.vault.as_str())
    }
}

impl RegisterKeys {
    pub(super) fn encode(&self, e: &mut Encoder) {
        e.varint(self.node.0).fixed(&self.attest).fixed(&self.cosign);
    }

    pub(super) fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            node: NodeId(d.varint()?),
            attest: d.array()?,
            cosign: d.array()?,
        })
    }
}

impl LeaseOver {
    pub(super) fn encode(&self, e: &mut Encoder) {
        e.varint(self.node.0).fixed(self.boot.as_bytes());
        e.varint(self.epoch).varint(self.waited_ms).varint(self.time.0);
    }

    pub(super) fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            node: NodeId(d.varint()?),
            boot: BootId(d.array()?),
            epoch: d.varint()?,
            waited_ms: d.varint()?,
            time: TimeMs(d.varint()?),
        })
    }
}

impl Decommission {
    pub(super) fn encode(&self, e: &mut Encoder) {
        e.varint(self.node.0).fixed(&self.evidence).varint(self.time.0);
    }

    pub(super) fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            node: NodeId(d.varint()?),
            evidence: d.array()?,
            time: TimeMs(d.varint()?),
        })
    }
}

impl VaultRolledBack {
    pub(super) fn encode(&self, e: &mut Encoder) {
        e.varint(self.node.0).fixed(self.boot.as_bytes());
        e.varint(self.epoch).varint(u64::from(self.attempt));
    }

    pub(super) fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            node: NodeId(d.varint()?),
            boot: BootId(d.array()?),
            epoch: d.varint()?,
            attempt: d.varint_u32()?,
        })
    }
}
