//! `apply` of the control machine.

use eunoe_types::{BootId, Fault, Incarnation, LogPosition, NodeId};

use super::command::{Command, Genesis, NewKey, Page};
use super::erasure_row::{EpochRow, frozen_key};
use super::event::Event;
use super::placement;
use super::reply::{KeyOutcome, Rejection, Reply};
use super::root_row::RootRow;
use super::row::{
    GenesisRow, KeyState, KeyStateRow, NodeRow, NodeState, epoch_event_key, leaf_row_key,
    page_generation_key, page_key, staged_page_key, version_key,
};
use super::{cancel, epoch, erase, holder, seal, signing};
use crate::{Applied, CLUSTER_VERSION, Effect, Machine, Txn};

/// The machine of the control group.
#[derive(Clone, Copy, Debug, Default)]
pub struct ControlMachine;

/// A command's answer: both sides are replies, a fault is not.
pub(super) type Answer = Result<Reply, Rejection>;

impl Machine for ControlMachine {
    fn apply(&self, txn: &mut Txn<'_>, at: LogPosition, command: &[u8]) -> Result<Applied, Fault> {
        let answer = match &Command::decode(command)? {
            Command::StagePages { attempt, pages } => stage_pages(txn, *attempt, pages)?,
            Command::Genesis(genesis) => begin(txn, genesis)?,
            Command::CreateKeys { keys, .. } => create_keys(txn, keys)?,
            Command::AdmitNode { time, node } => placement::admit_allowed(txn, node, *time)?,
            Command::LetLeave(node) => let_leave(txn, *node)?,
            Command::RemoveNode(node) => remove(txn, *node)?,
            Command::GrantRoot { node, boot, epoch } => grant(txn, *node, boot, *epoch)?,
            Command::RaiseVersion(version) => raise(txn, *version)?,
            Command::RequestErasure(request) => erase::request(txn, at, request)?,
            Command::ExpandErasure(id) => erase::expand(txn, at, id)?,
            Command::BeginEpoch(begin) => epoch::begin(txn, begin)?,
            Command::EpochChunk(chunk) => epoch::stage(txn, chunk, command)?,
            Command::SwitchEpoch(switch) => epoch::switch(txn, switch)?,
            Command::AbortEpoch { attempt } => epoch::abort(txn, *attempt)?,
            Command::AttestDestroyed(said) => holder::attest(txn, said)?,
            Command::Sweep => epoch::sweep(txn)?,
            Command::ShareEpoch(share) => epoch::share(txn, share)?,
            Command::VerifyEpoch(said) => epoch::verify(txn, said)?,
            Command::LeaseOver(said) => holder::lease_over(txn, said)?,
            Command::Decommission(said) => holder::decommission(txn, said)?,
            Command::VaultRolledBack(said) => holder::rolled_back(txn, said)?,
            Command::Seal(sealed) => seal::set(txn, *sealed)?,
            Command::RegisterKeys(keys) => signing::register(txn, keys)?,
            Command::CancelErasure(asked) => cancel::cancel(txn, at, asked)?,
        };
        let effects = if answer.is_ok() {
            vec![Effect::ControlChanged]
        } else {
            Vec::new()
        };
        Ok(Applied {
            reply: answer.unwrap_or_else(Reply::Rejected).encode(),
            effects,
        })
    }
}

pub(super) fn genesis(txn: &Txn<'_>) -> Result<Option<GenesisRow>, Fault> {
    txn.decoded(&GenesisRow::key(), GenesisRow::decode)
}

pub(super) fn node(txn: &Txn<'_>, id: NodeId) -> Result<Option<NodeRow>, Fault> {
    txn.decoded(&NodeRow::key(id), NodeRow::decode)
}

pub(super) fn is_admitted(txn: &Txn<'_>, id: NodeId) -> Result<bool, Fault> {
    Ok(node(txn, id)?.is_some_and(|node| node.state.is_admitted()))
}

fn stage_pages(txn: &mut Txn<'_>, attempt: u64, pages: &[Page<'_>]) -> Result<Answer, Fault> {
    if genesis(txn)?.is_some() {
        return Ok(Err(Rejection::GenesisDone));
    }
    pages.iter().for_each(|page| stage_page(txn, attempt, page));
    Ok(Ok(Reply::Done))
}

/// Stages an interior page. A later attempt overwrites what an abandoned one left.
pub(super) fn stage_page(txn: &mut Txn<'_>, attempt: u64, page: &Page<'_>) {
    let value = [&attempt.to_be_bytes()[..], page.sealed].concat();
    txn.put(staged_page_key(page.name), value);
}

