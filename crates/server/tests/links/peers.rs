//! Nodes talk to nodes.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use eunoe_crypto::SecretBytes;
use eunoe_raft::{Channel, PeerTransport as _, TransportError};
use eunoe_server::peer::{
    ChangeOutcome, GivenRoot, GrantError, GroupChange, PeerCalls as _, ProposeOutcome, RefusedGrant, RootPart,
};
use eunoe_types::{BootId, ConversationId, GroupId, NodeId};
use futures::stream::{self, StreamExt as _};

use crate::pair::{Pair, SLOT, SOON, state};

#[tokio::test]
async fn a_proposal_gets_its_outcome() {
    let pair = Pair::new().await;
    assert_eq!(
        pair.propose(b"x").await,
        ProposeOutcome::Reply(Bytes::from_static(&[2, 4, b'x']))
    );
    assert_eq!(
        pair.propose(b"l").await,
        ProposeOutcome::NotLeader(Some(NodeId(3)))
    );
    assert_eq!(pair.propose(b"n").await, ProposeOutcome::NotLeader(None));
    assert_eq!(pair.propose(b"o").await, ProposeOutcome::Overloaded);
    assert_eq!(pair.propose(b"u").await, ProposeOutcome::Unknown);
}

#[tokio::test]
async fn a_proposal_without_an_answer_is_unknown_once_it_may_have_been_sent() {
    let pair = Pair::new().await;
    let (to, command) = (pair.server.id, Bytes::from_static(b"w"));
    let late = pair
        .client
        .propose(to, GroupId(1), command.clone(), Duration::from_millis(100));
    assert_eq!(late.await, ProposeOutcome::Unknown);
    let nobody = pair.client.propose(NodeId(8), GroupId(1), command.clone(), SOON);
    assert_eq!(nobody.await, ProposeOutcome::Unreachable);
    // Node 2 listens for nobody: its socket is closed here.
    let (id, mut entry) = pair.caller.entry();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    entry.address = closed.local_addr().unwrap().to_string();
    drop(closed);
    pair.known.replace([(id, entry)]);
    let deaf = pair.client.propose(id, GroupId(1), command, SOON);
    assert_eq!(deaf.await, ProposeOutcome::Unreachable);
}

