//! A cluster with something in it that bad calls could spoil.

use std::fs;
use std::path::{Path, PathBuf};

use eunoe_client::erasure_types::{ErasureReason, RequestErasureRequest, Target};
use eunoe_client::types::{MessageInput, Participant, ParticipantKind};
use eunoe_client::{Client, input};
use eunoe_tests::cluster::{Cluster, Setup};
use rcgen::{CertificateParams, Issuer as Authority, KeyPair, SanType, date_time_ymd};
use tempfile::TempDir;

use super::caller::{Address, Caller, Identity};
use super::issuer::Issuer;
use super::{OTHER, PURPOSE, TENANT};

/// Messages a second that a tenant may send to a node.
const QUOTA: &str = "tenant_messages_per_second = 100";

/// The cluster and what is known of it.
pub(super) struct World {
    pub(super) cluster: Cluster,
    pub(super) issuer: Issuer,
    pub(super) addresses: Vec<Address>,
    pub(super) realm: String,
    /// Of anna, with bo as her agent; three messages.
    pub(super) open: String,
    /// Of bert, with two messages and closed.
    pub(super) closed: String,
    /// Of gone, who is erased.
    pub(super) erased: String,
    /// Of carl, who is another tenant's.
    pub(super) foreign: String,
    /// The erasure of gone.
    pub(super) erasure: String,
    _keys: TempDir,
}

pub(super) fn visitor(name: &str) -> Participant {
    input::participant(ParticipantKind::Visitor, format!("visitor/{name}"))
}

/// A good message of the person served, by its number.
pub(super) fn message(conversation: &str, name: &str, number: u64) -> MessageInput {
    MessageInput {
        request_id: format!("message-{number}"),
        ..input::text_message(
            conversation,
            visitor(name),
            PURPOSE,
            format!("{name} says {number}"),
        )
    }
}

async fn talk(client: &Client, name: &str, messages: u64) -> String {
    let mut new = input::support(format!("case/{name}"), visitor(name), PURPOSE);
    new.participants
        .push(input::participant(ParticipantKind::Agent, "agent/bo"));
    let id = client.create_conversation(new).await.unwrap().conversation.id;
    for number in 1..=messages {
        client.append(message(&id, name, number)).await.unwrap();
    }
    id
}

impl World {
    pub(super) async fn begin() -> Self {
        let keys = tempfile::tempdir().unwrap();
        let (issuer, tables) = Issuer::publish(&keys.path().join("jwks.json"));
        let cluster = Cluster::start_with(Setup {
            limits: QUOTA,
            tables,
            // Epochs begin only when somebody is in a hurry: an erasure stays where it is.
            arguments: &["--epoch-period", "86400"],
            ..Setup::default()
        })
        .await;
        let client = cluster.client(TENANT).await;
        let open = talk(&client, "anna", 3).await;
        let closed = talk(&client, "bert", 2).await;
        client
            .close_conversation(input::by_id(&closed), PURPOSE)
            .await
            .unwrap();
        let erased = talk(&client, "gone", 1).await;
        let request = RequestErasureRequest {
            target: Some(Target::Subject("visitor/gone".into())),
            reason: ErasureReason::SubjectRequest.into(),
            request_id: "erasure-1".into(),
            ..RequestErasureRequest::default()
        };
        let erasure = client.erasures().request(request).await.unwrap().erasure.id;
        let foreign = talk(&cluster.client(OTHER).await, "carl", 1).await;
        let ca = fs::read(cluster.dir().join("tls/ca.pem")).unwrap();
        let address = |node| Address {
            endpoint: cluster.context("platform", TENANT, Some(node)).endpoints[0].clone(),
            ca: ca.clone(),
        };
        Self {
            addresses: cluster.nodes().into_iter().map(address).collect(),
            realm: cluster.status_of(1).await.realm,
            cluster,
            issuer,
            open,
            closed,
            erased,
            foreign,
            erasure,
            _keys: keys,
        }
    }

    pub(super) fn tls(&self) -> PathBuf {
        self.cluster.dir().join("tls")
    }

    /// The holder of the cluster's certificate for a role, for all tenants.
    pub(super) fn certified(&self, role: &str) -> Caller {
        Caller {
            identity: Some(Identity::of_cluster(&self.tls(), role)),
            ..Caller::default()
        }
    }

    /// The holder of a certificate that names `path` in this realm.
    pub(super) fn named(&self, path: &str) -> Caller {
        let uri = format!("spiffe://{}/{path}", self.realm);
        Caller {
            identity: Some(issue(&authority(&self.tls()), &uri, 4096)),
            ..Caller::default()
        }
    }

    /// A caller without a certificate.
    pub(super) fn bearer(token: &str) -> Caller {
        Caller {
            authorization: Some(format!("Bearer {token}")),
            ..Caller::default()
        }
    }
}

/// The cluster's authority.
pub(super) fn authority(tls: &Path) -> Authority<'static, KeyPair> {
    let read = |name: &str| fs::read_to_string(tls.join(name)).unwrap();
    let key = KeyPair::from_pem(&read("ca.key")).unwrap();
    Authority::from_ca_cert_pem(&read("ca.pem"), key).unwrap()
}

/// A certificate of an authority, that ends with the year before `year`.
pub(super) fn issue(authority: &Authority<'_, KeyPair>, uri: &str, year: i32) -> Identity {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
    params.not_after = date_time_ymd(year, 1, 1);
    let key = KeyPair::generate().unwrap();
    Identity {
        cert: params.signed_by(&key, authority).unwrap().pem().into_bytes(),
        key: key.serialize_pem().into_bytes(),
    }
}