fn begin(txn: &mut Txn<'_>, new: &Genesis) -> Result<Answer, Fault> {
    if genesis(txn)?.is_some() {
        return Ok(Err(Rejection::GenesisDone));
    }
    if let Some(rejection) = placement::obstacle(new) {
        return Ok(Err(rejection));
    }
    let everybody_keeps = new.made.kept == new.sharing.holders;
    if !new.sharing.is_sound() || new.made.sub_keys.len() != new.sharing.sub_keys() || !everybody_keeps {
        return Ok(Err(Rejection::BadSharing));
    }
    // One that does not exist would never say that it destroyed anything.
    let is_node = |id: &NodeId| new.nodes.iter().any(|node| node.id == *id);
    if !new.sharing.holders.iter().all(is_node) || !is_node(&new.founder.0) {
        return Ok(Err(Rejection::NoSuchNode));
    }
    let mut staged = Vec::with_capacity(new.pages.len());
    for name in &new.pages {
        match txn.get(&staged_page_key(*name))? {
            Some(value) if value.starts_with(&new.attempt.to_be_bytes()) => staged.push((*name, value)),
            _ => return Ok(Err(Rejection::PagesMissing)),
        }
    }
    for (name, value) in staged {
        txn.put(page_key(name), value[8..].to_vec());
        txn.delete(staged_page_key(name));
    }
    let row = GenesisRow {
        realm: new.realm,
        incarnation: Incarnation(1),
        levels: new.levels,
        data_groups: new.data_groups,
        created: new.time,
        log_key: new.log_key,
    };
    txn.put(GenesisRow::key(), row.encode());
    let epoch = EpochRow {
        epoch: 0,
        attempt: new.attempt,
        root_commit: new.made.root_commit,
        last_attempt: 0,
        pending: None,
    };
    txn.put(EpochRow::key(), epoch.encode());
    let root = RootRow {
        leads_to: epoch.epoch,
        sharing: new.sharing.clone(),
        made: Some(new.made.clone()),
        verified: Vec::new(),
    };
    txn.put(RootRow::key(epoch.epoch, epoch.attempt), root.encode());
    txn.put(version_key(), 1u32.to_be_bytes().to_vec());
    let began = record_genesis(txn, &row, &epoch, &root)?;
    txn.put(epoch_event_key(epoch.epoch), began.to_be_bytes().to_vec());
    placement::fix(txn, new.policy)?;
    for node in &new.nodes {
        // A list that names an id twice admits the first of them.
        let _admitted_or_known = admit(txn, node)?;
    }
    for node in &root.sharing.holders {
        holder::note_share(txn, *node, epoch.epoch)?;
    }
    let (founder, boot) = &new.founder;
    holder::note_memory(txn, &epoch, epoch.epoch, (*founder, boot))?;
    Ok(Ok(Reply::Done))
}

fn record_genesis(
    txn: &mut Txn<'_>,
    row: &GenesisRow,
    epoch: &EpochRow,
    root: &RootRow,
) -> Result<u64, Fault> {
    Event::new()
        .number("attempt", epoch.attempt)
        .number("epoch", epoch.epoch)
        .nodes("holders", &root.sharing.holders)
        .bytes("log_key", &row.log_key)
        .bytes("realm", &row.realm.0)
        .bytes("root_commit", &epoch.root_commit)
        .text("t", "eunoe/genesis@v1")
        .number("threshold", root.sharing.threshold.into())
        .record(txn)
}

fn create_keys(txn: &mut Txn<'_>, keys: &[NewKey<'_>]) -> Result<Answer, Fault> {
    let Some(epoch) = epoch::epoch(txn)? else {
        return Ok(Err(Rejection::NoGenesis));
    };
    let now = (epoch.epoch, cancel::returned(txn)?.number);
    let outcomes = keys
        .iter()
        .map(|key| create_key(txn, now, key))
        .collect::<Result<_, _>>()?;
    Ok(Ok(Reply::Keys(outcomes)))
}

/// Why a key cannot be created, if it cannot.
fn obstacle(txn: &Txn<'_>, now: (u64, u64), key: &NewKey<'_>) -> Result<Option<KeyOutcome>, Fault> {
    if txn.contains(&KeyStateRow::key(&key.kid))? {
        return Ok(Some(KeyOutcome::Exists));
    }
    if let Some(parent) = key.parent
        && !erase::is_in_use(txn, parent)?
    {
        return Ok(Some(KeyOutcome::ParentErased));
    }
    if (key.epoch, key.returns) != now {
        return Ok(Some(KeyOutcome::Stale));
    }
    for row in &key.rows {
        if generation(txn, row.tree, row.page)? != row.generation {
            return Ok(Some(KeyOutcome::Stale));
        }
        if txn.contains(&frozen_key(row.tree, row.page))? {
            return Ok(Some(KeyOutcome::Frozen));
        }
        if txn.contains(&leaf_row_key(row.tree, row.page, row.generation, &row.tag))? {
            return Ok(Some(KeyOutcome::Exists));
        }
    }
    Ok(None)
}

