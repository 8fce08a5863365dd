//! What each peer acknowledged, to notice one that has lost it.
//!
//! A peer that acknowledged an entry has it on its disk. One that says later that it does not was put back from an older
//! copy of its data, or its disk lied. openraft takes that as impossible and would end the leader, and then the next one.
//! So the peer counts as one that cannot be reached, until somebody makes a new node of it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use eunoe_types::{GroupId, NodeId};

use crate::types::{LogId, Vote};

/// What the peers of one group acknowledged to this node.
#[derive(Default)]
pub(crate) struct Acknowledged {
    peers: Mutex<HashMap<NodeId, Acknowledgement>>,
}

struct Acknowledgement {
    /// As whose leader: each finds out anew what its peers have.
    vote: Vote,
    last: Option<LogId>,
    is_reverted: bool,
}

impl Acknowledgement {
    fn new(vote: &Vote) -> Self {
        Self {
            vote: *vote,
            last: None,
            is_reverted: false,
        }
    }
}

impl Acknowledged {
    fn peers(&self) -> MutexGuard<'_, HashMap<NodeId, Acknowledgement>> {
        // Nothing panics while it is held.
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The peer has everything up to `last`.
    pub(super) fn note(&self, peer: NodeId, vote: &Vote, last: Option<LogId>) {
        let mut peers = self.peers();
        let known = peers.entry(peer).or_insert_with(|| Acknowledgement::new(vote));
        // What is answered to an older leader comes too late.
        if known.vote < *vote {
            *known = Acknowledgement::new(vote);
        }
        if known.vote == *vote {
            known.last = known.last.max(last);
        }
    }

    /// Whether a peer that does not have `missing` had acknowledged it.
    pub(super) fn is_lost(&self, group: GroupId, peer: NodeId, vote: &Vote, missing: &LogId) -> bool {
        let mut peers = self.peers();
        let Some(known) = peers.get_mut(&peer).filter(|known| known.vote == *vote) else {
            return false;
        };
        if known.last.is_none_or(|last| last.index < missing.index) {
            return false;
        }
        if !known.is_reverted {
            known.is_reverted = true;
            tracing::error!(
                %group,
                node = %peer,
                "a node has lost entries that it had acknowledged: it gets nothing more from this leader; replace it"
            );
        }
        true
    }
}
