//! The listeners of a node: peers, clients, probes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use eunoe_proto::DESCRIPTORS;
use eunoe_proto::audit::audit_service_server::AuditServiceServer;
use eunoe_proto::chat::chat_service_server::ChatServiceServer;
use eunoe_proto::cluster::cluster_service_server::ClusterServiceServer;
use eunoe_proto::erasure::erasure_service_server::ErasureServiceServer;
use eunoe_store::SegmentLog;
use futures::future::{BoxFuture, FutureExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::public_log::{self, PublicLog};
use super::{Core, Doors, GRACE, NodeError, Shared, quorum};
use crate::admin::{self, HealthState};
use crate::audit::Audit;
use crate::grpc::{self, Audits, Chat, Cluster, Erasures, Gate};
use crate::peer::PeerServer;
use crate::reload;
use crate::serve::{REQUEST_BYTES_MAX, client_server, peer_server, serve};
use crate::telemetry::{metrics, observe};
use crate::tls::{Acceptor, HandshakeLimits};

type Service = BoxFuture<'static, Result<(), NodeError>>;

async fn listen(address: SocketAddr) -> Result<TcpListener, NodeError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| NodeError::Listen { address, source })
}

/// The probes. They answer from the first moment on; the log does once there is one.
pub(super) async fn admin(
    shared: &Arc<Shared>,
    log: &Arc<PublicLog>,
    stop: &CancellationToken,
) -> Result<Service, NodeError> {
    let address = shared.config.listen.admin;
    let listener = listen(address).await?;
    let (health, stop) = (shared.health.clone(), stop.clone().cancelled_owned());
    let public = public_log::routes(Arc::clone(log));
    let served = async move {
        let served = admin::serve(listener, health, public, stop).await;
        served.map_err(|source| NodeError::Listen { address, source })
    };
    Ok(served.boxed())
}

/// Follows the files that platforms replace while the node runs, and shows how long the certificate is good.
fn follow_files(shared: &Shared, doors: &Doors) {
    let material = doors.material.clone();
    let shown = material.clone();
    observe(&metrics::CERTIFICATE_LEFT, move |observed| {
        observed.set(shown.seconds_left(SystemTime::now()), &[]);
    });
    let certificates = reload::follow("certificates", move || material.reload());
    shared.spawn(certificates.map(Ok));
    if let Some(issuer) = doors.issuer.clone() {
        let keys = reload::follow("issuer_keys", move || issuer.reload());
        shared.spawn(keys.map(Ok));
    }
}

/// The service for other nodes. It answers before the groups run: the members of a new cluster find each other.
pub(super) async fn peers(
    core: &Core,
    doors: &Doors,
    stop: &CancellationToken,
) -> Result<Service, NodeError> {
    let (shared, directory) = (&core.shared, &doors.directory);
    follow_files(shared, doors);
    let listener = listen(shared.config.listen.peer).await?;
    let acceptor = Acceptor::peers(&doors.material, directory.clone(), HandshakeLimits::default())?;
    let (id, raft) = (shared.config.node_id, core.raft.clone());
    let service = PeerServer::new(id, raft, core.handler(), directory.clone());
    let router = peer_server().add_service(service);
    let stop = stop.clone().cancelled_owned();
    Ok(async move { Ok(serve(listener, acceptor, router, GRACE, stop).await?) }.boxed())
}

/// The service for clients; ends when it was stopped and calls under way are done.
pub(super) async fn clients(
    core: &Core,
    doors: &Doors,
    (log, public): (&SegmentLog, &Arc<PublicLog>),
    stop: &CancellationToken,
) -> Result<(), NodeError> {
    let shared = &core.shared;
    let edge = core.edge(stop.clone())?;
    let audit: Arc<dyn Audit> = Arc::<PublicLog>::clone(public);
    let erasures = Erasures::new(edge.clone(), Arc::clone(&audit), shared.faults.clone());
    let erasures = ErasureServiceServer::new(erasures).max_decoding_message_size(REQUEST_BYTES_MAX);
    let chat = ChatServiceServer::new(Chat::new(edge, shared.faults.clone()))
        .max_decoding_message_size(REQUEST_BYTES_MAX)
        .max_encoding_message_size(2 * REQUEST_BYTES_MAX);
    let cluster = ClusterServiceServer::new(Cluster::new(super::operator(shared, log)?))
        .max_decoding_message_size(REQUEST_BYTES_MAX);
    let audit = AuditServiceServer::new(Audits::new(audit, shared.faults.clone()))
        .max_decoding_message_size(REQUEST_BYTES_MAX);
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|_| NodeError::Panicked)?;
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<ChatServiceServer<Chat>>().await;
    reporter.set_serving::<ClusterServiceServer<Cluster>>().await;
    reporter.set_serving::<ErasureServiceServer<Erasures>>().await;
    reporter.set_serving::<AuditServiceServer<Audits>>().await;

    let limits = &shared.config.limits;
    let handshakes = HandshakeLimits {
        connections_max: limits.client_connections,
        ..HandshakeLimits::default()
    };
    let acceptor = Acceptor::clients(&doors.material, doors.issuer.is_some(), handshakes)?;
    let listener = listen(shared.config.listen.client).await?;
    let router = client_server(
        limits.streams_per_connection,
        Gate::new(doors.issuer.clone(), grpc::roles),
    )
    .add_service(health)
    .add_service(reflection)
    .add_service(chat)
    .add_service(erasures)
    .add_service(audit)
    .add_service(cluster);
    shared.spawn(quorum::watch(Arc::clone(shared)));
    shared.health.set(HealthState::Serving);
    tracing::info!("the node serves");
    let draining = {
        let (shared, stop) = (Arc::clone(shared), stop.clone());
        async move {
            let mut health = shared.health.watch();
            // Draining is told before calls are refused, so that clients go elsewhere in time.
            drop(
                health
                    .wait_for(|state| matches!(state, HealthState::Draining))
                    .await,
            );
            reporter.set_not_serving::<ChatServiceServer<Chat>>().await;
            reporter.set_not_serving::<ErasureServiceServer<Erasures>>().await;
            stop.cancelled().await;
        }
    };
    Ok(serve(listener, acceptor, router, GRACE, draining).await?)
}