/// Creates a key in the state `now`: this epoch, after so many returns of keys.
fn create_key(txn: &mut Txn<'_>, now: (u64, u64), key: &NewKey<'_>) -> Result<KeyOutcome, Fault> {
    if let Some(obstacle) = obstacle(txn, now, key)? {
        return Ok(obstacle);
    }
    for row in &key.rows {
        let name = leaf_row_key(row.tree, row.page, row.generation, &row.tag);
        txn.put(name, row.sealed.to_vec());
    }
    let created_leaf = Event::new()
        .bytes("c", &key.commit)
        .number("epoch", now.0)
        .bytes("kc", &key.key_commit)
        .number("kind", u64::from(key.kind))
        .text("t", "eunoe/key-created@v1")
        .record_of_key(txn)?;
    let state = KeyStateRow {
        kind: key.kind,
        state: KeyState::Active,
        parent: key.parent,
        commit: key.commit,
        key_commit: key.key_commit,
        created_leaf,
    };
    txn.put(KeyStateRow::key(&key.kid), state.encode());
    if let Some(parent) = &key.parent {
        erase::note_child(txn, parent, &key.kid);
    }
    Ok(KeyOutcome::Created)
}

/// The generation of a leaf page; 0 until an epoch replaces its key.
pub(super) fn generation(txn: &Txn<'_>, tree: u8, page: u32) -> Result<u32, Fault> {
    match txn
        .get(&page_generation_key(tree, page))?
        .as_deref()
        .map(<[u8; 4]>::try_from)
    {
        None => Ok(0),
        Some(Ok(bytes)) => Ok(u32::from_be_bytes(bytes)),
        Some(Err(_)) => Err(Fault::broken("a page's generation is malformed")),
    }
}

pub(super) fn admit(txn: &mut Txn<'_>, new: &NodeRow) -> Result<Answer, Fault> {
    let row = NodeRow {
        state: NodeState::Admitted,
        ..new.clone()
    };
    match node(txn, new.id)? {
        // The same admission again, after an answer that got lost.
        Some(known) if known == row => return Ok(Ok(Reply::Done)),
        // It was about to leave, and stays after all.
        Some(known) if known.state == NodeState::Leaving && known.is_as(&row) => {}
        Some(_) => return Ok(Err(Rejection::NodeIdUsed)),
        None => {}
    }
    txn.put(NodeRow::key(new.id), row.encode());
    Event::new()
        .number("node", new.id.0)
        .text("site", &new.site)
        .bytes("spki_sha256", &new.spki_sha256)
        .text("t", "eunoe/node-admitted@v1")
        .record(txn)?;
    Ok(Ok(Reply::Done))
}

fn let_leave(txn: &mut Txn<'_>, id: NodeId) -> Result<Answer, Fault> {
    go_on(txn, id, NodeState::Leaving, "eunoe/node-leaving@v1")
}

fn remove(txn: &mut Txn<'_>, id: NodeId) -> Result<Answer, Fault> {
    go_on(txn, id, NodeState::Removed, "eunoe/node-removed@v1")
}

/// Takes a node to a later state of its life. One that is removed stays so.
fn go_on(txn: &mut Txn<'_>, id: NodeId, state: NodeState, event: &str) -> Result<Answer, Fault> {
    let Some(mut row) = node(txn, id)? else {
        return Ok(Err(Rejection::NoSuchNode));
    };
    if row.state == state || row.state == NodeState::Removed {
        return Ok(Ok(Reply::Done));
    }
    row.state = state;
    txn.put(NodeRow::key(id), row.encode());
    Event::new().number("node", id.0).text("t", event).record(txn)?;
    Ok(Ok(Reply::Done))
}

fn grant(txn: &mut Txn<'_>, id: NodeId, boot: &BootId, epoch: u64) -> Result<Answer, Fault> {
    let Some(row) = epoch::epoch(txn)? else {
        return Ok(Err(Rejection::NoGenesis));
    };
    if row.epoch != epoch {
        return Ok(Err(Rejection::WrongEpoch));
    }
    if !holder::may_be_given(txn, id)? {
        return Ok(Err(Rejection::NoSuchNode));
    }
    if seal::is_on(txn)? {
        return Ok(Err(Rejection::Sealed));
    }
    holder::note_memory(txn, &row, epoch, (id, boot))?;
    Ok(Ok(Reply::Done))
}

fn raise(txn: &mut Txn<'_>, version: u32) -> Result<Answer, Fault> {
    let present = match txn.get(&version_key())?.as_deref().map(<[u8; 4]>::try_from) {
        Some(Ok(bytes)) => u32::from_be_bytes(bytes),
        Some(Err(_)) => return Err(Fault::broken("the cluster version is malformed")),
        None => return Ok(Err(Rejection::NoGenesis)),
    };
    if version == present {
        return Ok(Ok(Reply::Done));
    }
    if version < present {
        return Ok(Err(Rejection::WrongVersion));
    }
    if version > CLUSTER_VERSION {
        // An answer here would differ from that of newer replicas.
        return Err(Fault::broken(
            "the cluster was raised to a version that this release does not know",
        ));
    }
    txn.put(version_key(), version.to_be_bytes().to_vec());
    Event::new()
        .text("t", "eunoe/version-raised@v1")
        .number("version", u64::from(version))
        .record(txn)?;
    Ok(Ok(Reply::Done))
}
