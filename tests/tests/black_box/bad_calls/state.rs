//! What must be the same before and after.

use std::collections::BTreeMap;

use bytes::Bytes;
use eunoe_proto::chat::{
    ListConversationsRequest, ListConversationsResponse, ListMessagesRequest, ListMessagesResponse,
};
use eunoe_proto::cluster::{GetStatusRequest, GetStatusResponse};
use eunoe_proto::erasure::{ListErasuresRequest, ListErasuresResponse};
use prost::Message;
use tonic::Status;

use super::caller::{Address, Caller};
use super::world::World;
use super::{OTHER, PURPOSE, TENANT, chat, cluster, erasure};

/// People who are there, and those whom only bad calls name.
const PEOPLE: &[&str] = &[
    "visitor/anna",
    "visitor/bert",
    "visitor/gone",
    "visitor/carl",
    "agent/bo",
    "visitor/nobody",
];

/// Everything of the cluster that a call could change and a client can see, as every node shows it: conversations
/// with their heads and messages, erasures, members and their groups. Positions in the groups' logs are not in it: a
/// call that is refused where it would be applied has its place there.
#[derive(PartialEq, Eq)]
pub(super) struct State(BTreeMap<String, Vec<u8>>);

impl State {
    pub(super) async fn read(world: &World) -> Self {
        let (platform, operator) = (world.certified("platform"), world.certified("operator"));
        let mut state = Self(BTreeMap::new());
        for (node, address) in world.addresses.iter().enumerate() {
            let view = View {
                node: node + 1,
                address,
                platform: &platform,
            };
            for tenant in [TENANT, OTHER, "nobody"] {
                view.conversations(tenant, &mut state.0).await;
                view.erasures(tenant, &mut state.0).await;
            }
            let status = operator
                .call(address, cluster::GET_STATUS, GetStatusRequest {}.encode_to_vec())
                .await;
            let status = members(GetStatusResponse::decode(only(status)).unwrap());
            state.0.insert(format!("node {}: members", node + 1), status);
        }
        state
    }

    /// What differs.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let names = self.0.keys().chain(other.0.keys());
        let mut names: Vec<_> = names
            .filter(|name| self.0.get(*name) != other.0.get(*name))
            .cloned()
            .collect();
        names.dedup();
        names
    }

    /// Things that were looked at.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

fn only(answer: Result<Vec<Bytes>, Status>) -> Bytes {
    let mut answers = answer.unwrap();
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

struct View<'a> {
    node: usize,
    address: &'a Address,
    platform: &'a Caller,
}

impl View<'_> {
    async fn conversations(&self, tenant: &str, state: &mut BTreeMap<String, Vec<u8>>) {
        for person in PEOPLE {
            let request = ListConversationsRequest {
                tenant: tenant.into(),
                subject: (*person).into(),
                purpose: PURPOSE.into(),
                page_size: 1_000,
                ..ListConversationsRequest::default()
            };
            let answer = self
                .platform
                .call(self.address, chat::LIST_CONVERSATIONS, request.encode_to_vec())
                .await;
            let name = format!("node {}: {tenant}: conversations of {person}", self.node);
            let page = match answer {
                Ok(mut answers) => ListConversationsResponse::decode(answers.remove(0)).unwrap(),
                Err(status) => {
                    state.insert(name, format!("{:?}", status.code()).into_bytes());
                    continue;
                }
            };
            state.insert(name, page.encode_to_vec());
            for conversation in page.conversations {
                let name = format!("node {}: {tenant}: messages of {}", self.node, conversation.id);
                state.insert(name, self.messages(tenant, conversation.id).await);
            }
        }
    }

    async fn messages(&self, tenant: &str, id: String) -> Vec<u8> {
        let request = ListMessagesRequest {
            tenant: tenant.into(),
            conversation: Some(eunoe_client::input::by_id(id)),
            purpose: PURPOSE.into(),
            page_size: 1_000,
            ..ListMessagesRequest::default()
        };
        let answer = self
            .platform
            .call(self.address, chat::LIST_MESSAGES, request.encode_to_vec())
            .await;
        let page = ListMessagesResponse::decode(only(answer)).unwrap();
        assert!(page.next_page_token.is_empty());
        // The position tells how far the node is.
        let page = ListMessagesResponse {
            position: String::new(),
            ..page
        };
        page.encode_to_vec()
    }

    async fn erasures(&self, tenant: &str, state: &mut BTreeMap<String, Vec<u8>>) {
        let request = ListErasuresRequest {
            tenant: tenant.into(),
            page_size: 1_000,
            ..ListErasuresRequest::default()
        };
        let answer = self
            .platform
            .call(self.address, erasure::LIST, request.encode_to_vec())
            .await;
        let seen = match answer {
            Ok(mut answers) => ListErasuresResponse::decode(answers.remove(0))
                .unwrap()
                .encode_to_vec(),
            Err(status) => format!("{:?}", status.code()).into_bytes(),
        };
        state.insert(format!("node {}: {tenant}: erasures", self.node), seen);
    }
}

/// Who is a member of what, the epoch and the version.
fn members(mut status: GetStatusResponse) -> Vec<u8> {
    for group in &mut status.groups {
        (group.term, group.last_log, group.applied) = (0, 0, 0);
        (group.snapshot, group.purged) = (0, 0);
        (group.log_bytes, group.state_bytes) = (0, 0);
        group.leader = None;
    }
    for node in &mut status.nodes {
        node.leader_of.clear();
        node.reachable = false;
        node.lease_left_ms = None;
    }
    (status.log_disk_bytes, status.log_syncs, status.log_records) = (0, 0, 0);
    status.encode_to_vec()
}
