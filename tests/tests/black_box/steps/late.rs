//! E14: a message that was sealed before a fence and is stored after it.

use eunoe_client::types::ContentState;
use eunoe_client::{StreamOptions, input};
use eunoe_tests::cluster::instrumented::Fate;
use eunoe_tests::wait::until_true;
use rustix::process::Signal;

use super::Stage;
use crate::erasure::{MESSAGES, PURPOSE, TENANT, erase, reason, shown, subject, talk, visitor};

#[tokio::test(flavor = "multi_thread")]
async fn e14_a_message_sealed_before_a_fence_and_stored_after_it_is_erased_or_refused() {
    let stage = Stage::begin(false).await;
    let client = stage.cluster.client(TENANT).await;
    for way in ["unary", "stream"] {
        let (leader, others) = stage.roles().await;
        let (slow, witness) = (others[0], others[1]);
        let id = talk(&client, way).await;
        let process = stage.cluster.process(slow).clone();
        let (of_slow, of_witness) = (
            stage.cluster.client_of(slow, TENANT).await,
            stage.cluster.client_of(witness, TENANT).await,
        );
        // It has every key that it needs.
        assert_eq!(shown(&of_slow, &id).await.0.len() as u64, MESSAGES);
        let armed = stage.arm(slow, "append-sealed", Fate::Stop);
        let message = input::text_message(&id, visitor(way), PURPOSE, "sealed in time");
        let sending = tokio::spawn(async move {
            if way == "unary" {
                return of_slow.append(message).await;
            }
            let mut stream = of_slow.stream_append(StreamOptions::default());
            stream.send(message).await?.await
        });
        until_true("the message is sealed", async || {
            armed.is_reached() && process.is_stopped()
        })
        .await;
        erase(&of_witness, subject(way, false)).await;
        assert_eq!(shown(&of_witness, &id).await, (Vec::new(), MESSAGES));
        process.signal(Signal::CONT);
        let stored = match sending.await.unwrap() {
            Ok(ack) => {
                assert!(
                    ack.state() == ContentState::Erased,
                    "an ack says that it is readable"
                );
                1
            }
            Err(error) => {
                assert_eq!(reason(&error), "ERASED");
                0
            }
        };
        eprintln!("{way}: {stored} messages were stored after the fence");
        for node in [leader, slow, witness] {
            let of_node = stage.cluster.client_of(node, TENANT).await;
            assert_eq!(shown(&of_node, &id).await, (Vec::new(), MESSAGES + stored));
        }
    }
}
