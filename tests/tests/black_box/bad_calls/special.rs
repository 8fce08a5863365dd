//! Bad calls that are more than one message and one answer.

use eunoe_client::input::support;
use eunoe_proto::chat::chat_service_client::ChatServiceClient;
use eunoe_proto::chat::{
    Ack, AppendMessageRequest, ListMessagesRequest, StreamAppendRequest, append_result, part,
};
use futures::StreamExt as _;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer as Authority, KeyPair};
use tonic::codegen::http::Uri;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::caller::{Http, Identity};
use super::chat;
use super::world::{World, authority, issue, message, visitor};
use super::{PURPOSE, TENANT};

/// Messages of the stream that is cancelled, and those whose acks are read before.
const STREAMED: u64 = 20;
const ACKED: usize = 10;

fn client(world: &World, node: usize) -> ChatServiceClient<Http> {
    let http = world.certified("platform").connect(&world.addresses[node]);
    ChatServiceClient::with_origin(http, Uri::from_static("https://localhost"))
}

/// A page token of one conversation, and a position that is behind the end of it.
pub(super) async fn foreign_tokens(world: &World) -> (String, String) {
    let mut client = client(world, 0);
    let first = ListMessagesRequest {
        page_size: 1,
        ..chat::page(&world.closed)
    };
    let token = client
        .list_messages(first)
        .await
        .unwrap()
        .into_inner()
        .next_page_token;
    let whole = client.list_messages(chat::page(&world.open)).await.unwrap();
    let position = whole.into_inner().position;
    assert!(!token.is_empty() && !position.is_empty());
    (token, position)
}

/// Certificates that end the handshake, and the alert of each; complaints about those that do not.
pub(super) async fn handshakes(world: &World) -> Vec<String> {
    let realm = &world.realm;
    let ours = authority(&world.tls());
    let good = format!("spiffe://{realm}/tenant/{TENANT}/role/platform");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let foreign = Authority::new(params, KeyPair::generate().unwrap());
    let of = |path: &str| issue(&ours, &format!("spiffe://{realm}/{path}"), 4096);
    let other_realm = format!("spiffe://{}/tenant/{TENANT}/role/platform", "f".repeat(32));
    let mut complaints = Vec::new();
    for (name, identity, alert) in [
        ("expired", issue(&ours, &good, 2000), "CertificateExpired"),
        ("of another authority", issue(&foreign, &good, 4096), "UnknownCA"),
        (
            "of another realm",
            issue(&ours, &other_realm, 4096),
            "AccessDenied",
        ),
        (
            "of no realm",
            issue(&ours, "https://eunoe.example.eu", 4096),
            "AccessDenied",
        ),
        ("of an unknown role", of("tenant/demo/role/root"), "AccessDenied"),
        (
            "of a tenant in capitals",
            of("tenant/DEMO/role/platform"),
            "AccessDenied",
        ),
        (
            "of a node",
            Identity::of_cluster(&world.tls(), "node-1"),
            "AccessDenied",
        ),
    ] {
        for address in &world.addresses {
            let mut caller = world.certified("platform");
            caller.identity = Some(identity.clone());
            match caller.handshake(address).await {
                Ok(()) => complaints.push(format!("a certificate {name} was accepted")),
                Err(error) if error.to_string().contains(alert) => {}
                Err(error) => complaints.push(format!("a certificate {name}: {error}, not {alert}")),
            }
        }
    }
    complaints.extend(
        (world.certified("platform").handshake(&world.addresses[0]).await)
            .err()
            .map(|error| format!("a good certificate: {error}")),
    );
    complaints
}

/// More than a tenant may send: refused, with the time to wait. The tenant has nothing, so that what passes is refused
/// as well.
pub(super) async fn over_quota(world: &World) {
    let client = client(world, 1);
    let call = AppendMessageRequest {
        tenant: "nobody".into(),
        message: Some(message(&world.open, "anna", 94)),
    };
    let calls = (0..1_000).map(|_| {
        let (mut client, call) = (client.clone(), call.clone());
        async move { client.append_message(call).await.map(|_| ()) }
    });
    let refused: Vec<Status> = futures::stream::iter(calls)
        .buffer_unordered(64)
        .map(|answer| answer.unwrap_err())
        .collect()
        .await;
    let (absent, over): (Vec<_>, Vec<_>) = refused.iter().partition(|status| status.code() == Code::NotFound);
    assert!(
        !absent.is_empty() && !over.is_empty(),
        "{} {}",
        absent.len(),
        over.len()
    );
    for status in over {
        let details = status.get_error_details();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        assert_eq!(details.error_info().unwrap().reason, "TENANT_QUOTA");
        assert!(details.retry_info().unwrap().retry_delay.is_some());
    }
}

/// What a cancelled stream has acknowledged is there once, and what it has not can be sent again under its request id.
pub(super) async fn a_cancelled_stream_leaves_what_it_acknowledged(world: &World) {
    let sdk = world.cluster.client(TENANT).await;
    let new = support("case/dora", visitor("dora"), PURPOSE);
    let id = sdk.create_conversation(new).await.unwrap().conversation.id;
    let requests = (1..=STREAMED).map(|number| StreamAppendRequest {
        tenant: TENANT.into(),
        message: Some(message(&id, "dora", number)),
    });
    // It does not end: the caller goes in the middle.
    let requests = futures::stream::iter(requests.collect::<Vec<_>>()).chain(futures::stream::pending());
    let answers = client(world, 2)
        .stream_append(requests)
        .await
        .unwrap()
        .into_inner();
    let acked: Vec<Ack> = answers
        .take(ACKED)
        .map(|answer| match answer.unwrap().result.unwrap().result.unwrap() {
            append_result::Result::Ack(ack) => ack,
            append_result::Result::Error(error) => panic!("{}", error.message),
        })
        .collect()
        .await;
    let seqs: Vec<u64> = acked.iter().map(|ack| ack.seq).collect();
    assert_eq!(seqs, (1..=ACKED as u64).collect::<Vec<_>>());

    let mut client = client(world, 0);
    for number in 1..=STREAMED {
        let again = AppendMessageRequest {
            tenant: TENANT.into(),
            message: Some(message(&id, "dora", number)),
        };
        let ack = client
            .append_message(again)
            .await
            .unwrap()
            .into_inner()
            .ack
            .unwrap();
        if let Some(before) = acked.get(number as usize - 1) {
            assert!(ack.replayed);
            assert_eq!((ack.seq, ack.message_id), (before.seq, before.message_id.clone()));
        }
    }
    let page = client.list_messages(chat::page(&id)).await.unwrap();
    let messages = page.into_inner().messages;
    let mut texts: Vec<String> = messages
        .into_iter()
        .map(|mut message| match message.parts.remove(0).content.unwrap() {
            part::Content::Text(text) => text,
            part::Content::Data(_) | part::Content::QuotedMessageId(_) => panic!("it was text"),
        })
        .collect();
    let mut sent: Vec<String> = (1..=STREAMED)
        .map(|number| format!("dora says {number}"))
        .collect();
    assert_eq!(texts[..ACKED], sent[..ACKED]);
    texts.sort_unstable();
    sent.sort_unstable();
    assert_eq!(texts, sent);
}
