//! The beginning of a cluster: who may begin it, the first members of each group, the realm's first root.
//!
//! A node id is bound to its disk: a member that lost its disk must not come back empty under the same id, for it
//! would forget votes and entries that it had acknowledged. So a blank member starts only while the realm has not
//! begun, and the realm begins only after every member has started.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use eunoe_core::control::{self, NodeRow, NodeState, Rejection, Reply};
use eunoe_crypto::{DealtRoot, Entropy, Levels, MetaPage};
use eunoe_custody::{Founding, PreparedGenesis, prepare_genesis};
use eunoe_raft::{GroupHandle, MembershipError, Node};
use eunoe_types::{GroupId, NodeId};
use eunoe_vault::Slot;
use futures::future::join_all;

use super::{NodeError, Shared, public_log};
use crate::config::{Config, Member};
use crate::groups::news;
use crate::peer::{GivenRoot, PeerState, Peers};
use crate::surroundings::{self, SystemEntropy};

const PAUSE: Duration = Duration::from_millis(200);

/// Waits until all other members have started. Those that have not are named in the log now and then.
async fn all_others(config: &Config, peers: &Peers) -> Vec<PeerState> {
    let mut states: BTreeMap<NodeId, PeerState> = BTreeMap::new();
    let others = others(config);
    for round in 0u64.. {
        for id in &others {
            if !states.contains_key(id)
                && let Ok(state) = peers.ping(*id).await
                && state.started
            {
                states.insert(*id, state);
            }
        }
        if states.len() == others.len() {
            break;
        }
        if round.is_multiple_of(25) {
            let missing: Vec<u64> = others
                .iter()
                .filter(|id| !states.contains_key(id))
                .map(|id| id.0)
                .collect();
            tracing::info!(?missing, "waiting for all members before the cluster begins");
        }
        tokio::time::sleep(PAUSE).await;
    }
    states.into_values().collect()
}

