//! `eunoe dev`: a whole cluster of real `eunoed` processes on this machine, with throw-away certificates. Linux only.

mod authority;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod grow;
mod health;
mod issuer;
mod layout;
mod node_config;
mod ports;
mod processes;
mod published;
mod run;
mod spawn;
mod start_node;
mod stop;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::args::{Global, seconds};
use crate::failure::Failure;
use layout::Wanted;

/// Nodes of a new cluster.
const NODES_DEFAULT: u64 = 3;

/// `eunoe dev`
#[derive(Args)]
pub(crate) struct DevArgs {
    /// Where certificates, configurations and data are; kept between runs
    #[arg(long, global = true, default_value = ".eunoe")]
    dir: PathBuf,
    /// Seconds that the nodes have until they serve
    #[arg(long, global = true, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    timeout: Duration,
    /// Nodes of a new cluster [default: 3]; an existing one keeps its number
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=7))]
    nodes: Option<u64>,
    /// Where a node of a new cluster stands, as <country>/<place>/<facility>; once for each node, or never
    #[arg(long, value_name = "SITE")]
    site: Vec<String>,
    /// Where nodes of a new cluster may stand [default: EU27]
    #[arg(long, value_parser = ["EU27", "EEA"])]
    policy: Option<String>,
    /// Seconds from one epoch to the next, at which erased keys are destroyed [default: 60]; kept between runs
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    epoch_period: Option<u32>,
    /// Seconds that a node may use keys without hearing from the others [default: 30]; kept between runs
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(5..=900))]
    lease: Option<u32>,
    /// Return once the nodes serve, and leave them running
    #[arg(long)]
    detach: bool,
    #[command(subcommand)]
    command: Option<DevCommand>,
}

/// `eunoe dev …`
#[derive(Subcommand)]
enum DevCommand {
    /// Stop the nodes; their data stays
    Stop,
    /// Start nodes that ended, on the data that they have
    StartNode {
        /// Which nodes
        #[arg(required = true)]
        ids: Vec<u64>,
        /// Return without waiting until they serve (a majority may still be missing)
        #[arg(long)]
        no_wait: bool,
    },
    /// Print a token for a caller: --tenant, --role, and --subject for a person
    Token(issuer::TokenArgs),
    /// Start a node with a new id, add it to the cluster and make it a voter
    AddNode {
        /// Where it stands, as <country>/<place>/<facility>
        #[arg(long, value_name = "SITE")]
        site: Option<String>,
    },
}

/// Does what was asked.
pub(crate) async fn run(global: &Global, arguments: DevArgs) -> Result<(), Failure> {
    let DevArgs {
        dir,
        timeout,
        nodes,
        site: sites,
        policy,
        epoch_period,
        lease,
        detach,
        command,
    } = arguments;
    let wanted = Wanted {
        nodes,
        sites,
        policy,
        epoch_period_s: epoch_period,
        lease_s: lease,
    };
    if command.is_some() && (wanted != Wanted::default() || detach) {
        return Err(Failure::usage(
            "--nodes, --site, --policy, --epoch-period, --lease and --detach before a command belong to \
             `eunoe dev` alone",
        ));
    }
    match command {
        None => run::run(global.output, &dir, &wanted, detach, timeout).await,
        Some(DevCommand::Stop) => stop::run(global.output, &dir).await,
        Some(DevCommand::StartNode { ids, no_wait }) => {
            let patience = (!no_wait).then_some(timeout);
            start_node::run(global.output, &dir, &ids, patience).await
        }
        Some(DevCommand::Token(token)) => issuer::run(global, &dir, &token),
        Some(DevCommand::AddNode { site }) => grow::run(global.output, &dir, site, timeout).await,
    }
}
