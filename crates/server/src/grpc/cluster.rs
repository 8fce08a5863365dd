//! `eunoe.cluster.v1.ClusterService`: the cluster as its operators see and change it.

mod service;

use std::sync::Arc;
use std::time::Duration;

use eunoe_core::control::{self, Command, Decommission, NodeRow, NodeState, Rejection, Reply};
use eunoe_core::placement::{Site, SiteError};
use eunoe_proto::cluster as proto;
use eunoe_raft::{GroupHandle, Node};
use eunoe_store::{LogEngine as _, SegmentLog};
use eunoe_types::{ErrorCode, Fault, GroupId, NodeId, Realm, limits};
use futures::future::join_all;

use super::status::Faults;
use super::{removal, roots};
use crate::edge::{ApiError, ApiResult};
use crate::groups::{ChangeError, Groups, change};
use crate::hex;
use crate::peer::{GroupChange, PeerState, Peers};
use crate::placement::allowed;
use crate::surroundings;

/// The reason of a refusal for where a node stands.
const PLACEMENT: &str = "PLACEMENT";

pub(super) const CHANGE_TIMEOUT: Duration = Duration::from_secs(15);
const PROMOTE_TIMEOUT: Duration = Duration::from_secs(150);
const PROBE_TIMEOUT: Duration = Duration::from_millis(1_500);

/// What the service works on.
pub struct Operator {
    /// The groups.
    pub groups: Arc<Groups>,
    /// The other nodes.
    pub peers: Peers,
    /// Identity of the data.
    pub realm: Realm,
    /// How this node is.
    pub own: Box<dyn Fn() -> PeerState + Send + Sync>,
    /// The log of all groups, for its counters.
    pub log: SegmentLog,
    /// Where faults go.
    pub faults: Faults,
}

/// The cluster service of one node.
pub struct Cluster {
    operator: Operator,
}

impl Cluster {
    /// Serves `operator`.
    pub fn new(operator: Operator) -> Self {
        Self { operator }
    }

    fn groups(&self) -> &Groups {
        &self.operator.groups
    }

    fn control(&self) -> &GroupHandle {
        self.groups().control()
    }

    async fn status(&self) -> ApiResult<proto::GetStatusResponse> {
        let (epoch, version, policy) = self.control().with_view(|view| {
            let policy = control::placement_policy(view)?;
            Ok::<_, Fault>((control::epoch(view)?, control::cluster_version(view)?, policy))
        })??;
        let log = self.operator.log.stats();
        let nodes = self.nodes().await?;
        let root = roots::status(self.control(), &nodes)?;
        Ok(proto::GetStatusResponse {
            node_id: self.control().node_id().0,
            nodes,
            groups: self.groups().all().map(group).collect::<Result<_, _>>()?,
            cluster_version: version.unwrap_or_default(),
            program_version: env!("CARGO_PKG_VERSION").into(),
            epoch: epoch.map_or(0, |epoch| epoch.epoch),
            realm: self.operator.realm.to_string(),
            limits: api_limits(),
            log_disk_bytes: self.operator.log.disk_bytes(),
            log_syncs: log.syncs,
            log_records: log.records,
            placement_policy: policy.map(|policy| policy.name().into()).unwrap_or_default(),
            root,
        })
    }

    async fn nodes(&self) -> ApiResult<Vec<proto::Node>> {
        let rows = self.control().with_view(control::nodes)??;
        let states = rows.iter().map(|row| self.probe(row));
        let states = join_all(states).await;
        Ok(rows
            .into_iter()
            .zip(states)
            .map(|(row, state)| self.node(row, state.as_ref()))
            .collect())
    }

    async fn probe(&self, row: &NodeRow) -> Option<PeerState> {
        if !row.state.is_admitted() {
            return None;
        }
        if row.id == self.control().node_id() {
            return Some((self.operator.own)());
        }
        tokio::time::timeout(PROBE_TIMEOUT, self.operator.peers.ping(row.id))
            .await
            .ok()?
            .ok()
    }

