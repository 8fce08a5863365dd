//! `eunoe audit monitor` and `eunoe audit convict`: reading a copy of a log, entry by entry, for what cannot be true. They ask
//! no server.

use std::path::{Path, PathBuf};

use clap::Args;
use eunoe_evidence::{
    Alarm, Checkpoint, Conviction, LogAudit, Monitor, MonitorSummary, SignedCheckpoint, Surfaced, Suspicion,
    decode_entries, surfaced_bytes,
};
use serde_json::json;

use crate::args::Global;
use crate::failure::Failure;
use crate::files::{self, Access};
use crate::output;
use crate::verify::{read_checkpoint, read_receipt, unproved};

/// Alarms that are told at most; a log that is wrong once is often wrong a thousand times.
const ALARMS_MAX: usize = 1_000;

/// `eunoe audit monitor`
#[derive(Args)]
pub(crate) struct MonitorArgs {
    /// The folder, as `eunoe audit fetch` fills it
    folder: PathBuf,
    /// The verification policy
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Where the last checkpoint is remembered: a log that does not continue it is forked
    #[arg(long, value_name = "FILE")]
    remember: Option<PathBuf>,
}

/// `eunoe audit convict`
#[derive(Args)]
pub(crate) struct ConvictArgs {
    /// A file with the key or root: 32 bytes, or the hex or base64 of them
    surfaced: PathBuf,
    /// The verification policy
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    #[command(flatten)]
    against: Against,
}

/// What calls it destroyed: exactly one of the two.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Against {
    /// A receipt
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// A copy of the log
    #[arg(long, value_name = "FOLDER")]
    log: Option<PathBuf>,
}

/// Gives each entry of a copy of a log to `each`, and checks that they are those of the checkpoint.
fn read_log(
    folder: &Path,
    checkpoint: &Checkpoint,
    mut each: impl FnMut(u64, &[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut audit = LogAudit::new(checkpoint);
    while let Some(tile) = audit.wanted() {
        let bundle = files::read_bytes(&folder.join(tile.to_string()))?;
        audit.add(&bundle).map_err(|error| unproved("entries", &error))?;
        let entries = decode_entries(&tile, &bundle).map_err(|error| unproved("entries", &error))?;
        for (index, entry) in (tile.first()..).zip(entries) {
            each(index, entry)?;
        }
    }
    audit.finish().map_err(|error| unproved("entries", &error))?;
    Ok(())
}

/// Reads a log for what cannot be true.
pub(crate) fn monitor(global: &Global, args: &MonitorArgs) -> Result<(), Failure> {
    let (signed, _) = read_checkpoint(&args.folder, &args.policy)?;
    let checkpoint = signed.checkpoint();
    let mut monitor = Monitor::new(checkpoint.origin()).map_err(|error| unproved("origin", &error))?;
    if let Some(path) = args.remember.as_ref().filter(|path| path.exists()) {
        let seen = SignedCheckpoint::parse(&files::read_bytes(path)?);
        let seen = seen.map_err(|error| Failure::file("use", path, &error))?;
        let remembered = monitor.remember(seen.checkpoint().clone());
        remembered.map_err(|error| unproved("fork", &error))?;
    }
    let mut alarms: Vec<Alarm> = Vec::new();
    read_log(&args.folder, checkpoint, |index, entry| {
        let found = monitor.feed(index, entry);
        alarms.extend(found.map_err(|error| unproved("fork", &error))?);
        alarms.truncate(ALARMS_MAX);
        Ok(())
    })?;
    monitor
        .reach(checkpoint)
        .map_err(|error| unproved("fork", &error))?;
    if let Some(first) = alarms.first() {
        let rest = alarms.iter().skip(1).map(|alarm| format!("\n{alarm}"));
        return Err(unproved("alarm", &format!("{first}{}", rest.collect::<String>())));
    }
    if let Some(path) = &args.remember {
        files::write(path, &signed.to_string(), Access::Public)?;
    }
    tell(global, checkpoint, &monitor.summary())
}

fn tell(global: &Global, checkpoint: &Checkpoint, known: &MonitorSummary) -> Result<(), Failure> {
    let json = json!({
        "valid": true,
        "origin": checkpoint.origin(),
        "size": known.size,
        "epoch": known.epoch,
        "keys": known.keys,
        "erased": known.erased,
        "destroyed_before": known.destroyed_before,
        "full_before": known.full_before,
        "unknown": known.unknown,
    });
    output::result(global.output, &json, || {
        format!(
            "no alarm: {} entries of {}, {} keys live, {} were erased\n\
             as the entries show, those of epochs before {} are destroyed, before {} by the word of all\n\
             entries of unknown types: {}",
            known.size,
            checkpoint.origin(),
            known.keys,
            known.erased,
            known.destroyed_before,
            known.full_before,
            known.unknown
        )
    })
}

/// Looks for the entry that a surfaced key convicts.
pub(crate) fn convict(global: &Global, args: &ConvictArgs) -> Result<(), Failure> {
    let surfaced = read_key(&args.surfaced)?;
    let mut suspicion = Suspicion::new(&surfaced);
    let look_at = |suspicion: &mut Suspicion, index: u64, entry: &[u8]| {
        let looked = suspicion.look_at(index, entry);
        looked.map_err(|error| unproved("entries", &format!("entry {index}: {error}")))
    };
    if let Some(path) = &args.against.receipt {
        let (receipt, _) = read_receipt(path, &args.policy, None)?;
        for entry in receipt.entries() {
            look_at(&mut suspicion, entry.proof().index(), entry.leaf())?;
        }
    }
    if let Some(folder) = &args.against.log {
        let (signed, _) = read_checkpoint(folder, &args.policy)?;
        read_log(folder, signed.checkpoint(), |index, entry| {
            look_at(&mut suspicion, index, entry)
        })?;
    }
    let is_known = suspicion.is_known();
    match suspicion.finish() {
        Some(conviction) => tell_conviction(global, &conviction),
        None if is_known => Err(unproved(
            "conviction",
            &"an entry commits to it, and none calls it destroyed",
        )),
        None => Err(unproved("conviction", &"no entry commits to it")),
    }
}

fn tell_conviction(global: &Global, conviction: &Conviction) -> Result<(), Failure> {
    let what = match conviction.surfaced {
        Surfaced::Key => "key",
        Surfaced::Root => "root",
    };
    // An entry that was read is ASCII.
    let leaf = String::from_utf8_lossy(&conviction.leaf);
    let json = json!({
        "convicted": true,
        "surfaced": what,
        "epoch": conviction.epoch,
        "index": conviction.index,
        "entry": leaf,
        "destroyed_index": conviction.destroyed_index,
    });
    output::result(global.output, &json, || {
        format!(
            "convicted: this is the {what} that entry {} commits to, and entry {} calls it destroyed\n{leaf}",
            conviction.index, conviction.destroyed_index
        )
    })
}

fn read_key(path: &Path) -> Result<[u8; 32], Failure> {
    surfaced_bytes(&files::read_bytes(path)?).ok_or_else(|| {
        let path = path.display();
        Failure::usage(format!("{path} is not 32 bytes, nor the hex or base64 of them"))
    })
}
