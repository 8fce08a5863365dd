//! The loads.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use eunoe_client::types::{MessageInput, Order, ParticipantKind};
use eunoe_client::{Client, ClientError, MessageQuery, MessageStart, StreamOptions, input};
use tokio::task::JoinSet;

use crate::VALUE_BYTES;
use crate::measure::Load;

/// The purpose of everything here.
pub(crate) const PURPOSE: &str = "support";
const PAGE: i32 = 50;
const BATCH: usize = 256;

/// One load.
#[derive(Clone, Copy)]
pub(crate) enum Case {
    /// AppendMessage, so many at once.
    Unary(usize),
    /// StreamAppend in one conversation with so many unacknowledged.
    Stream(usize),
    /// StreamAppend, several streams, each with so many unacknowledged.
    Streams(usize, usize),
    /// AppendMessages, one call after another.
    Batch,
    /// ListMessages, a page of 50, so many at once.
    Page(usize),
}

type Latencies = Result<Vec<Duration>, ClientError>;

impl Case {
    pub(crate) const ALL: [Case; 9] = [
        Case::Unary(1),
        Case::Unary(64),
        Case::Unary(256),
        Case::Stream(1),
        Case::Stream(256),
        Case::Streams(8, 32),
        Case::Batch,
        Case::Page(1),
        Case::Page(64),
    ];

    pub(crate) fn name(self) -> String {
        match self {
            Case::Unary(at_once) => format!("AppendMessage, {at_once} in flight"),
            Case::Stream(window) => format!("StreamAppend, 1 conversation, {window} in flight"),
            Case::Streams(streams, window) => {
                format!("StreamAppend, {streams} streams, {window} in flight each")
            }
            Case::Batch => format!("AppendMessages of {BATCH}, 1 call in flight"),
            Case::Page(at_once) => format!("ListMessages, page of {PAGE}, {at_once} in flight"),
        }
    }

    pub(crate) async fn run(
        self,
        client: &Client,
        ids: &[String],
        length: Duration,
    ) -> Result<Load, Box<dyn Error>> {
        let next = Arc::new(AtomicU64::new(0));
        let end = Instant::now() + length;
        let begun = Instant::now();
        let mut tasks: JoinSet<Latencies> = JoinSet::new();
        let (workers, messages_per_call) = match self {
            Case::Unary(at_once) | Case::Page(at_once) => (at_once, 1),
            Case::Stream(_) => (1, 1),
            Case::Streams(streams, _) => (streams, 1),
            Case::Batch => (1, BATCH as u64),
        };
        for worker in 0..workers {
            let load = Worker {
                client: client.clone(),
                ids: ids.to_vec(),
                worker,
                next: Arc::clone(&next),
                end,
            };
            tasks.spawn(async move {
                match self {
                    Case::Unary(_) => load.unary().await,
                    Case::Stream(window) | Case::Streams(_, window) => load.stream(window).await,
                    Case::Batch => load.batch().await,
                    Case::Page(_) => load.page().await,
                }
            });
        }
        let mut latencies = Vec::new();
        while let Some(done) = tasks.join_next().await {
            latencies.extend(done??);
        }
        let done = latencies.len() as u64 * messages_per_call;
        Ok(Load {
            done,
            wall: begun.elapsed(),
            latencies,
        })
    }
}

struct Worker {
    client: Client,
    ids: Vec<String>,
    worker: usize,
    next: Arc<AtomicU64>,
    end: Instant,
}

impl Worker {
    fn message(&self, place: usize) -> MessageInput {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let place = place % self.ids.len();
        // Text of which no two are alike, of printable characters.
        let text: String = (0..VALUE_BYTES as u64)
            .map(|at| char::from(b'a' + ((number * 31 + at * at) % 26) as u8))
            .collect();
        let author = input::participant(ParticipantKind::Visitor, format!("visitor/{place}"));
        input::text_message(self.ids[place].clone(), author, PURPOSE, text)
    }

    fn place(&self) -> usize {
        usize::try_from(self.next.load(Ordering::Relaxed)).unwrap_or_default()
    }

    async fn unary(self) -> Latencies {
        let mut latencies = Vec::new();
        while Instant::now() < self.end {
            let message = self.message(self.place());
            let begun = Instant::now();
            self.client.append(message).await?;
            latencies.push(begun.elapsed());
        }
        Ok(latencies)
    }

    async fn stream(self, window: usize) -> Latencies {
        let mut stream = self.client.stream_append(StreamOptions {
            window,
            ..StreamOptions::default()
        });
        let (sender, mut acks) = tokio::sync::mpsc::channel::<(Instant, eunoe_client::PendingAck)>(window);
        let collected = tokio::spawn(async move {
            let mut latencies = Vec::new();
            while let Some((begun, ack)) = acks.recv().await {
                ack.await?;
                latencies.push(begun.elapsed());
            }
            Ok::<_, ClientError>(latencies)
        });
        while Instant::now() < self.end {
            let message = self.message(self.worker);
            let begun = Instant::now();
            let ack = stream.send(message).await?;
            if sender.send((begun, ack)).await.is_err() {
                break;
            }
        }
        drop(sender);
        stream.finish().await;
        collected.await.unwrap_or_else(|_| Ok(Vec::new()))
    }

    async fn batch(self) -> Latencies {
        let mut latencies = Vec::new();
        while Instant::now() < self.end {
            let messages = (0..BATCH).map(|place| self.message(place)).collect();
            let begun = Instant::now();
            for ack in self.client.append_many(messages).await {
                ack?;
            }
            latencies.push(begun.elapsed());
        }
        Ok(latencies)
    }

    async fn page(self) -> Latencies {
        let mut latencies = Vec::new();
        let mut place = self.worker;
        while Instant::now() < self.end {
            let query = MessageQuery {
                conversation: input::by_id(self.ids[place % self.ids.len()].clone()),
                purpose: PURPOSE.into(),
                order: Order::Backward,
                start: MessageStart::End,
                page_size: PAGE,
            };
            let begun = Instant::now();
            self.client.list_messages(query).next_page().await?;
            latencies.push(begun.elapsed());
            place += 1;
        }
        Ok(latencies)
    }
}
