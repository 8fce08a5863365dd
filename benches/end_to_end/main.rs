//! A whole cluster on this machine: three nodes with TLS, encryption, replication and fsync, and the client on the same
//! cores. Prints what a call costs, so that two runs of one machine can be compared; absolute times of different
//! machines cannot.
//!
//! `EUNOE_BENCH_SECONDS` (default 5) is the length of a case, `EUNOE_BENCH_BIN` the directory of `eunoe` and `eunoed`
//! (default: the release builds beside this one).

mod cases;
mod cluster;
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
    let seconds = std::env::var("EUNOE_BENCH_SECONDS")
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(5);
    let cluster = Cluster::start()?;
    let client = Client::connect(cluster.context()?).await?;
    let conversations = conversations(&client).await?;
    let mut table = Table::default();
    for case in Case::ALL {
        let before = cluster.counters().await?;
        let load = case
            .run(&client, &conversations, Duration::from_secs(seconds))
            .await?;
        let spent = cluster.counters().await? - before;
        table.add(Figures::new(case.name(), load, spent));
    }
    table.print();
    fencing::run(&client, &conversations).await
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
