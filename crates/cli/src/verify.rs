//! `eunoe verify …`: checks evidence offline. It asks no server, and says which clause failed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use eunoe_evidence::{LogAudit, Policy, SignedCheckpoint, TileKind, tiles_between};
use serde_json::json;

use crate::args::Global;
use crate::failure::Failure;
use crate::{files, output};

/// The commands.
#[derive(Subcommand)]
pub(crate) enum VerifyCommand {
    /// Check a copy of a transparency log: its checkpoint against a policy, every entry against the checkpoint, and every
    /// tile against the entries
    Log {
        /// The folder, as `eunoe audit fetch` fills it
        folder: PathBuf,
        /// The verification policy
        #[arg(long, value_name = "FILE")]
        policy: PathBuf,
    },
}

/// Does what was asked for.
pub(crate) fn run(global: &Global, command: VerifyCommand) -> Result<(), Failure> {
    let VerifyCommand::Log { folder, policy } = command;
    log(global, &folder, &policy)
}

fn log(global: &Global, folder: &Path, policy: &Path) -> Result<(), Failure> {
    let policy = Policy::parse(&files::read_bytes(policy)?).map_err(|error| unproved("policy", &error))?;
    let signed = SignedCheckpoint::parse(&files::read_bytes(&folder.join("checkpoint"))?)
        .map_err(|error| unproved("checkpoint", &error))?;
    let agreement = policy
        .verify(&signed)
        .map_err(|error| unproved("policy", &error))?;
    let checkpoint = signed.checkpoint();

    let mut audit = LogAudit::new(checkpoint);
    let mut types: BTreeMap<String, u64> = BTreeMap::new();
    while let Some(tile) = audit.wanted() {
        let bundle = files::read_bytes(&folder.join(tile.to_string()))?;
        for entry in audit.add(&bundle).map_err(|error| unproved("entries", &error))? {
            *types.entry(entry).or_default() += 1;
        }
    }
    let log = audit.finish().map_err(|error| unproved("entries", &error))?;
    let is_of_hashes = |kind| matches!(kind, TileKind::Hashes { .. });
    for tile in tiles_between(0, checkpoint.size()).filter(|tile| is_of_hashes(tile.kind())) {
        let content = files::read_bytes(&folder.join(tile.to_string()))?;
        log.check(&tile, &content)
            .map_err(|error| unproved("tiles", &error))?;
    }

    let cosigners: Vec<&str> = agreement
        .cosigners
        .iter()
        .map(|cosigned| &*cosigned.name)
        .collect();
    let json = json!({
        "valid": true,
        "origin": checkpoint.origin(),
        "size": checkpoint.size(),
        "cosigners": cosigners,
        "entries": types,
        "not_checked": NOT_CHECKED,
    });
    output::result(global.output, &json, || {
        format!(
            "valid: {} entries of {}, cosigned by {} of the policy\nnot checked: {}",
            checkpoint.size(),
            checkpoint.origin(),
            cosigners.len(),
            NOT_CHECKED.join("; ")
        )
    })
}

/// What a copy of a log cannot say.
const NOT_CHECKED: [&str; 3] = [
    "whether others were shown the same log, without cosigners who saw it",
    "whether this is the newest checkpoint",
    "whether the entries are true",
];

fn unproved(clause: &'static str, error: &dyn std::fmt::Display) -> Failure {
    Failure::Unproved {
        clause,
        problem: error.to_string(),
    }
}
