//! How long it takes until a person is FENCED on every node: alone and beside a load, with few messages and with many.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use eunoe_client::erasure_types::{ErasureReason, RequestErasureRequest, Target};
use eunoe_client::types::{MessageInput, ParticipantKind};
use eunoe_client::{Client, ClientError, StreamOptions, input};
use tokio::task::JoinHandle;

use crate::cases::PURPOSE;
use crate::measure::percentile;

/// The load: 10,000 appends a second over all its streams, as far as the machine can.
const LOAD_STREAMS: usize = 8;
const PER_STEP: usize = 25;
const STEP: Duration = Duration::from_millis(20);
/// People of one row, and the messages that each of them has.
const FEW: (usize, u64) = (200, 10);
const MANY: (usize, u64) = (3, 100_000);
/// Unacknowledged messages of one stream.
const WINDOW: usize = 256;

/// One row of the table.
struct Row {
    load: f64,
    messages: u64,
    latencies: Vec<Duration>,
}

/// Runs all rows and prints them.
pub(crate) async fn run(client: &Client, ids: &[String]) -> Result<(), Box<dyn Error>> {
    let mut rows = Vec::new();
    for (name, has_load) in [("alone", false), ("beside", true)] {
        for (people, messages) in [FEW, MANY] {
            let subjects = prepare(client, &format!("{name}-{messages}"), people, messages).await?;
            let load = has_load.then(|| Load::begin(client, ids));
            let mut latencies = Vec::new();
            for subject in subjects {
                let request = RequestErasureRequest {
                    target: Some(Target::Subject(subject)),
                    reason: ErasureReason::SubjectRequest.into(),
                    ..RequestErasureRequest::default()
                };
                let asked = Instant::now();
                client.erasures().request(request).await?;
                latencies.push(asked.elapsed());
                // A person at a time: what is measured is a fence, not a queue of them.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let appended = match load {
                Some(load) => load.end().await?.per_second(),
                None => 0.0,
            };
            rows.push(Row {
                load: appended,
                messages,
                latencies,
            });
            eprintln!("fences of {people} people with {messages} messages {name} done");
        }
    }
    print(rows);
    Ok(())
}

/// People with a conversation each; their names.
async fn prepare(
    client: &Client,
    name: &str,
    people: usize,
    messages: u64,
) -> Result<Vec<String>, Box<dyn Error>> {
    let mut stream = client.stream_append(StreamOptions {
        window: WINDOW,
        ..StreamOptions::default()
    });
    let mut subjects = Vec::with_capacity(people);
    for number in 0..people {
        let subject = format!("{name}/{number}");
        let person = input::participant(ParticipantKind::Visitor, subject.clone());
        let request = input::support(subject.clone(), person.clone(), PURPOSE);
        let id = client.create_conversation(request).await?.conversation.id;
        let mut last = None;
        for _ in 0..messages {
            let message = input::text_message(
                id.clone(),
                person.clone(),
                PURPOSE,
                "a message of some fifty bytes, as people write",
            );
            last = Some(stream.send(message).await?);
        }
        // The last ack stands for all before it: a refused one refuses what follows.
        if let Some(last) = last {
            last.await?;
        }
        subjects.push(subject);
    }
    stream.finish().await;
    Ok(subjects)
}

/// Appends in the background at a steady rate, as far as the machine can.
pub(crate) struct Load {
    begun: Instant,
    ended: Arc<AtomicBool>,
    acks: Arc<Acks>,
    streams: Vec<JoinHandle<Result<(), ClientError>>>,
}

#[derive(Default)]
struct Acks {
    count: AtomicU64,
    slowest_us: AtomicU64,
}

/// What became of a load.
pub(crate) struct Appended {
    count: u64,
    within: Duration,
    /// The longest that an append waited for its ack.
    pub(crate) slowest: Duration,
}

impl Appended {
    pub(crate) fn per_second(&self) -> f64 {
        self.count as f64 / self.within.as_secs_f64()
    }
}

impl Load {
    pub(crate) fn begin(client: &Client, ids: &[String]) -> Self {
        let (ended, acks) = (Arc::new(AtomicBool::new(false)), Arc::new(Acks::default()));
        let streams = (0..LOAD_STREAMS).map(|place| {
            let author = input::participant(ParticipantKind::Visitor, format!("visitor/{place}"));
            let message = input::text_message(
                ids[place].clone(),
                author,
                PURPOSE,
                "x".repeat(crate::VALUE_BYTES),
            );
            tokio::spawn(write(
                client.clone(),
                message,
                Arc::clone(&ended),
                Arc::clone(&acks),
            ))
        });
        Self {
            begun: Instant::now(),
            streams: streams.collect(),
            ended,
            acks,
        }
    }

    pub(crate) async fn end(self) -> Result<Appended, Box<dyn Error>> {
        let (count, within) = (self.acks.count.load(Ordering::Relaxed), self.begun.elapsed());
        self.ended.store(true, Ordering::Relaxed);
        for stream in self.streams {
            stream.await??;
        }
        let slowest = Duration::from_micros(self.acks.slowest_us.load(Ordering::Relaxed));
        Ok(Appended {
            count,
            within,
            slowest,
        })
    }
}

async fn write(
    client: Client,
    message: MessageInput,
    ended: Arc<AtomicBool>,
    acks: Arc<Acks>,
) -> Result<(), ClientError> {
    let mut stream = client.stream_append(StreamOptions {
        window: WINDOW,
        ..StreamOptions::default()
    });
    let mut step = tokio::time::interval(STEP);
    while !ended.load(Ordering::Relaxed) {
        step.tick().await;
        for _ in 0..PER_STEP {
            // A stream that takes no more messages stalls as well.
            let (asked, acks) = (Instant::now(), Arc::clone(&acks));
            let ack = stream.send(message.clone()).await?;
            tokio::spawn(async move {
                if ack.await.is_ok() {
                    let waited = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
                    acks.count.fetch_add(1, Ordering::Relaxed);
                    acks.slowest_us.fetch_max(waited, Ordering::Relaxed);
                }
            });
        }
    }
    stream.finish().await;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the table is what the program is for")]
fn print(rows: Vec<Row>) {
    println!(
        "\n| appends/s beside it | messages of the person | people | FENCED p50 ms | p99 ms | × first |"
    );
    println!("|---|---|---|---|---|---|");
    let mut first = None;
    for mut row in rows {
        row.latencies.sort_unstable();
        let at = |percent| percentile(&row.latencies, percent).as_secs_f64() * 1e3;
        let first = *first.get_or_insert(at(50));
        println!(
            "| {:.0} | {} | {} | {:.2} | {:.2} | {:.1} |",
            row.load,
            row.messages,
            row.latencies.len(),
            at(50),
            at(99),
            at(50) / first
        );
    }
}
