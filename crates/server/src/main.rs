//! `eunoed`: runs a node, checks a configuration, checks a node's files.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use eunoe_server::config::Config;
use eunoe_server::oidc::Issuer;
use eunoe_server::tls::TlsMaterial;
use eunoe_server::{node, placement, process, telemetry};
use eunoe_store::fsck::{self, Condition};

/// A node of Eunoe.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: File,
}

#[derive(Subcommand)]
enum Command {
    /// Reads a configuration file and its certificates, and says what is wrong with them.
    CheckConfig(File),
    /// Checks every file of a stopped node: checksums, hashes, formats, and what the rows say. Changes nothing.
    Fsck(File),
}

#[derive(Args)]
struct File {
    /// The configuration file.
    #[arg(long, default_value = "/etc/eunoe/eunoed.toml")]
    config: PathBuf,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ended = match &cli.command {
        None => run(&cli.run.config),
        Some(Command::CheckConfig(file)) => check_config(&file.config),
        Some(Command::Fsck(file)) => check_files(&file.config),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("eunoed: {error}");
        ExitCode::FAILURE
    })
}

type Outcome = Result<ExitCode, Box<dyn std::error::Error>>;

fn load(path: &Path) -> Result<Config, Box<dyn std::error::Error>> {
    Ok(Config::load(path)?)
}

/// Certificates, the placement and the issuer's keys are part of it: peers would refuse wrong ones, each with a line that
/// only its own log has.
fn check_config(path: &Path) -> Outcome {
    let config = load(path)?;
    placement::of_config(&config)?;
    TlsMaterial::load(&config)?;
    config.oidc.as_ref().map(Issuer::load).transpose()?;
    Ok(ExitCode::SUCCESS)
}

fn run(path: &Path) -> Outcome {
    let config = load(path)?;
    placement::of_config(&config)?;
    telemetry::init(&config.log)?;
    if !config.development {
        process::protect_memory()?;
        if process::swaps() {
            tracing::warn!("swap is on: messages that were opened may be written to it; keys are not");
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(node::run(config));
    // Nothing that still runs may hold the process: what had to be done in order is done.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    if let Err(error) = ended {
        let causes = causes(&error);
        tracing::error!(causes, "the node stops: {error}");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn check_files(path: &Path) -> Outcome {
    let config = load(path)?;
    let mut findings = fsck::check_log(&config.data_dir.join(node::LOG_DIR))?;
    findings.extend(fsck::check_states(&config.data_dir.join(node::STATE_DIR))?);
    let mut damaged = false;
    for finding in &findings {
        let condition = match finding.condition {
            Condition::Sound => "sound",
            Condition::Repairable => "repairable",
            Condition::Damaged => "damaged",
        };
        damaged |= finding.condition == Condition::Damaged;
        eprintln!("{condition:<10} {}: {}", finding.path.display(), finding.detail);
    }
    Ok(if damaged {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
