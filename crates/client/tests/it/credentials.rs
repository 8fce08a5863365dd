//! Certificates and tokens: what a node gets to see of them, and what happens when their files change.

use std::fs;
use std::time::Duration;

use eunoe_client::{Client, Context, ErrorCode, Pem, StreamOptions, TailEvent, TailStart, Token, input};
use tempfile::TempDir;

use crate::support::{Authority, Cluster, message};

fn bytes(pem: Pem) -> Vec<u8> {
    match pem {
        Pem::Bytes(bytes) => bytes,
        Pem::Path(_) => panic!("the context names files"),
    }
}

/// Files of one caller.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn pem(&self, name: &str) -> Pem {
        Pem::Path(self.0.path().join(name))
    }

    /// Writes a fresh certificate with its key, and the authority.
    fn certify(&self, authority: &Authority) {
        let context = authority.context(&[]);
        let own = context.certificate.unwrap();
        self.write("ca", bytes(context.ca));
        self.write("cert", bytes(own.cert));
        self.write("key", bytes(own.key));
    }

    async fn client_with_certificate(&self, cluster: &Cluster) -> Client {
        let pem = |name| self.pem(name);
        let mut context = Context::new(
            cluster.endpoints.clone(),
            pem("ca"),
            pem("cert"),
            pem("key"),
            "acme",
        );
        context.timeouts.call = Duration::from_millis(500);
        Client::connect(context).await.unwrap()
    }

    async fn client_with_token(&self, cluster: &Cluster) -> Client {
        let token = Token::Path(self.0.path().join("token"));
        Client::connect(with_token(cluster, token)).await.unwrap()
    }
}

fn with_token(cluster: &Cluster, token: Token) -> Context {
    let ca = cluster.context().ca;
    Context::with_token(cluster.endpoints.clone(), ca, token, "acme")
}

fn bearer(token: &str) -> Option<String> {
    Some(format!("Bearer {token}"))
}

#[tokio::test]
async fn a_token_goes_with_every_call_and_stream_and_needs_no_certificate() {
    let cluster = Cluster::start(1).await;
    let token = Token::Text("a.b.c".to_owned());
    let client = Client::connect(with_token(&cluster, token)).await.unwrap();
    client.append(message("c", "one")).await.unwrap();
    let mut appender = client.stream_append(StreamOptions::default());
    let ack = appender.send(message("c", "two")).await.unwrap();
    ack.await.unwrap();
    let start = TailStart::AfterSeq(0);
    let mut tail = client.tail(input::by_ref("r"), "support", start).await.unwrap();
    assert!(matches!(tail.next().await, Some(Ok(TailEvent::Closed(_)))));
    let _unknown = client.erasures().watch("e").next().await;
    let callers = cluster.state.callers.lock().unwrap();
    assert!(callers.len() >= 4, "{}", callers.len());
    for caller in callers.iter() {
        assert_eq!(caller.authorization, bearer("a.b.c"));
        assert_eq!(caller.certificate, None);
    }
}

#[tokio::test]
async fn a_token_that_was_renewed_is_sent_instead_of_the_one_refused() {
    let (cluster, files) = (Cluster::start(1).await, Files::new());
    files.write("token", "one\n");
    let client = files.client_with_token(&cluster).await;
    cluster.state.tails.lock().unwrap().extend([vec![1], vec![2]]);
    let start = TailStart::AfterSeq(0);
    let mut tail = client.tail(input::by_ref("r"), "support", start).await.unwrap();
    assert!(matches!(tail.next().await, Some(Ok(TailEvent::Message(first))) if first.seq == 1));
    files.write("token", "two\n");
    *cluster.state.authorization.lock().unwrap() = bearer("two");
    // The tail breaks after its first message, and is opened again.
    assert!(matches!(tail.next().await, Some(Ok(TailEvent::Message(second))) if second.seq == 2));
    client.append(message("c", "one")).await.unwrap();
    // How often the old one was tried depends on when the file was read last.
    let mut authorizations = cluster.state.authorizations();
    authorizations.dedup();
    assert_eq!(authorizations, [bearer("one"), bearer("two")]);
}

#[tokio::test]
async fn a_token_that_was_refused_and_not_renewed_is_not_sent_again() {
    let (cluster, files) = (Cluster::start(2).await, Files::new());
    files.write("token", "one");
    let client = files.client_with_token(&cluster).await;
    *cluster.state.authorization.lock().unwrap() = bearer("two");
    // What cannot be used is no renewal.
    files.write("token", "");
    let error = client.append(message("c", "one")).await.err().unwrap();
    assert_eq!(
        (error.code, error.reason.as_ref()),
        (ErrorCode::Unauthenticated, "TOKEN_EXPIRED")
    );
    assert_eq!(cluster.state.authorizations(), [bearer("one")]);
}

/// Every call goes to the next node; the first call to a node connects, and that is when files are read at once.
#[tokio::test]
async fn new_connections_use_the_renewed_certificate_and_never_a_broken_one() {
    let (cluster, files) = (Cluster::start(4).await, Files::new());
    files.certify(&cluster.authority);
    let client = files.client_with_certificate(&cluster).await;
    let call = || async { client.append(message("c", "one")).await.unwrap() };
    call().await;
    files.certify(&cluster.authority);
    call().await;
    // The certificate of another key: a renewal that is half done.
    let other = cluster.authority.context(&[]).certificate.unwrap();
    files.write("cert", bytes(other.cert));
    call().await;
    // The node that was connected first, with the first certificate.
    call().await;
    let callers = cluster.state.callers.lock().unwrap();
    let shown: Vec<_> = callers.iter().map(|caller| caller.certificate.clone()).collect();
    assert_eq!(shown.len(), 4);
    assert!(shown.iter().all(Option::is_some));
    assert_ne!(shown[0], shown[1]);
    assert_eq!(shown[1], shown[2]);
    assert_eq!(shown[1], shown[3]);
}

#[tokio::test]
async fn nodes_are_no_longer_trusted_when_their_authority_was_replaced() {
    let (cluster, files) = (Cluster::start(2).await, Files::new());
    files.certify(&cluster.authority);
    let client = files.client_with_certificate(&cluster).await;
    files.write("ca", bytes(Authority::new().context(&[]).ca));
    let error = client.append(message("c", "one")).await.err().unwrap();
    assert_eq!(error.reason, "CONNECT_FAILED");
    files.write("ca", bytes(cluster.context().ca));
    client.append(message("c", "one")).await.unwrap();
}

#[tokio::test]
async fn a_token_that_cannot_be_sent_is_refused_without_showing_it() {
    let cluster = Cluster::start(1).await;
    for text in [
        " \n",
        "hidden\nhidden",
        "hidden hidden",
        "hiddén hidden",
        &"hidden".repeat(3_000),
    ] {
        let context = with_token(&cluster, Token::Text(text.to_owned()));
        assert!(!format!("{context:?}").contains("hidd"), "Debug shows the token");
        let error = Client::connect(context).await.err().unwrap();
        assert_eq!(error.reason, "BAD_CONTEXT");
        assert!(!error.to_string().contains("hidd"), "{error}");
    }
    let mut nobody = cluster.context();
    nobody.certificate = None;
    let error = Client::connect(nobody).await.err().unwrap();
    assert_eq!(error.reason, "BAD_CONTEXT");
}
