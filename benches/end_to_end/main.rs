//! A whole cluster on this machine: three nodes with TLS, encryption, replication and fsync, and the client on the same
//! cores. Prints what a call costs, so that two runs of one machine can be compared; absolute times of different
//! machines cannot.
//!
//! Arguments name parts: `calls`, `fences`, `destruction`; without any all three are run. `EUNOE_BENCH_SECONDS` (default 5)
//! is the length of a case of the first, `EUNOE_BENCH_PEOPLE` and `EUNOE_BENCH_ERASURES` are the size of the last,
//! `EUNOE_BENCH_BIN` the directory of `eunoe` and `eunoed`
//! (default: the release builds beside this one).

mod cases;
mod cluster;
mod destruction;
mod fencing;
mod measure;

use std::error::Error;
use std::time::Duration;

use cases::Case;
use cluster::Cluster;
use eunoe_client::Client;
use eunoe_client::input;
use eunoe_client::types::ParticipantKind;
use measure::{Figures, Table};

/// Bytes of a message's text.
const VALUE_BYTES: usize = 512;
/// Conversations that the load is spread over.
const CONVERSATIONS: usize = 64;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Cargo adds arguments of its own.
    let named: Vec<String> = std::env::args()
        .skip(1)
        .filter(|part| !part.starts_with('-'))
        .collect();
    let is_asked = |part: &str| named.is_empty() || named.iter().any(|name| name == part);
    let cluster = Cluster::start()?;
    let client = Client::connect(cluster.context()?).await?;
    let conversations = conversations(&client).await?;
    if is_asked("calls") {
        calls(&cluster, &client, &conversations).await?;
    }
    if is_asked("fences") {
        fencing::run(&client, &conversations).await?;
    }
    if is_asked("destruction") {
        destruction::run(&cluster, &client, &conversations).await?;
    }
    Ok(())
}

/// A number that the environment may set.
fn setting(name: &str, default: usize) -> usize {
    let value = std::env::var(name).ok();
    value.and_then(|value| value.parse().ok()).unwrap_or(default)
}

async fn calls(cluster: &Cluster, client: &Client, conversations: &[String]) -> Result<(), Box<dyn Error>> {
    let length = Duration::from_secs(setting("EUNOE_BENCH_SECONDS", 5) as u64);
    let mut table = Table::default();
    for case in Case::ALL {
        let before = cluster.counters().await?;
        let load = case.run(client, conversations, length).await?;
        let spent = cluster.counters().await? - before;
        table.add(Figures::new(case.name(), load, spent));
    }
    table.print();
    Ok(())
}

async fn conversations(client: &Client) -> Result<Vec<String>, Box<dyn Error>> {
    let mut ids = Vec::with_capacity(CONVERSATIONS);
    for number in 0..CONVERSATIONS {
        let visitor = input::participant(ParticipantKind::Visitor, format!("visitor/{number}"));
        let request = input::support(format!("bench-{number}"), visitor, cases::PURPOSE);
        ids.push(client.create_conversation(request).await?.conversation.id);
    }
    Ok(ids)
}