    fn node(&self, row: NodeRow, state: Option<&PeerState>) -> proto::Node {
        let leads = |group: &&GroupHandle| group.leadership().leader == Some(row.id);
        let node_state = match row.state {
            NodeState::Removed => proto::NodeState::Removed,
            NodeState::Leaving => proto::NodeState::Leaving,
            NodeState::Admitted if self.control().leadership().members.is_voter(row.id) => {
                proto::NodeState::Voter
            }
            NodeState::Admitted => proto::NodeState::Learner,
        };
        proto::Node {
            id: row.id.0,
            leader_of: self
                .groups()
                .all()
                .filter(leads)
                .map(|group| group.id().0)
                .collect(),
            client_address: row.client_address,
            peer_address: row.peer_address,
            spki_sha256: row.spki_sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
            site: row.site,
            state: node_state.into(),
            reachable: state.is_some(),
            unsealed: state.map(|state| state.unsealed),
            lease_left_ms: state.map(|state| state.lease_left_ms),
            share_kept: state.map(|state| state.share_kept),
            vault_class: state.map_or_else(String::new, |state| state.vault.to_string()),
        }
    }

    /// A node by its id, removed or not.
    async fn find(&self, id: u64) -> ApiResult<proto::Node> {
        let row = self
            .control()
            .with_view(|view| control::node(view, NodeId(id)))??;
        let row = row.ok_or_else(|| ApiError::not_found("node_id", "no such node"))?;
        let state = self.probe(&row).await;
        Ok(self.node(row, state.as_ref()))
    }

    async fn propose(&self, command: &Command<'_>) -> ApiResult<()> {
        let reply = self.groups().propose_control(command.encode().into()).await?;
        match Reply::decode(&reply).map_err(Fault::from)? {
            Reply::Done | Reply::Keys(_) | Reply::Erasure { .. } => {}
            Reply::Rejected(rejection) => return Err(refused(rejection)),
        }
        // So that the answer is about the state after it.
        self.control().read_barrier(CHANGE_TIMEOUT).await?;
        Ok(())
    }

    async fn change_all(&self, wanted: &GroupChange, within: Duration) -> ApiResult<()> {
        for group in self.groups().all() {
            self.change(group, wanted, within).await?;
        }
        Ok(())
    }

    async fn change(&self, group: &GroupHandle, wanted: &GroupChange, within: Duration) -> ApiResult<()> {
        change(group, &self.operator.peers, wanted, within)
            .await
            .map_err(|error| match error {
                ChangeError::Refused => {
                    ApiError::precondition("GROUP_REFUSED", "a group's members forbid it")
                }
                ChangeError::NoLeader => {
                    ApiError::unavailable("NO_LEADER", "a group has no leader; ask again")
                }
                ChangeError::Unknown => {
                    ApiError::unknown("the change may go on by itself; asking again is safe")
                }
            })
    }

    /// Whether the cluster's placement policy allows the node. `apply` decides; this says which rule it is.
    fn judge(&self, row: &NodeRow) -> ApiResult<()> {
        let policy = self.control().with_view(control::placement_policy)??;
        let (Some(policy), Ok(site)) = (policy, Site::parse(&row.site)) else {
            return Ok(());
        };
        allowed(policy, &site).map_err(|refusal| ApiError {
            field: Some("site".into()),
            ..ApiError::new(ErrorCode::FailedPrecondition, PLACEMENT, refusal.to_string())
        })
    }

    async fn add(&self, request: proto::AddNodeRequest) -> ApiResult<proto::AddNodeResponse> {
        let row = new_node(request)?;
        self.judge(&row)?;
        let time = surroundings::now();
        let node = row.clone();
        self.propose(&Command::AdmitNode { time, node }).await?;
        let node = Node {
            address: row.peer_address.clone(),
            spki_sha256: row.spki_sha256,
        };
        self.change_all(&GroupChange::AddLearner { id: row.id, node }, CHANGE_TIMEOUT)
            .await?;
        Ok(proto::AddNodeResponse {
            node: Some(self.find(row.id.0).await?),
        })
    }

    async fn promote(&self, request: proto::PromoteNodeRequest) -> ApiResult<proto::PromoteNodeResponse> {
        self.admitted(request.node_id).await?;
        self.change_all(&GroupChange::Promote(NodeId(request.node_id)), PROMOTE_TIMEOUT)
            .await?;
        Ok(proto::PromoteNodeResponse {
            node: Some(self.find(request.node_id).await?),
        })
    }

