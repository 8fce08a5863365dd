//! A node outside the placement policy gets no byte, and gives none.

use std::io::ErrorKind;
use std::time::Duration;

use bytes::Bytes;
use eunoe_core::placement::{Policy, Site};
use eunoe_raft::TransportError;
use eunoe_server::peer::PeerCalls as _;
use eunoe_server::tls::{TlsError, TlsMaterial};
use futures::stream::StreamExt as _;
use rustls::pki_types::ServerName;
use rustls::version::TLS13;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::pair::Pair;
use crate::support::{Authority, Node};

const SOON: Duration = Duration::from_secs(30);
const INSIDE: &str = "de/fra/fra1";

/// Bytes that the server sends over TLS before the caller has said anything, until it closes or waits.
async fn greeting(pair: &Pair) -> Result<usize, ErrorKind> {
    let tcp = TcpStream::connect(pair.server.address).await.unwrap();
    let tls = pair.authority.tls(&pair.caller.issued, &[&TLS13]);
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = tls.connect(name, tcp).await.map_err(|error| error.kind())?;
    let mut bytes = [0; 512];
    let read = timeout(SOON, stream.read(&mut bytes)).await;
    read.expect("the server greets or closes")
        .map_err(|error| error.kind())
}

#[tokio::test]
async fn a_caller_outside_gets_no_byte() {
    for site in [
        "ch/zrh/zrh1",
        "gb/lon/lon1",
        "us/iad/iad1",
        "no/osl/osl1",
        "de/eu-central-2/az1",
    ] {
        // The directories name it with this site: only the policy is against it.
        let pair = Pair::at(Policy::Eu27, [INSIDE, site]).await;
        // rustls tells a refusal by the other side as invalid data.
        assert_eq!(greeting(&pair).await, Err(ErrorKind::InvalidData), "{site}");
        assert!(pair.client.ping(pair.server.id).await.is_err(), "{site}");
    }
    for (policy, site) in [
        (Policy::Eu27, "gp/bt/bt1"),
        (Policy::Eu27, "ax/mhq/mhq1"),
        (Policy::Eea, "no/osl/osl1"),
    ] {
        let pair = Pair::at(policy, [INSIDE, site]).await;
        assert!(greeting(&pair).await.is_ok_and(|bytes| bytes > 0), "{site}");
        assert!(pair.client.ping(pair.server.id).await.is_ok(), "{site}");
    }
}

#[tokio::test]
async fn a_server_outside_is_not_called() {
    let mut pair = Pair::at(Policy::Eea, ["no/osl/osl1", INSIDE]).await;
    assert!(pair.client.ping(pair.server.id).await.is_ok());
    pair.known.allow(Policy::Eu27);
    assert_eq!(
        pair.client.ping(pair.server.id).await,
        Err(TransportError::Refused)
    );
    // It is not even connected to: at an address that takes connections, none arrives.
    let listener = pair.caller.listener.take().unwrap().into_std().unwrap();
    let (id, mut entry) = pair.server.entry();
    entry.address = pair.caller.address.to_string();
    pair.known.replace([(id, entry)]);
    assert_eq!(pair.client.ping(id).await, Err(TransportError::Refused));
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_certificate_of_another_site_than_the_directorys_is_refused() {
    let pair = Pair::at(Policy::Eu27, [INSIDE, INSIDE]).await;
    let (id, mut entry) = pair.server.entry();
    entry.site = Site::parse("de/fra/fra2").unwrap();
    pair.known.replace([(id, entry)]);
    assert_eq!(pair.client.ping(id).await, Err(TransportError::Unreachable));

    pair.known.replace([pair.server.entry()]);
    let (caller, mut entry) = pair.caller.entry();
    entry.site = Site::parse("fr/par/par1").unwrap();
    pair.admitted.replace([(caller, entry)]);
    assert_eq!(greeting(&pair).await, Err(ErrorKind::InvalidData));
    assert!(pair.client.ping(id).await.is_err());
    pair.admitted.replace([pair.caller.entry()]);
    assert!(pair.client.ping(id).await.is_ok());
}

#[tokio::test]
async fn a_policy_that_comes_to_be_known_ends_what_is_open() {
    let pair = Pair::at(Policy::Eea, [INSIDE, "no/osl/osl1"]).await;
    let (sender, mut answers) = pair.append().await;
    sender.unbounded_send(Bytes::from_static(b"1")).unwrap();
    assert_eq!(answers.next().await, Some(Ok(Bytes::from_static(b"1"))));
    assert!(pair.client.ping(pair.server.id).await.is_ok());
    pair.admitted.allow(Policy::Eu27);
    let _ = sender.unbounded_send(Bytes::from_static(b"2"));
    assert!(!matches!(answers.next().await, Some(Ok(_))));
    assert_eq!(
        pair.client.ping(pair.server.id).await,
        Err(TransportError::Refused)
    );
}

#[tokio::test]
async fn a_node_does_not_start_with_a_certificate_of_another_site() {
    let authority = Authority::new();
    let mut node = Node::at(&authority, 1, INSIDE).await;
    let dir = tempfile::tempdir().unwrap();
    node.write(dir.path(), &Node::ca(&authority));
    assert!(TlsMaterial::load(&node.config(dir.path(), 1)).is_ok());
    node.site = Site::parse("fr/par/par1").unwrap();
    let error = TlsMaterial::load(&node.config(dir.path(), 1)).unwrap_err();
    assert!(matches!(error, TlsError::OtherSite(site) if site.as_str() == INSIDE));
}
