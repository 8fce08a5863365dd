//! Checks a node's files offline, reading only: every checksum, every hash, every rule that opening checks, and what
//! holds in every state that a machine makes.

use std::path::{Path, PathBuf};

use eunoe_types::Fault;

use crate::disk::{self, DirLock};
use crate::segment::{file, recovery::DamageAt, recovery::Recovered};
use crate::snapshot::{self, Snapshot};

/// How a file or directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Whole.
    Sound,
    /// A crash explains it; the next start repairs it.
    Repairable,
    /// Damaged: the node would refuse to start, or to use it.
    Damaged,
}

/// What was found about one file or directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub path: PathBuf,
    /// How it is.
    pub condition: Condition,
    /// What it holds, or what is wrong with it.
    pub detail: String,
}

impl Finding {
    fn new(path: &Path, condition: Condition, detail: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            condition,
            detail: detail.into(),
        }
    }
}

/// Checks the log in `dir`. A fault means that the check itself was not possible (in use, I/O error).
pub fn check_log(dir: &Path) -> Result<Vec<Finding>, Fault> {
    let _lock = DirLock::take_shared(dir)?;
    let mut findings = Vec::new();
    let mut recovered = Recovered::default();
    let segments = file::list(dir)?;
    for segment in &segments {
        let path = file::path(dir, *segment);
        let bytes = std::fs::read(&path).map_err(disk::fault("read", &path))?;
        let is_last = Some(segment) == segments.last();
        match recovered.read_segment(*segment, &bytes, is_last) {
            Ok(()) => findings.push(segment_finding(&path, &mut recovered)),
            Err(DamageAt { offset, damage }) => {
                let detail = format!("damaged at byte {offset}: {damage}; what follows was not checked");
                findings.push(Finding::new(&path, Condition::Damaged, detail));
                return Ok(findings);
            }
        }
    }
    if let Err(fault) = recovered.check_whole() {
        findings.push(Finding::new(dir, Condition::Damaged, fault.to_string()));
    }
    if segments.is_empty() {
        findings.push(Finding::new(dir, Condition::Damaged, "there is no segment"));
    }
    Ok(findings)
}

fn segment_finding(path: &Path, recovered: &mut Recovered) -> Finding {
    let records = std::mem::take(&mut recovered.records);
    if recovered.torn {
        let detail = format!("{records} records, then a torn batch at byte {}", recovered.end);
        return Finding::new(path, Condition::Repairable, detail);
    }
    Finding::new(
        path,
        Condition::Sound,
        format!("{records} records in {} bytes", recovered.end),
    )
}

/// Checks the snapshots in `dir`, every byte of them.
pub fn check_snapshots(dir: &Path) -> Result<Vec<Finding>, Fault> {
    let check = |path: &PathBuf| {
        if snapshot::is_unfinished(path) {
            return Finding::new(path, Condition::Repairable, "an unfinished snapshot");
        }
        match Snapshot::open(path).and_then(|found| found.verify().map(|()| found)) {
            Ok(found) => Finding::new(path, Condition::Sound, format!("{} bytes", found.bytes())),
            Err(error) => Finding::new(path, Condition::Damaged, error.to_string()),
        }
    };
    Ok(disk::list(dir)?.iter().map(check).collect())
}

/// Checks the states and snapshots of all groups below `root`.
#[cfg(feature = "rocks")]
pub fn check_states(root: &Path) -> Result<Vec<Finding>, Fault> {
    let mut findings = Vec::new();
    for dir in disk::list(root)? {
        match disk::name(&dir)
            .strip_prefix("group-")
            .and_then(|id| id.parse().ok())
        {
            Some(id) => {
                findings.extend(check_state(eunoe_types::GroupId(id), &dir));
                findings.extend(check_snapshots(&dir.join("snapshots"))?);
            }
            None => findings.push(Finding::new(
                &dir,
                Condition::Repairable,
                "not a group's directory",
            )),
        }
    }
    if findings.is_empty() {
        findings.push(Finding::new(root, Condition::Damaged, "there is no group"));
    }
    Ok(findings)
}

#[cfg(feature = "rocks")]
fn check_state(group: eunoe_types::GroupId, dir: &Path) -> Vec<Finding> {
    use crate::rocks;
    let path = dir.join(rocks::STATE_DIR);
    if rocks::is_replacement_unfinished(dir) {
        let detail = "a snapshot was being installed";
        return vec![Finding::new(dir, Condition::Repairable, detail)];
    }
    let checked = rocks::check_format(dir).and_then(|_| rocks::fsck_database(group, &path));
    match checked {
        Ok((rows, broken)) if broken.is_empty() => {
            vec![Finding::new(&path, Condition::Sound, format!("{rows} rows"))]
        }
        Ok((rows, broken)) => violations(&path, rows, broken),
        Err(fault) => vec![Finding::new(&path, Condition::Damaged, fault.to_string())],
    }
}

/// One finding for each rule that is broken.
#[cfg(feature = "rocks")]
fn violations(path: &Path, rows: u64, broken: Vec<eunoe_core::invariant::Invariant>) -> Vec<Finding> {
    let mut counts = std::collections::BTreeMap::<_, u64>::new();
    for invariant in broken {
        *counts.entry(invariant).or_default() += 1;
    }
    let findings = counts.into_iter().map(|(invariant, count)| {
        let detail = format!("{count} of {rows} rows break the rule {invariant}");
        Finding::new(path, Condition::Damaged, detail)
    });
    findings.collect()
}
