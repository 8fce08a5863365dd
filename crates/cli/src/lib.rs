//! `eunoe`: conversations, imports, erasures, the cluster's members, evidence, a witness and a local cluster for development.
//!
//! The library is the whole program; it exists so that fuzzers can reach what reads files.
#![forbid(unsafe_code)]

mod args;
mod audit;
mod chat;
mod cluster;
mod context;
mod dev;
mod encoding;
mod erasure;
mod failure;
mod files;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod import;
mod json;
mod output;
mod verify;
mod watch;
mod witness;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use args::{Arguments, Command};
use failure::Failure;

/// Does what the arguments of the process say.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let output = arguments.global.output;
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report(output);
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    if let Command::Completions { shell } = arguments.command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Arguments::command(), "eunoe", &mut script);
        return output::bytes(&script);
    }
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::io("start the runtime", &error))?
        .block_on(dispatch(arguments))
}

async fn dispatch(arguments: Arguments) -> Result<(), Failure> {
    let global = &arguments.global;
    match arguments.command {
        Command::Conversation(command) => Box::pin(chat::conversation::run(global, command)).await,
        Command::Append(command) => Box::pin(chat::append::run(global, command)).await,
        Command::Read(command) => Box::pin(chat::read::run(global, command)).await,
        Command::Tail(command) => Box::pin(chat::tail::run(global, command)).await,
        Command::Import(command) => Box::pin(import::run(global, command)).await,
        Command::Subject(command) => Box::pin(erasure::subject(global, command)).await,
        Command::Tenant(command) => Box::pin(erasure::tenant(global, command)).await,
        Command::Erasure(command) => Box::pin(erasure::run(global, command)).await,
        Command::Cluster(command) => Box::pin(cluster::run(global, command)).await,
        Command::Audit(command) => Box::pin(audit::run(global, command)).await,
        Command::Verify(command) => verify::run(global, command),
        Command::Witness(arguments) => Box::pin(witness::run(global, arguments)).await,
        Command::Dev(command) => Box::pin(dev::run(global, command)).await,
        // Answered before the runtime was started.
        Command::Completions { .. } => Ok(()),
    }
}
