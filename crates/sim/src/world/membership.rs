//! Changes of members, as an operator asks for them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use eunoe_core::control::{self, Command, NodeRow, NodeState, Reply};
use eunoe_raft::Node as Peer;
use eunoe_server::groups::{Groups, change};
use eunoe_server::peer::{GroupChange, Peers};
use eunoe_server::surroundings;
use eunoe_types::NodeId;
use rand::RngExt as _;

use super::coverage::Event;
use super::links::Links;
use super::{Shape, World, settings};

/// How long a change looks for a leader.
const WITHIN: Duration = Duration::from_secs(5);

/// A node that serves, its groups and its links.
fn operator(world: &mut World) -> Option<(usize, Arc<Groups>, Peers)> {
    let serving: Vec<usize> = (0..world.nodes.len())
        .filter(|node| world.nodes[*node].serves())
        .collect();
    if serving.is_empty() {
        return None;
    }
    let at = serving[world.random.random_range(0..serving.len())];
    let node = &world.nodes[at];
    let links = Links::new(world.net.clone(), node.id);
    Some((at, node.core()?.groups().ok()?, Arc::new(links)))
}

/// Asks a leader to hand over.
pub(super) fn move_leader(world: &mut World) {
    let Some((at, groups, peers)) = operator(world) else {
        return;
    };
    let to = world.nodes[world.random.random_range(0..world.nodes.len())].id;
    let all: Vec<_> = groups.all().cloned().collect();
    let group = all[world.random.random_range(0..all.len())].clone();
    world.coverage.count(Event::LeaderMoved);
    let _within = world.nodes[at].enter();
    tokio::spawn(async move {
        let _moved_or_not = change(&group, &peers, &GroupChange::TransferLeader(to), WITHIN).await;
    });
}

/// Adds a node that never ran, once a world.
pub(super) fn add(world: &mut World) {
    if world.shape.load(Ordering::Relaxed) != Shape::Founded as u8 {
        return;
    }
    let Some((at, groups, peers)) = operator(world) else {
        return;
    };
    let id = world.join();
    let (shape, coverage) = (Arc::clone(&world.shape), world.coverage.clone());
    shape.store(Shape::Growing as u8, Ordering::Relaxed);
    let _within = world.nodes[at].enter();
    tokio::spawn(async move {
        if grow(&groups, &peers, id).await.is_some() {
            coverage.count(Event::NodeAdded);
            shape.store(Shape::Grown as u8, Ordering::Relaxed);
        }
    });
}

async fn grow(groups: &Groups, peers: &Peers, id: NodeId) -> Option<()> {
    let member = settings::member(id);
    let node = NodeRow {
        id,
        client_address: member.client.clone(),
        peer_address: member.peer.clone(),
        spki_sha256: member.spki_sha256,
        site: member.site.to_string(),
        state: NodeState::Admitted,
    };
    let time = surroundings::now();
    propose(groups, &Command::AdmitNode { time, node }).await?;
    let node = Peer {
        address: member.peer,
        spki_sha256: member.spki_sha256,
    };
    change_all(groups, peers, &GroupChange::AddLearner { id, node }).await?;
    change_all(groups, peers, &GroupChange::Promote(id)).await
}

/// Removes a node for good, if there is one more than the cluster began with.
pub(super) fn remove(world: &mut World) {
    if world.shape.load(Ordering::Relaxed) != Shape::Grown as u8 {
        return;
    }
    let Some((at, groups, peers)) = operator(world) else {
        return;
    };
    let leaving = (at + 1) % world.nodes.len();
    let id = world.nodes[leaving].id;
    let (shape, coverage) = (Arc::clone(&world.shape), world.coverage.clone());
    shape.store(Shape::Shrinking as u8, Ordering::Relaxed);
    let removed = Arc::clone(&world.removed);
    // From here on it may be out of a group: nobody may count on it any more.
    removed.store(id.0, Ordering::Relaxed);
    let _within = world.nodes[at].enter();
    tokio::spawn(async move {
        if shrink(&groups, &peers, id).await.is_some() {
            coverage.count(Event::NodeRemoved);
            shape.store(Shape::Shrunk as u8, Ordering::Relaxed);
        }
    });
}

/// In order: without a share, out of the groups, without keys, and only then without admission.
async fn shrink(groups: &Groups, peers: &Peers, id: NodeId) -> Option<()> {
    propose(groups, &Command::LetLeave(id)).await?;
    let mut attempts = 0..60;
    while shares_root(groups, id)? {
        attempts.next()?;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    change_all(groups, peers, &GroupChange::Remove(id)).await?;
    let mut attempts = 0..20;
    while peers.retire(id).await.is_err() {
        attempts.next()?;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    propose(groups, &Command::RemoveNode(id)).await
}

fn shares_root(groups: &Groups, id: NodeId) -> Option<bool> {
    let shares = groups.control().with_view(|view| control::shares_root(view, id));
    shares.ok()?.ok()
}

/// Until it is done, as an operator would: asking again is safe.
async fn change_all(groups: &Groups, peers: &Peers, wanted: &GroupChange) -> Option<()> {
    for group in groups.all() {
        let mut attempts = 0..20;
        loop {
            attempts.next()?;
            if change(group, peers, wanted, WITHIN).await.is_ok() {
                break;
            }
        }
    }
    Some(())
}

async fn propose(groups: &Groups, command: &Command<'_>) -> Option<()> {
    for _ in 0..20 {
        match groups.propose_control(command.encode().into()).await {
            Ok(reply) => return matches!(Reply::decode(&reply), Ok(Reply::Done)).then_some(()),
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
    None
}
