//! What people reach who are known by a token alone.

use eunoe_client::erasure_types::{Erasure, ErasureReason, RequestErasureRequest, Target};
use eunoe_client::types::{Participant, ParticipantKind};
use eunoe_client::{Client, ClientError, Context, ErrorCode, MessageQuery, Token, input};
use eunoe_tests::cluster::{Cluster, Setup, connect};

const TENANT: &str = "demo";
const PURPOSE: &str = "support";

fn visitor(name: &str) -> Participant {
    input::participant(ParticipantKind::Visitor, format!("visitor/{name}"))
}

/// A client without a certificate, and with a token of the cluster's issuer.
async fn person(cluster: &Cluster, role: &str, subject: &str) -> Client {
    let who = ["--tenant", TENANT, "--role", role, "--subject", subject];
    let printed = cluster.dev(&[["token"].as_slice(), &who].concat()).await;
    let token = Token::Text(printed["token"].as_str().unwrap().to_owned());
    let any = cluster.context("platform", TENANT, None);
    connect(Context::with_token(any.endpoints, any.ca, token, TENANT)).await
}

/// A conversation of a visitor with an agent, and one message in it; its id.
async fn talk(platform: &Client, name: &str, agent: &str) -> String {
    let mut request = input::support(name, visitor(name), PURPOSE);
    let agent = input::participant(ParticipantKind::Agent, agent);
    request.participants.push(agent);
    let created = platform.create_conversation(request).await.unwrap();
    let id = created.conversation.id;
    let message = input::text_message(&id, visitor(name), PURPOSE, "Guten Tag!");
    platform.append(message).await.unwrap();
    id
}

/// How many messages a reader gets of a conversation.
async fn read(client: &Client, id: &str) -> Result<usize, ClientError> {
    let mut pages = client.list_messages(MessageQuery::all(input::by_id(id), PURPOSE));
    let mut count = 0;
    while let Some(page) = pages.next_page().await? {
        count += page.messages.len();
    }
    Ok(count)
}

async fn erase(client: &Client, name: &str) -> Result<Erasure, ClientError> {
    let request = RequestErasureRequest {
        target: Some(Target::Subject(format!("visitor/{name}"))),
        reason: ErasureReason::SubjectRequest.into(),
        ..RequestErasureRequest::default()
    };
    let requested = client.erasures().request(request).await?;
    Ok(requested.erasure)
}

async fn one_node() -> Cluster {
    Cluster::start_with(Setup {
        nodes: 1,
        ..Setup::default()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_erases_itself_and_sees_that_erasure_only() {
    let cluster = one_node().await;
    let platform = cluster.client(TENANT).await;
    for name in ["anna", "bert", "carl"] {
        talk(&platform, name, "agent/tom").await;
    }
    let of_carl = erase(&platform, "carl").await.unwrap().id;
    let anna = person(&cluster, "subject", "visitor/anna").await;
    let bert = person(&cluster, "subject", "visitor/bert").await;

    let refused = erase(&bert, "anna").await.err().unwrap();
    assert_eq!(
        (refused.code, refused.reason.as_ref()),
        (ErrorCode::PermissionDenied, "SUBJECT")
    );
    let of_anna = erase(&anna, "anna").await.unwrap().id;

    let unlisted = anna.erasures().list(100).next_page().await.err().unwrap();
    assert_eq!(
        (unlisted.code, unlisted.reason.as_ref()),
        (ErrorCode::PermissionDenied, "ROLE")
    );
    assert_eq!(anna.erasures().get(&of_anna).await.unwrap().id, of_anna);
    // What is another's is as absent as what is not there.
    let nothing = anna.erasures().get(&"0".repeat(32)).await.err().unwrap();
    assert_eq!(nothing.code, ErrorCode::NotFound);
    for (client, id) in [(&bert, &of_anna), (&anna, &of_carl)] {
        assert_eq!(client.erasures().get(id).await.err().unwrap(), nothing);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_reads_where_he_takes_part_and_a_token_is_needed_for_that() {
    let cluster = one_node().await;
    let platform = cluster.client(TENANT).await;
    let with_tom = talk(&platform, "anna", "agent/tom").await;
    let with_ute = talk(&platform, "bert", "agent/ute").await;
    let tom = person(&cluster, "agent", "agent/tom").await;
    let anna = person(&cluster, "subject", "visitor/anna").await;
    let nothing = read(&tom, &"0".repeat(32)).await.unwrap_err();
    assert_eq!(nothing.code, ErrorCode::NotFound);
    for reader in [&tom, &anna] {
        assert_eq!(read(reader, &with_tom).await.unwrap(), 1);
        assert_eq!(read(reader, &with_ute).await.unwrap_err(), nothing);
    }
    let certificate = connect(cluster.context("agent", TENANT, None)).await;
    let refused = read(&certificate, &with_tom).await.unwrap_err();
    assert_eq!(
        (refused.code, refused.reason.as_ref()),
        (ErrorCode::PermissionDenied, "SUBJECT")
    );
}
