//! `eunoe witness`: a witness that anyone can run. It needs no cluster and trusts none: it cosigns what continues what it
//! cosigned before, and keeps what shows that a log forked.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use eunoe_evidence::{KeyName, VerifierKey};
use eunoe_witness::{Fork, Keeper, serve};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::Global;
use crate::failure::Failure;
use crate::output;

/// `eunoe witness`
#[derive(Args)]
pub(crate) struct WitnessArgs {
    /// Folder with the witness's key and what it cosigned last; made if it is not there. Never put it back from a copy
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Name of the witness in its key, such as a domain and a path; for good
    #[arg(long, value_parser = KeyName::new)]
    name: KeyName,
    /// Address and port of its plain HTTP
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7480")]
    listen: SocketAddr,
    /// Verifier key of a log that it witnesses; may be repeated, also for a log that changes its key
    #[arg(long, value_name = "VKEY", required = true)]
    log: Vec<VerifierKey>,
}

/// Serves until it is told to end.
pub(crate) async fn run(global: &Global, arguments: WitnessArgs) -> Result<(), Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure::io("listen to signals", &error));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let keeper = Keeper::open(&arguments.dir, arguments.name, arguments.log)
        .map_err(|error| Failure::io("be a witness", &error))?;
    let cannot_listen = |error| Failure::io(&format!("listen on {}", arguments.listen), &error);
    let listener = TcpListener::bind(arguments.listen).await.map_err(cannot_listen)?;
    let address = listener.local_addr().map_err(cannot_listen)?;
    let key = keeper.verifier().to_string();
    output::result(global.output, &json!({"key": key, "listen": address}), || {
        format!("{key}\nlistens on http://{address}")
    })?;
    serve(listener, keeper, tell, shutdown)
        .await
        .map_err(|error| Failure::io("be a witness any longer", &error))
}

/// Both trees as the log signed them: they convict it, and nobody else may have them.
fn tell(fork: &Fork) {
    let log = fork.cosigned.checkpoint();
    output::note(&format!(
        "{} FORKED: it signed two trees of {} leaves. Keep both.\nThis was cosigned:\n{}and this was shown:\n{}",
        log.origin(),
        log.size(),
        fork.cosigned,
        fork.shown
    ));
}