    async fn remove(&self, request: proto::RemoveNodeRequest) -> ApiResult<proto::RemoveNodeResponse> {
        let id = NodeId(request.node_id);
        let node = self.find(request.node_id).await?;
        let needs_word = !request.lost && node.state() != proto::NodeState::Removed;
        if needs_word {
            removal::check(&self.operator, id).await?;
            // The root is shared without it while its share can still be reached.
            self.propose(&Command::LetLeave(id)).await?;
            removal::await_refresh(&self.operator, id).await?;
        }
        // Out of every group first: from then on nobody sends it anything. Then it destroys its keys; then its own is
        // refused.
        self.change_all(&GroupChange::Remove(id), PROMOTE_TIMEOUT).await?;
        if needs_word {
            removal::retire(&self.operator, id).await?;
        }
        self.propose(&Command::RemoveNode(id)).await?;
        Ok(proto::RemoveNodeResponse {
            node: Some(self.find(request.node_id).await?),
        })
    }

    async fn decommission(
        &self,
        request: proto::DecommissionNodeRequest,
    ) -> ApiResult<proto::DecommissionNodeResponse> {
        let evidence = <[u8; 32]>::try_from(&request.evidence_sha256[..])
            .map_err(|_| ApiError::invalid("evidence_sha256", "must be 32 bytes"))?;
        let said = Decommission {
            node: NodeId(request.node_id),
            evidence,
            time: surroundings::now(),
        };
        self.propose(&Command::Decommission(said)).await?;
        Ok(proto::DecommissionNodeResponse {
            node: Some(self.find(request.node_id).await?),
        })
    }

    async fn admitted(&self, id: u64) -> ApiResult<proto::Node> {
        let node = self.find(id).await?;
        if node.state() == proto::NodeState::Removed {
            return Err(ApiError::precondition(
                "NODE_REMOVED",
                "the node was removed for good",
            ));
        }
        Ok(node)
    }

    async fn drain(&self, request: proto::DrainNodeRequest) -> ApiResult<proto::DrainNodeResponse> {
        self.admitted(request.node_id).await?;
        let drained = self.operator.peers.drain(NodeId(request.node_id)).await;
        let left =
            drained.map_err(|_| ApiError::unavailable("NODE_UNREACHABLE", "the node did not answer"))?;
        Ok(proto::DrainNodeResponse {
            leader_of: left.into_iter().map(|group| group.0).collect(),
        })
    }

    async fn transfer(
        &self,
        request: proto::TransferLeaderRequest,
    ) -> ApiResult<proto::TransferLeaderResponse> {
        let group = self.groups().get(GroupId(request.group));
        let group = group.ok_or_else(|| ApiError::not_found("group", "no such group"))?;
        let to = NodeId(request.to_node_id);
        if !group.leadership().members.is_voter(to) {
            return Err(ApiError::invalid("to_node_id", "must be a voter of the group"));
        }
        self.change(group, &GroupChange::TransferLeader(to), CHANGE_TIMEOUT)
            .await?;
        Ok(proto::TransferLeaderResponse {
            leader: group.leadership().leader.map(|leader| leader.0),
        })
    }

    fn shards(&self) -> Vec<proto::ShardRange> {
        let group_of = |shard: u8| eunoe_types::VirtualShard(shard).group(self.groups().data_groups());
        let mut ranges: Vec<proto::ShardRange> = Vec::new();
        for shard in 0..=u8::MAX {
            let group = group_of(shard).0;
            match ranges.last_mut().filter(|range| range.group == group) {
                Some(range) => range.last = shard.into(),
                None => ranges.push(proto::ShardRange {
                    first: shard.into(),
                    last: shard.into(),
                    group,
                }),
            }
        }
        ranges
    }
}