#[tokio::test]
async fn changes_and_their_outcomes_cross_the_link() {
    let pair = Pair::new().await;
    let node = eunoe_raft::Node {
        address: "there:1".to_owned(),
        spki_sha256: [4; 32],
    };
    let changes = [
        GroupChange::AddLearner { id: NodeId(4), node },
        GroupChange::Promote(NodeId(4)),
        GroupChange::TransferLeader(NodeId(4)),
        GroupChange::Remove(NodeId(4)),
        GroupChange::Remove(NodeId(5)),
    ];
    let mut outcomes = Vec::new();
    for (group, change) in (0..).zip(&changes) {
        let outcome = pair
            .client
            .change_group(pair.server.id, GroupId(group), change.clone(), SOON);
        outcomes.push(outcome.await);
    }
    let expected = [
        ChangeOutcome::Done,
        ChangeOutcome::NotLeader(Some(NodeId(3))),
        ChangeOutcome::NotLeader(None),
        ChangeOutcome::Refused,
        ChangeOutcome::Unknown,
    ];
    assert_eq!(outcomes, expected);
    let seen = pair.handler.changes.lock().unwrap().clone();
    assert_eq!(
        seen,
        changes
            .map(|change| (pair.caller.id, change))
            .into_iter()
            .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_part_of_a_root_is_released_or_refused_with_the_reason() {
    let pair = Pair::new().await;
    let ask_for = async |part, node, boot: u8| {
        let boot = BootId([boot; 16]);
        pair.client.release_root(node, part, SLOT, boot, SOON).await
    };
    let ask = async |node, boot| ask_for(RootPart::Share, node, boot).await;
    assert_eq!(ask(pair.server.id, 0).await.unwrap().expose(), [7; 69]);
    let whole = ask_for(RootPart::Whole, pair.server.id, 0).await.unwrap();
    assert_eq!(whole.expose(), [7; 34]);
    for (first, refused) in [
        (1, RefusedGrant::Sealed),
        (2, RefusedGrant::NotAdmitted),
        (3, RefusedGrant::NotRecorded),
    ] {
        let error = ask(pair.server.id, first).await.unwrap_err();
        assert_eq!(error, GrantError::Refused(refused));
    }
    let nobody = ask(NodeId(8), 0).await.unwrap_err();
    assert_eq!(nobody, GrantError::Transport(TransportError::Refused));
}

#[tokio::test]
async fn roots_leases_and_positions_cross_the_link() {
    let pair = Pair::new().await;
    let (to, client) = (pair.server.id, &pair.client);
    let given = |root: Option<Vec<u8>>, share: Option<Vec<u8>>| GivenRoot {
        slot: SLOT,
        root: root.map(SecretBytes::new),
        share: share.map(SecretBytes::new),
    };
    let both = given(Some(vec![7; 34]), Some(vec![8; 69]));
    assert!(client.install_root(to, both).await.is_ok());
    // The first share of a realm comes without its root.
    assert!(
        client
            .install_root(to, given(None, Some(vec![9; 69])))
            .await
            .is_ok()
    );
    // A refusal is no answer that a share is kept.
    assert!(
        client
            .install_root(to, given(Some(vec![7; 34]), None))
            .await
            .is_err()
    );
    let lease = client.renew_lease(to, SOON).await.expect("it is granted");
    assert_eq!((lease.ttl_ms, lease.control_index), (5_000, 77));
    assert!(client.await_applied(to, 77, SOON).await.is_ok());
    assert!(client.await_applied(to, 78, SOON).await.is_err());
}

#[tokio::test]
async fn a_node_retires_or_did_not_say_so() {
    let pair = Pair::new().await;
    let (client, to) = (&pair.client, pair.server.id);
    assert!(client.retire(to).await.is_err());
    assert_eq!(client.retire(to).await, Ok(()));
}

#[tokio::test]
async fn typing_pings_and_drains_arrive() {
    let pair = Pair::new().await;
    let conversation = ConversationId([3; 16]);
    let relayed = pair
        .client
        .relay_typing(pair.server.id, conversation, 6, true)
        .await;
    assert_eq!(relayed, Ok(()));
    assert_eq!(*pair.handler.typing.lock().unwrap(), [(6, true)]);
    assert_eq!(pair.client.ping(pair.server.id).await, Ok(state()));
    assert_eq!(pair.client.drain(pair.server.id).await, Ok(vec![GroupId(2)]));
}

#[tokio::test]
async fn raft_calls_are_answered_or_refused() {
    let pair = Pair::new().await;
    assert_eq!(pair.call(1).await, Ok(Bytes::from_static(b"\x02vote")));
    assert_eq!(pair.call(9).await, Err(TransportError::Refused));
}

#[tokio::test]
async fn an_append_stream_opens_idle_and_answers_in_order() {
    let pair = Pair::new().await;
    let (sender, mut answers) = pair.append().await;
    let big = Bytes::from(vec![5; 1 << 20]);
    for number in 0..64u8 {
        sender.unbounded_send(Bytes::from(vec![number])).unwrap();
        sender.unbounded_send(big.clone()).unwrap();
    }
    for number in 0..64u8 {
        assert_eq!(answers.next().await.unwrap().unwrap(), [number][..]);
        assert!(answers.next().await.unwrap().unwrap() == big);
    }
    drop(sender);
    assert!(answers.next().await.is_none());
}

#[tokio::test]
async fn an_append_stream_to_a_group_that_is_not_there_is_refused() {
    let pair = Pair::new().await;
    let requests = stream::iter([Bytes::from_static(b"x")]).boxed();
    let target = pair.target(Channel::Append);
    let opened = pair
        .transport
        .open_append_stream(target, GroupId(9), requests, SOON);
    let mut answers = opened.await.unwrap();
    assert_eq!(answers.next().await, Some(Err(TransportError::Refused)));
}

#[tokio::test]
async fn a_snapshot_arrives_whole_or_as_a_failure() {
    let pair = Pair::new().await;
    let send = |chunks: Vec<io::Result<Bytes>>| {
        let chunks = stream::iter(chunks).boxed();
        let (target, header) = (pair.target(Channel::Bulk), Bytes::from_static(b"h"));
        pair.transport
            .send_snapshot(target, GroupId(1), header, chunks, SOON)
    };
    let whole = vec![Ok(Bytes::from_static(b"1")), Ok(Bytes::from_static(b"2"))];
    assert_eq!(send(whole).await, Ok(Bytes::from_static(b"h12")));
    let torn = vec![
        Ok(Bytes::from_static(b"1")),
        Err(io::ErrorKind::UnexpectedEof.into()),
    ];
    assert_eq!(send(torn).await, Err(TransportError::Broken));
    let whole = vec![Ok(Bytes::from_static(b"3"))];
    assert_eq!(send(whole).await, Ok(Bytes::from_static(b"h3")));
    let ends = pair.echo.snapshots.lock().unwrap().clone();
    let torn = Err(io::ErrorKind::UnexpectedEof);
    assert_eq!(ends, [Ok(b"h12".to_vec()), torn, Ok(b"h3".to_vec())]);
}

#[tokio::test]
async fn a_snapshot_that_is_given_up_under_way_does_not_look_whole() {
    let pair = Pair::new().await;
    let chunks = stream::iter([Ok(Bytes::from_static(b"1"))]).chain(stream::pending());
    let (target, header) = (pair.target(Channel::Bulk), Bytes::from_static(b"h"));
    let late = Duration::from_millis(200);
    let sent = pair
        .transport
        .send_snapshot(target, GroupId(1), header, chunks.boxed(), late);
    assert_eq!(sent.await, Err(TransportError::Timeout));
    let end = loop {
        let ended = pair.echo.snapshots.lock().unwrap().pop();
        match ended {
            Some(end) => break end,
            None => tokio::task::yield_now().await,
        }
    };
    assert_eq!(end, Err(io::ErrorKind::UnexpectedEof));
}

#[tokio::test]
async fn a_caller_with_another_key_is_refused() {
    let pair = Pair::new().await;
    let (id, mut entry) = pair.caller.entry();
    entry.spki_sha256 = [0; 32];
    pair.admitted.replace([pair.server.entry(), (id, entry)]);
    // The handshake fails after the caller thinks that it is done, so the error may come from either.
    assert!(pair.client.ping(pair.server.id).await.is_err());
    assert!(pair.call(1).await.is_err());
    pair.admitted.replace([pair.server.entry(), pair.caller.entry()]);
    assert!(pair.client.ping(pair.server.id).await.is_ok());
}

#[tokio::test]
async fn a_server_with_another_key_gets_nothing() {
    let pair = Pair::new().await;
    let (id, mut entry) = pair.server.entry();
    entry.spki_sha256 = [0; 32];
    pair.known.replace([(id, entry)]);
    assert_eq!(pair.client.ping(id).await, Err(TransportError::Unreachable));
    assert_eq!(pair.propose(b"x").await, ProposeOutcome::Unreachable);
    // Raft's membership names another key than the directory: not called at all.
    assert_eq!(pair.call(1).await, Err(TransportError::Refused));
}

#[tokio::test]
async fn a_node_under_another_nodes_address_gets_nothing() {
    let pair = Pair::new().await;
    let (_, entry) = pair.server.entry();
    pair.known.replace([(NodeId(3), entry)]);
    assert_eq!(
        pair.client.ping(NodeId(3)).await,
        Err(TransportError::Unreachable)
    );
}

#[tokio::test]
async fn a_removed_node_is_refused_on_its_open_connection() {
    let pair = Pair::new().await;
    let (sender, mut answers) = pair.append().await;
    sender.unbounded_send(Bytes::from_static(b"1")).unwrap();
    assert_eq!(answers.next().await, Some(Ok(Bytes::from_static(b"1"))));
    assert!(pair.client.ping(pair.server.id).await.is_ok());
    pair.admitted.replace([pair.server.entry()]);
    assert_eq!(
        pair.client.ping(pair.server.id).await,
        Err(TransportError::Refused)
    );
    assert_eq!(pair.propose(b"x").await, ProposeOutcome::Unreachable);
    // The stream that was open ends as well, without an answer to what comes now.
    let _ = sender.unbounded_send(Bytes::from_static(b"2"));
    assert!(!matches!(answers.next().await, Some(Ok(_))));
}

#[tokio::test]
async fn a_stream_to_a_removed_node_ends() {
    let pair = Pair::new().await;
    let (_sender, mut answers) = pair.append().await;
    pair.known.replace([pair.caller.entry()]);
    assert_eq!(answers.next().await, Some(Err(TransportError::Refused)));
    assert!(answers.next().await.is_none());
}
