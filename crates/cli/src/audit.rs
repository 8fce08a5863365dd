//! `eunoe audit …`: the transparency log and what a verifier may trust, as the cluster gives them. Nothing that it gives is
//! believed here; `eunoe verify` and the commands that watch the log check it.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use eunoe_client::Client;
use eunoe_evidence::{Policy, SignedCheckpoint, tiles_between};
use serde_json::json;

use crate::args::Global;
use crate::context::auditor_client;
use crate::failure::Failure;
use crate::files::{self, Access};
use crate::output;
use crate::watch::{self, ConvictArgs, MonitorArgs};

/// The commands.
#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    #[command(flatten)]
    Cluster(ClusterAuditCommand),
    /// Read a copy of the whole log for what cannot be true: erased keys that come back, destruction that is stated too
    /// early, forged words, a fork. Asks no server
    Monitor(MonitorArgs),
    /// Check a key or a root that has come to light against a log or a receipt that calls it destroyed. Asks no server
    Convict(ConvictArgs),
}

/// The commands that ask the cluster.
#[derive(Subcommand)]
pub(crate) enum ClusterAuditCommand {
    /// Get a checkpoint of the transparency log
    Checkpoint,
    /// Copy the transparency log into a folder, in the layout of C2SP tlog-tiles; what is there already stays
    Fetch {
        /// The folder
        folder: PathBuf,
    },
    /// Get the verification policy as the cluster says it; compare it with what another channel says
    Policy {
        /// Where to write it, in place of standard output
        #[arg(short, value_name = "FILE")]
        o: Option<PathBuf>,
    },
}

/// Does what was asked for.
pub(crate) async fn run(global: &Global, command: AuditCommand) -> Result<(), Failure> {
    let command = match command {
        AuditCommand::Monitor(args) => return watch::monitor(global, &args),
        AuditCommand::Convict(args) => return watch::convict(global, &args),
        AuditCommand::Cluster(command) => command,
    };
    let client = auditor_client(global).await?;
    match command {
        ClusterAuditCommand::Checkpoint => output::bytes(client.audit().checkpoint().await?.as_bytes()),
        ClusterAuditCommand::Fetch { folder } => fetch(global, &client, &folder).await,
        ClusterAuditCommand::Policy { o } => {
            let policy = client.audit().policy().await?;
            Policy::parse(policy.as_bytes())
                .map_err(|error| Failure::local(format!("the cluster's policy is none: {error}")))?;
            match o {
                Some(path) => files::write(&path, &policy, Access::Public),
                None => output::bytes(policy.as_bytes()),
            }
        }
    }
}

/// Tiles first and the checkpoint last, so that what a checkpoint in the folder commits to is there.
async fn fetch(global: &Global, client: &Client, folder: &Path) -> Result<(), Failure> {
    let checkpoint = client.audit().checkpoint().await?;
    let signed = SignedCheckpoint::parse(checkpoint.as_bytes())
        .map_err(|error| Failure::local(format!("the cluster's checkpoint is none: {error}")))?;
    let size = signed.checkpoint().size();
    let mut fetched = 0;
    for tile in tiles_between(0, size) {
        let path = folder.join(tile.to_string());
        if path.exists() {
            continue;
        }
        let content = client.audit().tile(&tile.to_string()).await?;
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| Failure::file("make the folder of", &path, &error))?;
        }
        files::write_bytes(&path, &content, Access::Public)?;
        fetched += 1;
    }
    files::write(&folder.join("checkpoint"), &checkpoint, Access::Public)?;
    let json = json!({"origin": signed.checkpoint().origin(), "size": size, "fetched": fetched});
    output::result(global.output, &json, || {
        format!("{size} entries are there, {fetched} files are new")
    })
}
