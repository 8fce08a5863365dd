//! How a root is shared among nodes, and how it is put together again.

use eunoe_core::control::{MadeRoot, RootRow, Sharing as NodeSharing};
use eunoe_crypto::{DealtRoot, KeyArena, Rebuilding, RootKey, RootShare, SecretBytes, ShareError, Sharing};
use eunoe_types::{Fault, NodeId};

use crate::KeyringError;

/// Shares a root among `holders` so that it takes most of `voters` nodes: what the cluster survives, the root survives.
pub fn share_among(holders: impl IntoIterator<Item = NodeId>, voters: usize) -> NodeSharing {
    let mut holders: Vec<NodeId> = holders.into_iter().collect();
    holders.sort_unstable();
    holders.dedup();
    NodeSharing {
        holders,
        // More than fit in a byte are refused by whoever deals or applies it.
        threshold: u8::try_from(voters / 2 + 1).unwrap_or(u8::MAX),
    }
}

/// The same, as the root is dealt.
pub fn dealing(sharing: &NodeSharing) -> Result<Sharing, KeyringError> {
    Sharing::new(sharing.holders.len(), sharing.threshold.into())
        .map_err(|_| Fault::broken("a root cannot be shared so").into())
}

/// What is said of a root in public, once `kept` keep their shares of it.
pub fn made_root(dealt: &DealtRoot, mut kept: Vec<NodeId>) -> MadeRoot {
    kept.sort_unstable();
    MadeRoot {
        root_commit: dealt.root().commitment(),
        sub_keys: dealt.commitments(),
        kept,
    }
}

/// Puts a root together from the shares of its holders.
pub struct Gathering {
    holders: Vec<NodeId>,
    rebuilding: Rebuilding,
    root_commit: [u8; 32],
}

/// Why a holder's share was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedShare {
    /// It does not decode.
    #[error("the share does not decode")]
    Malformed,
    /// It is none of this holder, or false.
    #[error(transparent)]
    Share(#[from] ShareError),
}

impl Gathering {
    /// A root of which nothing is there yet; none if it was not made.
    pub fn new(row: &RootRow) -> Result<Option<Self>, KeyringError> {
        let Some(made) = &row.made else { return Ok(None) };
        let rebuilding = Rebuilding::new(dealing(&row.sharing)?, made.sub_keys.clone());
        Ok(Some(Self {
            holders: row.sharing.holders.clone(),
            rebuilding: rebuilding
                .ok_or_else(|| Fault::broken("a root has other sub-keys than its sharing"))?,
            root_commit: made.root_commit,
        }))
    }

    /// Adds the share of a holder.
    pub fn add(&mut self, holder: NodeId, share: &SecretBytes) -> Result<(), RefusedShare> {
        let position = self
            .holders
            .binary_search(&holder)
            .map_err(|_| ShareError::Foreign)?;
        let share = RootShare::decode(share).map_err(|_| RefusedShare::Malformed)?;
        Ok(self.rebuilding.add(position, share)?)
    }

    /// The root, once there are enough shares.
    pub fn root(&self, arena: &KeyArena) -> Result<Option<RootKey>, KeyringError> {
        let root = self.rebuilding.root(arena)?;
        match root {
            // Each sub-key is what was committed to, so that the commitments contradict each other.
            Some(root) if root.commitment() != self.root_commit => Err(KeyringError::WrongRoot),
            root => Ok(root),
        }
    }
}
