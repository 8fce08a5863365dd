//! What erasing many people costs, beside a load and without one, and how long it takes until their keys are destroyed.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use eunoe_client::erasure_types::{Erasure, ErasureReason, ErasureState, RequestErasureRequest, Target};
use eunoe_client::types::{ParticipantKind, Timestamp};
use eunoe_client::{Client, ClientError, input};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::cases::PURPOSE;
use crate::cluster::Cluster;
use crate::fencing::Load;
use crate::measure::percentile;
use crate::setting;

/// People whose keys fill the trees; `EUNOE_BENCH_PEOPLE` says otherwise.
const PEOPLE: usize = 2_000;
/// How many of them are erased, half of them beside a load; `EUNOE_BENCH_ERASURES` says otherwise.
const ERASURES: usize = 200;
/// Calls at once while people are made, and requests at once while they are erased.
const MAKING: usize = 64;
const ASKING: usize = 4;
/// A load without erasures, to compare with.
const COMPARED: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);
/// Erasures that are not destroyed after so long never will be.
const PATIENCE: Duration = Duration::from_secs(600);

/// Erases people, and prints what that cost.
#[expect(clippy::print_stdout, reason = "the table is what the program is for")]
pub(crate) async fn run(cluster: &Cluster, client: &Client, ids: &[String]) -> Result<(), Box<dyn Error>> {
    let (people, erasures) = (
        setting("EUNOE_BENCH_PEOPLE", PEOPLE),
        setting("EUNOE_BENCH_ERASURES", ERASURES),
    );
    let names: Arc<[String]> = (0..people).map(|number| format!("erased/{number}")).collect();
    make(client, &names).await?;
    eprintln!("{people} people are there");

    let (quiet, beside) = names.split_at(erasures.min(people) / 2);
    let beside = &beside[..quiet.len()];
    let (before, epoch) = (cluster.counters().await?, epoch(client).await?);
    let begun = Instant::now();
    let erased = erase(client, quiet).await?;
    let spent = cluster.counters().await? - before;
    let idle = idle(cluster, begun.elapsed()).await?;
    let cpu = spent.cpu.saturating_sub(idle.cpu).as_secs_f64() * 1e3 / quiet.len() as f64;
    println!("\n| people | erased | beside it | epochs | FENCED → DESTROYED p50 s | p99 s | slowest |");
    println!("|---|---|---|---|---|---|---|");
    let row = |beside: &str, erased: &[Duration], epochs: u64| {
        let at = |percent| percentile(erased, percent).as_secs_f64();
        let count = erased.len();
        println!(
            "| {people} | {count} | {beside} | {epochs} | {:.2} | {:.2} | {:.2} |",
            at(50),
            at(99),
            at(100)
        );
    };
    let after = self::epoch(client).await?;
    row("nothing", &erased, after - epoch);

    let load = Load::begin(client, ids);
    tokio::time::sleep(COMPARED).await;
    let alone = load.end().await?;
    let load = Load::begin(client, ids);
    let erased = erase(client, beside).await?;
    let with = load.end().await?;
    row("the load", &erased, self::epoch(client).await? - after);

    println!("\n| load | appends/s | slowest ack ms |\n|---|---|---|");
    for (name, load) in [("alone", alone), ("beside erasures", with)] {
        let slowest = load.slowest.as_secs_f64() * 1e3;
        println!("| {name} | {:.0} | {slowest:.0} |", load.per_second());
    }
    println!(
        "\nEach of the {} without a load: {cpu:.1} ms of CPU, {:.1} KB of log and {:.1} syncs, all nodes together.",
        quiet.len(),
        spent.written.saturating_sub(idle.written) as f64 / 1e3 / quiet.len() as f64,
        spent.syncs.saturating_sub(idle.syncs) as f64 / quiet.len() as f64,
    );
    Ok(())
}

/// What the cluster spends in the same time when nobody asks for anything.
async fn idle(cluster: &Cluster, length: Duration) -> Result<crate::cluster::Counters, Box<dyn Error>> {
    let before = cluster.counters().await?;
    tokio::time::sleep(length).await;
    Ok(cluster.counters().await? - before)
}

async fn epoch(client: &Client) -> Result<u64, ClientError> {
    Ok(client.cluster().status().await?.epoch)
}

/// A conversation with a message for each person.
async fn make(client: &Client, names: &[String]) -> Result<(), ClientError> {
    let made = stream::iter(names).map(async |name| {
        let person = input::participant(ParticipantKind::Visitor, name.clone());
        let request = input::support(name.clone(), person.clone(), PURPOSE);
        let id = client.create_conversation(request).await?.conversation.id;
        client
            .append(input::text_message(id, person, PURPOSE, "hello"))
            .await?;
        Ok(())
    });
    made.buffer_unordered(MAKING).try_collect().await
}

/// Erases people as soon as possible; how long each was fenced until its keys were destroyed, in order.
async fn erase(client: &Client, names: &[String]) -> Result<Vec<Duration>, Box<dyn Error>> {
    let asked = stream::iter(names).map(async |name| {
        let request = RequestErasureRequest {
            target: Some(Target::Subject(name.clone())),
            reason: ErasureReason::SubjectRequest.into(),
            urgent: true,
            ..RequestErasureRequest::default()
        };
        Ok::<_, ClientError>(client.erasures().request(request).await?.erasure.id)
    });
    let ids: Vec<String> = asked.buffer_unordered(ASKING).try_collect().await?;
    let begun = Instant::now();
    let mut times = Vec::with_capacity(ids.len());
    for id in ids {
        loop {
            let erasure = client.erasures().get(&id).await?;
            if erasure.state() == ErasureState::Destroyed {
                times.push(took(&erasure).ok_or("an erasure without times")?);
                break;
            }
            if begun.elapsed() > PATIENCE {
                return Err("an erasure was not destroyed".into());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    times.sort_unstable();
    Ok(times)
}

fn took(erasure: &Erasure) -> Option<Duration> {
    let at = |time: &Option<Timestamp>| {
        let time = time.as_ref()?;
        let seconds = u64::try_from(time.seconds).ok()?;
        Some(Duration::new(seconds, u32::try_from(time.nanos).ok()?))
    };
    at(&erasure.destroy_time)?.checked_sub(at(&erasure.fence_time)?)
}