/// Whether a blank node may start under its id. One member's word is enough to refuse; to allow it takes all members
/// of a cluster that begins, and most of those that a joining node knows (it cannot know who was removed).
pub(super) async fn may_start_blank(config: &Config, peers: &Peers) -> Result<(), NodeError> {
    let others = others(config);
    loop {
        let states = join_all(others.iter().map(|id| peers.ping(*id))).await;
        let answered: Vec<PeerState> = states.into_iter().filter_map(Result::ok).collect();
        let refuses = |state: &PeerState| {
            if config.join {
                state.knows_asker
            } else {
                state.genesis
            }
        };
        if answered.iter().any(refuses) {
            return Err(NodeError::BlankMember(config.node_id));
        }
        let most = answered.len() * 2 > others.len();
        if answered.len() == others.len() || (config.join && most) {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// All members but this one.
fn others(config: &Config) -> Vec<NodeId> {
    let ids = config.members.iter().map(|member| member.node_id);
    ids.filter(|id| *id != config.node_id).collect()
}

/// Begins the groups that this node is the founder of, if they have not begun: group `g` is founded by member
/// `g` modulo their number, so that leaders are spread from the start.
pub(super) async fn found_groups(shared: &Shared, groups: &[GroupHandle]) -> Result<(), NodeError> {
    let config = &shared.config;
    if config.join {
        return Ok(());
    }
    for group in groups {
        let founder = &config.members[group.id().0 as usize % config.members.len()];
        if founder.node_id != config.node_id || has_begun(group) {
            continue;
        }
        let others = all_others(config, &shared.peers).await;
        if others.iter().any(|state| state.begun.contains(&group.id())) {
            continue;
        }
        let members = config
            .members
            .iter()
            .map(|member| (member.node_id, raft_node(member)))
            .collect();
        match group.initialize(members).await {
            Ok(()) | Err(MembershipError::Initialized) => {
                tracing::info!(group = %group.id(), "the group begins");
            }
            Err(error) => return Err(NodeError::Founding(error)),
        }
    }
    Ok(())
}

/// Whether a group has a log or a state.
pub(super) fn has_begun(group: &GroupHandle) -> bool {
    let status = group.status();
    status.last_log.is_some() || status.applied.is_some()
}

/// How Raft names a member.
fn raft_node(member: &Member) -> Node {
    Node {
        address: member.peer.clone(),
        spki_sha256: member.spki_sha256,
    }
}

fn node_row(member: &Member) -> NodeRow {
    NodeRow {
        id: member.node_id,
        client_address: member.client.clone(),
        peer_address: member.peer.clone(),
        spki_sha256: member.spki_sha256,
        site: member.site.to_string(),
        state: NodeState::Admitted,
    }
}

/// Whoever leads the control group begins the realm, once. Ends when the realm has begun.
pub(super) async fn begin_realm(shared: Arc<Shared>) -> Result<(), NodeError> {
    let control = shared.groups()?.control().clone();
    let mut leadership = control.watch_leadership();
    loop {
        if control.with_view(control::genesis)??.is_some() {
            return Ok(());
        }
        leadership.mark_unchanged();
        if !shared.config.join
            && control.leadership().is_leader
            && control.read_barrier(PAUSE * 25).await.is_ok()
        {
            if control.with_view(control::genesis)??.is_some() {
                return Ok(());
            }
            // Every member has started once before anything exists that a blank one could have forgotten.
            all_others(&shared.config, &shared.peers).await;
            attempt(&shared).await?;
        }
        news(&mut leadership, PAUSE).await;
    }
}

async fn attempt(shared: &Arc<Shared>) -> Result<(), NodeError> {
    let number = attempt_number()?;
    let prepared = {
        let own = Arc::clone(shared);
        shared.blocking(move || prepare(&own, number)).await??
    };
    let slot = Slot {
        epoch: 0,
        attempt: number,
    };
    // Every holder keeps its share before anything that needs the root is proposed.
    if !hand_out(shared, slot, &prepared.dealt).await? {
        tracing::warn!("not every member keeps its share of the first root; it is tried again");
        return Ok(());
    }
    for command in prepared.commands {
        let reply = match shared.groups()?.propose_control(command.into()).await {
            Ok(reply) => Reply::decode(&reply).map_err(eunoe_types::Fault::from)?,
            Err(error) => {
                tracing::warn!(%error, "the realm's beginning was not finished; it is tried again");
                return Ok(());
            }
        };
        if let Reply::Rejected(Rejection::SiteMalformed | Rejection::SiteOutside) = reply {
            return Err(NodeError::FoundingOutside);
        }
        if let Reply::Rejected(rejection) = reply {
            // Another attempt was faster, or this one is from a leader that was deposed.
            tracing::info!(?rejection, "another node begins the realm");
            return Ok(());
        }
    }
    tracing::info!("the realm begins");
    Ok(())
}

/// Brings the shares of the first root to all members; false if one did not take its share, and then this node keeps none.
async fn hand_out(shared: &Arc<Shared>, slot: Slot, dealt: &DealtRoot) -> Result<bool, NodeError> {
    let mut members: Vec<NodeId> = shared
        .config
        .members
        .iter()
        .map(|member| member.node_id)
        .collect();
    members.sort_unstable();
    let own = shared.config.node_id;
    let others = members.iter().enumerate().filter(|(_, id)| **id != own);
    let given = others.map(async |(position, id)| {
        let share = dealt.share(position).map(|share| share.encode());
        let given = GivenRoot {
            slot,
            root: None,
            share,
        };
        shared.peers.install_root(*id, given).await.is_ok()
    });
    if join_all(given).await.contains(&false) {
        return Ok(false);
    }
    let share = members
        .binary_search(&own)
        .ok()
        .and_then(|position| dealt.share(position));
    let Some(share) = share else { return Ok(false) };
    let (vault, share) = (Arc::clone(&shared.vault), share.encode());
    shared.blocking(move || vault.put(slot, &share)).await??;
    Ok(true)
}

fn prepare(shared: &Shared, number: u32) -> Result<PreparedGenesis, NodeError> {
    let config = &shared.config;
    let levels = Levels::new(shared.key_levels()).map_err(|_| NodeError::Levels)?;
    let nodes = config.members.iter().map(node_row).collect();
    let meta = MetaPage::generate(&mut SystemEntropy).map_err(|_| NodeError::Entropy)?;
    let log_key = public_log::public_key(config.realm, &meta.log_key)?;
    let founding = Founding {
        realm: config.realm,
        levels,
        attempt: u64::from(number),
        data_groups: config.data_groups,
        time: surroundings::now(),
        nodes,
        policy: config.placement,
        founder: (config.node_id, shared.boot),
        meta,
        log_key,
    };
    Ok(prepare_genesis(
        shared.keyring.arena(),
        founding,
        &mut SystemEntropy,
    )?)
}

/// Attempts are told apart by a random number: two leaders may each believe that they begin.
fn attempt_number() -> Result<u32, NodeError> {
    let mut bytes = [0; 4];
    SystemEntropy.fill(&mut bytes).map_err(|_| NodeError::Entropy)?;
    Ok(u32::from_le_bytes(bytes))
}

/// The groups that have begun here.
pub(super) fn begun(groups: impl Iterator<Item = GroupHandle>) -> Vec<GroupId> {
    groups.filter(has_begun).map(|group| group.id()).collect()
}