fn refused(rejection: Rejection) -> ApiError {
    match rejection {
        Rejection::NodeIdUsed => ApiError {
            field: Some("node_id".into()),
            ..ApiError::new(
                ErrorCode::AlreadyExists,
                "NODE_ID_USED",
                "node ids are never used again",
            )
        },
        Rejection::NoSuchNode => ApiError::not_found("node_id", "no such node"),
        Rejection::NodeAdmitted => {
            ApiError::precondition("NODE_ADMITTED", "the node is admitted; remove it first")
        }
        Rejection::SiteOutside => ApiError {
            field: Some("site".into()),
            ..ApiError::precondition(PLACEMENT, "the placement policy does not allow the site")
        },
        Rejection::SiteMalformed => ApiError::invalid("site", SiteError::Shape.rule()),
        Rejection::GenesisDone
        | Rejection::TooManyKeys
        | Rejection::NoGenesis
        | Rejection::PagesMissing
        | Rejection::WrongEpoch
        | Rejection::WrongVersion
        | Rejection::RequestIdReused
        | Rejection::NoSuchKey
        | Rejection::KeyErased
        | Rejection::NothingToExpand
        | Rejection::WrongAttempt
        | Rejection::WrongChunk
        | Rejection::WrongDigest
        | Rejection::KeyNotFenced
        | Rejection::TooFewHolders
        | Rejection::BadSharing
        | Rejection::NotVerified
        | Rejection::Sealed
        | Rejection::NoSuchErasure
        | Rejection::TooLate => ApiError::precondition("REFUSED", "the cluster's state forbids it"),
    }
}

pub(super) fn new_node(request: proto::AddNodeRequest) -> ApiResult<NodeRow> {
    let invalid = |field: &str, rule: &'static str| ApiError::invalid(field, rule);
    if request.node_id == 0 {
        return Err(invalid("node_id", "must not be 0"));
    }
    for (field, value) in [
        ("client_address", &request.client_address),
        ("peer_address", &request.peer_address),
    ] {
        if !(1..=256).contains(&value.len()) {
            return Err(invalid(field, "must have 1 to 256 bytes"));
        }
    }
    let spki_sha256 =
        hex::bytes(&request.spki_sha256).ok_or_else(|| invalid("spki_sha256", "must be 64 hex digits"))?;
    let site = Site::parse(&request.site).map_err(|error| invalid("site", error.rule()))?;
    Ok(NodeRow {
        id: NodeId(request.node_id),
        client_address: request.client_address,
        peer_address: request.peer_address,
        spki_sha256,
        site: site.to_string(),
        state: NodeState::Admitted,
    })
}

fn group(handle: &GroupHandle) -> Result<proto::Group, Fault> {
    let status = handle.status();
    let members = &status.leadership.members;
    let index = |position: Option<eunoe_types::LogPosition>| position.map_or(0, |at| at.index);
    Ok(proto::Group {
        id: handle.id().0,
        kind: if handle.id().is_control() {
            "control"
        } else {
            "data"
        }
        .into(),
        leader: status.leadership.leader.map(|leader| leader.0),
        voters: members.voters.iter().map(|voter| voter.0).collect(),
        learners: members.learners().map(|learner| learner.0).collect(),
        term: status.leadership.term,
        last_log: status.last_log.unwrap_or_default(),
        applied: index(status.applied),
        snapshot: index(status.snapshot),
        purged: index(status.purged),
        log_bytes: status.live_log_bytes,
        state_bytes: handle.state_bytes()?,
    })
}

fn api_limits() -> Vec<proto::Limit> {
    let limits = [
        ("message_bytes_max", limits::MESSAGE_BYTES_MAX),
        ("parts_max", limits::PARTS_MAX),
        ("about_max", limits::ABOUT_MAX),
        ("batch_messages_max", limits::BATCH_MESSAGES_MAX),
        ("batch_bytes_max", limits::BATCH_BYTES_MAX),
        ("reference_bytes_max", limits::REFERENCE_BYTES_MAX),
        ("title_bytes_max", limits::TITLE_BYTES_MAX),
        ("participants_max", limits::PARTICIPANTS_MAX),
        ("purposes_max", limits::PURPOSES_MAX),
        ("page_messages_max", limits::PAGE_MAX),
        ("page_bytes_max", limits::PAGE_BYTES_MAX),
        ("stream_in_flight_max", limits::STREAM_IN_FLIGHT_MAX),
    ];
    let limit = |(name, value): (&str, usize)| proto::Limit {
        name: name.into(),
        value: value as u64,
    };
    limits.into_iter().map(limit).collect()
}
