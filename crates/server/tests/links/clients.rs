//! Clients of the client listener.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use axum::Extension;
use axum::routing::get;
use eunoe_server::grpc::Gate;
use eunoe_server::reload::Look;
use eunoe_server::serve;
use eunoe_server::tls::{Acceptor, ClientIdentity, HandshakeLimits, TlsError, TlsMaterial};
use eunoe_types::Role;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::codegen::http::Request;
use tonic::service::Routes;
use tonic::transport::Channel;
use tower::ServiceExt as _;

use crate::support::{Authority, Issued, Node, REALM};

/// A server that says whom it takes the caller for.
struct Server {
    authority: Authority,
    address: SocketAddr,
    node: Node,
    material: TlsMaterial,
    folder: TempDir,
    stop: CancellationToken,
    served: tokio::task::JoinHandle<()>,
}

fn anybody(_: &str) -> Option<&'static [Role]> {
    Some(&Role::ALL)
}

async fn whoami(Extension(identity): Extension<ClientIdentity>) -> [(&'static str, String); 1] {
    [("identity", format!("{identity:?}"))]
}

impl Server {
    async fn start(limits: HandshakeLimits) -> Self {
        let authority = Authority::new();
        let mut node = Node::new(&authority, 1).await;
        let folder = tempfile::tempdir().unwrap();
        node.write(folder.path(), &Node::ca(&authority));
        let material = TlsMaterial::load(&node.config(folder.path(), 1)).unwrap();
        let acceptor = Acceptor::clients(&material, false, limits).unwrap();
        let mut routes = Routes::default();
        let router = routes.axum_router_mut();
        *router = std::mem::take(router)
            .route("/whoami", get(whoami))
            .route("/never", get(std::future::pending::<()>));
        let router = serve::client_server(16, Gate::new(None, anybody)).add_routes(routes);
        let (listener, stop) = (node.listener.take().unwrap(), CancellationToken::new());
        let stopped = stop.clone().cancelled_owned();
        let served = tokio::spawn(async move {
            let grace = Duration::from_millis(50);
            serve::serve(listener, acceptor, router, grace, stopped)
                .await
                .unwrap();
        });
        Self {
            authority,
            address: node.address,
            node,
            material,
            folder,
            stop,
            served,
        }
    }

    /// Whom the server takes the holder of `issued` for.
    async fn ask(
        &self,
        issued: &Issued,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<String, String> {
        ask(self.authority.channel(self.address, issued, versions)).await
    }
}

async fn ask(channel: Channel) -> Result<String, String> {
    let request = Request::get("/whoami").body(Body::empty()).unwrap();
    let response = channel
        .oneshot(request)
        .await
        .map_err(|error| format!("{error:?}"))?;
    Ok(response.headers()["identity"].to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_client_of_the_authority_is_known_by_its_certificate() {
    let server = Server::start(HandshakeLimits::default()).await;
    let agent = server.authority.client("tenant/acme/role/agent");
    let said = server.ask(&agent, &[&TLS13]).await.unwrap();
    assert!(said.contains("acme") && said.contains("Agent"), "{said}");
    let operator = server.authority.client("tenant/*/role/operator");
    let said = server.ask(&operator, &[&TLS13, &TLS12]).await.unwrap();
    assert!(said.contains("Any") && said.contains("Operator"), "{said}");
}

#[tokio::test]
async fn certificates_that_name_nobody_end_the_handshake() {
    let server = Server::start(HandshakeLimits::default()).await;
    let authority = &server.authority;
    let uri = |path: &str| format!("spiffe://{REALM}/{path}");
    let agent = uri("tenant/acme/role/agent");
    let other_realm = agent.replace("0f/", "ff/");
    for (what, issued) in [
        ("no uri", authority.issue(&[])),
        (
            "two uris",
            authority.issue(&[agent.clone(), uri("tenant/acme/role/dpo")]),
        ),
        ("another realm", authority.issue(&[other_realm])),
        ("no such role", authority.client("tenant/acme/role/root")),
        ("no tenant's name", authority.client("tenant/A/role/agent")),
        ("a node", authority.client("site/de/fra/fra1/node/1")),
    ] {
        let error = server.ask(&issued, &[&TLS13]).await.expect_err(what);
        assert!(error.contains("AccessDenied"), "{what}: {error}");
    }
    let good = authority.issue(&[agent]);
    assert!(server.ask(&good, &[&TLS13]).await.is_ok());
}

#[tokio::test]
async fn foreign_and_expired_certificates_are_refused() {
    let server = Server::start(HandshakeLimits::default()).await;
    let foreign = Authority::new().client("tenant/acme/role/agent");
    let error = server.ask(&foreign, &[&TLS13]).await.unwrap_err();
    // Both authorities have one name, so it is the signature that does not fit.
    assert!(error.contains("DecryptError"), "{error}");
    let uri = format!("spiffe://{REALM}/tenant/acme/role/agent");
    let expired = server.authority.issue_until(&[uri], 2000);
    let error = server.ask(&expired, &[&TLS13]).await.unwrap_err();
    assert!(error.contains("CertificateExpired"), "{error}");
}

#[tokio::test]
async fn tls_1_2_is_refused() {
    let server = Server::start(HandshakeLimits::default()).await;
    let agent = server.authority.client("tenant/acme/role/agent");
    let error = server.ask(&agent, &[&TLS12]).await.unwrap_err();
    assert!(error.contains("ProtocolVersion"), "{error}");
    assert!(server.ask(&agent, &[&TLS13]).await.is_ok());
}

#[tokio::test]
async fn silent_connections_do_not_keep_others_out() {
    let limits = HandshakeLimits {
        handshakes_max: 4,
        deadline: Duration::from_millis(200),
        connections_max: 8,
    };
    let server = Server::start(limits).await;
    let agent = server.authority.client("tenant/acme/role/agent");
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    // One place is left, so this one does not wait for the others' deadline;
    assert!(server.ask(&agent, &[&TLS13]).await.is_ok());
    for _ in 0..20 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    // and when none is left, deadlines make room, and their connections' places are free again.
    assert!(server.ask(&agent, &[&TLS13]).await.is_ok());
}

#[tokio::test]
async fn a_server_that_stops_ends_requests_that_never_would() {
    let server = Server::start(HandshakeLimits::default()).await;
    let agent = server.authority.client("tenant/acme/role/agent");
    let channel = server.authority.channel(server.address, &agent, &[&TLS13]);
    let ask = |path: &str| {
        channel
            .clone()
            .oneshot(Request::get(path).body(Body::empty()).unwrap())
    };
    ask("/whoami").await.unwrap();
    let endless = tokio::spawn(ask("/never"));
    // The request is on its way before the server is told to stop: they share a connection.
    ask("/whoami").await.unwrap();
    server.stop.cancel();
    server.served.await.unwrap();
    assert!(endless.await.unwrap().is_err());
}

#[tokio::test]
async fn a_new_authority_counts_at_once_and_ends_what_the_old_one_opened() {
    let mut server = Server::start(HandshakeLimits::default()).await;
    let (old, new) = (&server.authority, Authority::new());
    let agent = old.client("tenant/acme/role/agent");
    let open = old.channel(server.address, &agent, &[&TLS13]);
    let get = |path: &str| {
        open.clone()
            .oneshot(Request::get(path).body(Body::empty()).unwrap())
    };
    get("/whoami").await.unwrap();
    // Both authorities: nothing ends, and clients of the new one come in. The node shows its old certificate.
    server
        .node
        .write(server.folder.path(), &(Node::ca(old) + &Node::ca(&new)));
    assert_eq!(server.material.reload().unwrap(), Look::New);
    let endless = tokio::spawn(get("/never"));
    get("/whoami").await.unwrap();
    let other = new.client("tenant/acme/role/agent");
    assert!(ask(old.channel(server.address, &other, &[&TLS13])).await.is_ok());
    // The new one alone does not vouch for the old certificate, which all peers would refuse: nothing changes yet.
    server.node.write(server.folder.path(), &Node::ca(&new));
    let error = server.material.reload().unwrap_err();
    assert!(matches!(error, TlsError::NotVouchedFor(_)), "{error}");
    get("/whoami").await.unwrap();
    // With a certificate of its own: the connection that the old one opened is closed, and no other opens.
    server.node.issued = new.renew(&server.node, 4096);
    server.node.write(server.folder.path(), &Node::ca(&new));
    assert_eq!(server.material.reload().unwrap(), Look::New);
    assert!(endless.await.unwrap().is_err());
    assert!(ask(new.channel(server.address, &agent, &[&TLS13])).await.is_err());
    assert!(ask(new.channel(server.address, &other, &[&TLS13])).await.is_ok());
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_and_an_unusable_one_is_not() {
    let mut server = Server::start(HandshakeLimits::default()).await;
    let agent = server.authority.client("tenant/acme/role/agent");
    let ca = Node::ca(&server.authority);
    let write = |server: &Server| server.node.write(server.folder.path(), &ca);
    assert_eq!(server.material.reload().unwrap(), Look::Same);
    let node = &server.node;
    let wrong = [
        Node::new(&server.authority, 1).await.issued,
        Node::new(&server.authority, 2).await.issued,
        // The right node and key, and: over, not begun, somewhere else, of an authority that nobody trusts.
        server.authority.renew(node, 2000),
        server.authority.renew_as(node, node.site.as_str(), 4095..4096),
        server.authority.renew_as(node, "de/ber/ber1", 1975..4096),
        Authority::new().renew(node, 4096),
    ];
    let shown = server.node.issued.der.clone();
    for issued in wrong {
        server.node.issued = issued;
        write(&server);
        assert!(server.material.reload().is_err());
        assert_eq!(
            server.material.reload().unwrap(),
            Look::StillBad,
            "the same contents are told once"
        );
        assert!(server.ask(&agent, &[&TLS13]).await.is_ok());
        assert_eq!(server.authority.shown(server.address, &agent).await, shown);
    }
    server.node.issued = server.authority.renew(&server.node, 4096);
    write(&server);
    assert_eq!(server.material.reload().unwrap(), Look::New);
    assert!(server.ask(&agent, &[&TLS13]).await.is_ok());
    assert_eq!(
        server.authority.shown(server.address, &agent).await,
        server.node.issued.der
    );
}

#[tokio::test]
async fn a_node_does_not_start_with_another_ones_certificate() {
    let authority = Authority::new();
    let (node, other) = (Node::new(&authority, 1).await, Node::new(&authority, 1).await);
    let dir = tempfile::tempdir().unwrap();
    node.write(dir.path(), &Node::ca(&authority));
    assert!(TlsMaterial::load(&node.config(dir.path(), 1)).is_ok());
    let wrong_id = TlsMaterial::load(&node.config(dir.path(), 2)).unwrap_err();
    assert!(matches!(wrong_id, TlsError::OtherNode(id) if id == node.id));
    let wrong_key = TlsMaterial::load(&other.config(dir.path(), 1)).unwrap_err();
    assert!(matches!(wrong_key, TlsError::OtherKey));
    for issued in [
        authority.renew(&node, 2000),
        authority.renew_as(&node, node.site.as_str(), 4095..4096),
        Authority::new().renew(&node, 4096),
    ] {
        std::fs::write(dir.path().join("cert.pem"), issued.cert).unwrap();
        let error = TlsMaterial::load(&node.config(dir.path(), 1)).unwrap_err();
        assert!(matches!(error, TlsError::NotVouchedFor(_)), "{error}");
    }
    std::fs::write(dir.path().join("ca.pem"), "no pem").unwrap();
    let error = TlsMaterial::load(&node.config(dir.path(), 1)).unwrap_err();
    assert!(error.to_string().contains("ca.pem"), "{error}");
}

#[tokio::test]
async fn the_end_of_a_certificate_is_told_in_seconds() {
    let authority = Authority::new();
    let mut node = Node::new(&authority, 1).await;
    node.issued = authority.renew(&node, 2100);
    let material = node.material(&authority);
    // 2100-01-01T00:00:00Z.
    let end = SystemTime::UNIX_EPOCH + Duration::from_secs(4_102_444_800);
    assert_eq!(material.seconds_left(end - Duration::from_secs(90)), 90.0);
    assert_eq!(material.seconds_left(end + Duration::from_secs(5)), -5.0);
}
