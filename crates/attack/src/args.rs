//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::{AttackError, Dump, Evidence, MemoryKeys, Opened, Report, Stage};

/// Trials of a key on a page that are made without being asked for more: some minutes of one processor.
const PAGE_TRIALS: u64 = 100_000_000;

/// Tries to read erased content with everything that was ever stored and every key that is left, and prints as JSON what
/// it can read. Evidence is never changed.
#[derive(Debug, Parser)]
#[command(name = "eunoe-attack", version)]
pub struct Args {
    /// Data directory of a node, of any age.
    #[arg(long, value_name = "DIR")]
    pub dir: Vec<PathBuf>,
    /// Any file, a disk image say, to search for log entries.
    #[arg(long, visible_alias = "image", value_name = "FILE")]
    pub file: Vec<PathBuf>,
    /// The file of a vault.
    #[arg(long, value_name = "FILE")]
    pub vault: Vec<PathBuf>,
    /// Memory of a process: a core file, or its bytes as they are.
    #[arg(long, value_name = "FILE")]
    pub memory: Vec<PathBuf>,
    /// Does not open the vaults in data directories.
    #[arg(long)]
    pub without_vaults: bool,
    /// Prints what it reads.
    #[arg(long)]
    pub plaintexts: bool,
    /// Trials of what may be a key on a page that nothing else opens, at most, for top pages and for all others; each
    /// takes about a microsecond.
    #[arg(long, value_name = "COUNT", default_value_t = PAGE_TRIALS)]
    pub page_trials: u64,
}

impl Args {
    /// Does it all.
    ///
    /// # Errors
    ///
    /// If an input cannot be read, or if none says whose data it is.
    pub fn run(&self) -> Result<Report, AttackError> {
        let mut evidence = Evidence::new();
        for dir in &self.dir {
            evidence.add_dir(dir, !self.without_vaults)?;
        }
        for file in &self.file {
            evidence.add_file(file)?;
        }
        for vault in &self.vault {
            evidence.add_vault(vault)?;
        }
        let memory = self.remember(&evidence)?;
        Report::of(&evidence, &memory, self.plaintexts)
    }

    fn remember(&self, evidence: &Evidence) -> Result<MemoryKeys, AttackError> {
        let mut found = MemoryKeys::default();
        if self.memory.is_empty() {
            return Ok(found);
        }
        for stage in [Stage::Roots, Stage::Pages] {
            let roots = evidence.roots.found_with(&evidence.made_roots, &found.sub_keys);
            let roots: Vec<_> = roots.iter().map(|root| &root.key).collect();
            let opened = Opened::from(evidence, &roots, &found)?;
            let mut dump = Dump::new(evidence, &opened, stage, self.page_trials)?;
            for path in &self.memory {
                let bytes = std::fs::read(path).map_err(AttackError::input(path))?;
                dump.search(&bytes, &mut found);
            }
        }
        Ok(found)
    }
}
