//! `eunoe verify …`: checks evidence offline. It asks no server, and says which clause failed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use eunoe_evidence::{
    Failed, LogAudit, Policy, Receipt, SignedCheckpoint, Ticket, TileKind, Verdict, tiles_between,
};
use serde_json::json;

use crate::args::Global;
use crate::encoding::hex;
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
    /// Check the receipt of an erasure: its checkpoint against a policy, its entries against the checkpoint, the words of
    /// holders against their keys, and what it says against its entries
    Receipt {
        /// The receipt
        receipt: PathBuf,
        /// The verification policy that it was made for
        #[arg(long, value_name = "FILE")]
        policy: PathBuf,
        /// The ticket of the erasure, which says whom it was about
        #[arg(long, value_name = "FILE")]
        ticket: Option<PathBuf>,
    },
}

/// Does what was asked for.
pub(crate) fn run(global: &Global, command: VerifyCommand) -> Result<(), Failure> {
    match command {
        VerifyCommand::Log { folder, policy } => log(global, &folder, &policy),
        VerifyCommand::Receipt {
            receipt,
            policy,
            ticket,
        } => {
            let (receipt, verdict) = read_receipt(&receipt, &policy, ticket.as_deref())?;
            tell(global, &receipt, &verdict)
        }
    }
}

/// Reads a receipt and checks it.
pub(crate) fn read_receipt(
    receipt: &Path,
    policy: &Path,
    ticket: Option<&Path>,
) -> Result<(Receipt, Verdict), Failure> {
    let policy = read_policy(policy)?;
    let receipt =
        Receipt::parse(&files::read_bytes(receipt)?).map_err(|error| unproved("receipt", &error))?;
    let ticket = match ticket {
        Some(path) => {
            let ticket = Ticket::parse(&files::read_bytes(path)?);
            Some(ticket.map_err(|error| unproved("ticket", &error))?)
        }
        None => None,
    };
    let verdict = eunoe_evidence::verify(&receipt, &policy, ticket.as_ref());
    let verdict = verdict.map_err(|failed: Failed| unproved(failed.clause().name(), &failed))?;
    Ok((receipt, verdict))
}

fn tell(global: &Global, receipt: &Receipt, verdict: &Verdict) -> Result<(), Failure> {
    let facts = &verdict.facts;
    let cosigners = verdict.agreement.cosigners.iter();
    let cosigners: Vec<&str> = cosigners.map(|cosigned| &*cosigned.name).collect();
    let assumptions = verdict.assumptions.iter();
    let assumptions: BTreeMap<&str, &str> = assumptions.map(|one| (one.id, one.text)).collect();
    let json = json!({
        "valid": true,
        "origin": receipt.origin(),
        "request": hex(&facts.request),
        "kind": facts.kind.name(),
        "commit": hex(&facts.commit),
        "epoch": facts.epoch,
        "grade": facts.grade.name(),
        "strength": facts.strength.name(),
        "attested": verdict.attested,
        "decommissioned": verdict.decommissioned,
        "by_lease": verdict.by_lease,
        "silent": verdict.silent,
        "opened": verdict.is_opened,
        "cosigners": cosigners,
        "not_proved": assumptions,
    });
    output::result(global.output, &json, || {
        let mut lines = vec![
            format!(
                "valid: the {} key {} of erasure {} is destroyed ({}, weakest vault {})",
                facts.kind.name(),
                hex(&facts.commit),
                hex(&facts.request),
                facts.grade.name(),
                facts.strength.name()
            ),
            format!("said under their own keys by nodes {:?}", verdict.attested),
        ];
        for (what, nodes) in [
            ("gone, on evidence: nodes", &verdict.decommissioned),
            (
                "only a lease says that it is gone from the memory of nodes",
                &verdict.by_lease,
            ),
            ("said nothing, and are too few to undo it: nodes", &verdict.silent),
        ] {
            if !nodes.is_empty() {
                lines.push(format!("{what} {nodes:?}"));
            }
        }
        lines.push(match verdict.is_opened {
            true => "the ticket says whom it was about".to_owned(),
            false => "whom it was about is not checked: no ticket was given".to_owned(),
        });
        lines.push(match cosigners.is_empty() {
            true => "nobody vouches for having seen the same log".to_owned(),
            false => format!("the log was seen by {}", cosigners.join(", ")),
        });
        lines.push("not proved, but taken for granted:".to_owned());
        lines.extend(
            verdict
                .assumptions
                .iter()
                .map(|one| format!("  {} {}", one.id, one.text)),
        );
        lines.join("\n")
    })
}

fn read_policy(path: &Path) -> Result<Policy, Failure> {
    Policy::parse(&files::read_bytes(path)?).map_err(|error| unproved("policy", &error))
}

/// A copy of a log: its checkpoint, which the policy trusts, and the names of those who cosigned it.
pub(crate) fn read_checkpoint(
    folder: &Path,
    policy: &Path,
) -> Result<(SignedCheckpoint, Vec<String>), Failure> {
    let policy = read_policy(policy)?;
    let signed = SignedCheckpoint::parse(&files::read_bytes(&folder.join("checkpoint"))?)
        .map_err(|error| unproved("checkpoint", &error))?;
    let agreement = policy
        .verify(&signed)
        .map_err(|error| unproved("policy", &error))?;
    let names = agreement.cosigners.into_iter().map(|cosigned| cosigned.name);
    Ok((signed, names.collect()))
}

fn log(global: &Global, folder: &Path, policy: &Path) -> Result<(), Failure> {
    let (signed, cosigners) = read_checkpoint(folder, policy)?;
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

pub(crate) fn unproved(clause: &'static str, error: &dyn std::fmt::Display) -> Failure {
    Failure::Unproved {
        clause,
        problem: error.to_string(),
    }
}
