//! A witness's memory: its key and what it cosigned last of each log, in a folder. A cosignature is given out only after the
//! head that it is of is on the disk for good.

mod disk;
mod error;
mod heads_file;
mod key_file;

use std::collections::BTreeSet;
use std::path::Path;

use eunoe_evidence::{
    AddCheckpoint, KeyName, Refusal, SignatureLine, SignedCheckpoint, TreeHead, VerifierKey, Witness,
};

use disk::Folder;
use heads_file::Heads;

pub use error::KeeperError;

/// Keys of logs of one witness at most.
pub const LOG_KEYS_MAX: usize = 32;
/// Logs that one witness ever cosigned at most.
pub const ORIGINS_MAX: usize = 64;

/// Two trees of one size, both signed by the log: evidence against whoever holds its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    /// What the witness cosigned.
    pub cosigned: SignedCheckpoint,
    /// What it was shown afterwards.
    pub shown: SignedCheckpoint,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is cosigned.
    Cosigned(SignatureLine),
    /// It is not.
    Refused {
        /// Why.
        refusal: Refusal,
        /// That the log forked, where that is seen and was not told of this log before.
        fork: Option<Box<Fork>>,
    },
    /// It is right, and has no room for another signature.
    TooLarge,
}

/// A witness with its memory. Whoever has it decides alone, so that no two requests are judged upon one head.
pub struct Keeper {
    folder: Folder,
    witness: Witness,
    logs: Vec<VerifierKey>,
    heads: Heads,
    /// Logs whose fork was told.
    forked: BTreeSet<String>,
    stopped: bool,
}

impl Keeper {
    /// The witness of a folder; a folder that is new or empty gets a key and no heads. `logs` are the keys of the logs that it
    /// witnesses.
    pub fn open(path: &Path, name: KeyName, logs: Vec<VerifierKey>) -> Result<Self, KeeperError> {
        if logs.len() > LOG_KEYS_MAX {
            return Err(KeeperError::TooManyKeys);
        }
        let folder = Folder::take(path)?;
        let key = key_file::read(&folder, &name)?;
        let heads = heads_file::read(&folder)?;
        let (cosigner, heads) = match (key, heads) {
            (Some(key), Some(heads)) => (key, heads),
            (Some(_), None) => {
                let problem = "it is missing, and the key beside it is not";
                return Err(KeeperError::damaged(&folder.file(heads_file::NAME), problem));
            }
            (None, Some(heads)) if !heads.is_empty() => {
                let problem = "it is missing, and the tree heads beside it are not";
                return Err(KeeperError::damaged(&folder.file(key_file::NAME), problem));
            }
            // The heads come first: a key without them is that of a witness that lost its memory.
            (None, _) => {
                heads_file::write(&folder, &Heads::new())?;
                (key_file::make(&folder, name)?, Heads::new())
            }
        };
        heads_file::check(&folder, &heads, cosigner.verifier())?;
        let origins: BTreeSet<&str> = logs.iter().map(|key| key.name().as_str()).collect();
        let of_before = heads.keys().filter(|origin| !origins.contains(origin.as_str()));
        if origins.len() + of_before.count() > ORIGINS_MAX {
            return Err(KeeperError::TooManyLogs);
        }
        let witness = Witness::new(logs.clone(), cosigner).map_err(KeeperError::LogKey)?;
        Ok(Self {
            folder,
            witness,
            logs,
            heads,
            forked: BTreeSet::new(),
            stopped: false,
        })
    }

    /// What others check its cosignatures with.
    pub fn verifier(&self) -> &VerifierKey {
        self.witness.cosigner().verifier()
    }

    /// Decides about a request at `time_s` (seconds since the Epoch), and remembers what it cosigns. After an error it does
    /// nothing any more: what is on the disk is not known, and another decision could contradict it.
    pub fn decide(&mut self, request: &AddCheckpoint, time_s: u64) -> Result<Outcome, KeeperError> {
        if self.stopped {
            return Err(KeeperError::Stopped);
        }
        let shown = request.checkpoint();
        let last = self.last(shown.checkpoint().origin());
        match self.witness.decide(request, &last, time_s) {
            Ok(witnessed) => {
                let Some(head) = self.head(shown, &witnessed.cosignature) else {
                    return Ok(Outcome::TooLarge);
                };
                if witnessed.head != last {
                    self.remember(head)?;
                }
                Ok(Outcome::Cosigned(witnessed.cosignature))
            }
            Err(refusal) => {
                let fork = self.fork(shown, &refusal).map(Box::new);
                Ok(Outcome::Refused { refusal, fork })
            }
        }
    }

    fn last(&self, origin: &str) -> TreeHead {
        let head_of = |signed: &SignedCheckpoint| TreeHead {
            size: signed.checkpoint().size(),
            root: *signed.checkpoint().root(),
        };
        self.heads.get(origin).map_or_else(TreeHead::empty, head_of)
    }

    /// What is remembered of a checkpoint. Lines of strangers are not: they say nothing, and anyone may add them.
    fn head(&self, shown: &SignedCheckpoint, cosignature: &SignatureLine) -> Option<SignedCheckpoint> {
        let of_log = |line: &&SignatureLine| {
            let is_of = |key: &VerifierKey| (key.name(), key.id()) == (line.name(), line.id());
            self.logs.iter().any(is_of)
        };
        let lines = shown.note().signatures().iter().filter(of_log);
        let lines = lines.chain([cosignature]).cloned().collect();
        SignedCheckpoint::new(shown.checkpoint().clone(), lines).ok()
    }

    fn remember(&mut self, head: SignedCheckpoint) -> Result<(), KeeperError> {
        // Until the disk has it, nothing may be decided upon it.
        self.stopped = true;
        self.heads.insert(head.checkpoint().origin().to_owned(), head);
        heads_file::write(&self.folder, &self.heads)?;
        self.stopped = false;
        Ok(())
    }

    /// Whether what was refused, and is signed by the log, is another tree of the size that was cosigned last.
    fn fork(&mut self, shown: &SignedCheckpoint, refusal: &Refusal) -> Option<Fork> {
        let is_signed = match refusal {
            Refusal::UnknownOrigin | Refusal::Signature(_) => false,
            Refusal::OldSize
            | Refusal::OtherSize(_)
            | Refusal::Forked(_)
            | Refusal::Inconsistent(_)
            | Refusal::Sign(_) => true,
        };
        let (seen, new) = (self.heads.get(shown.checkpoint().origin())?, shown.checkpoint());
        let contradicts = seen.checkpoint().size() == new.size() && seen.checkpoint().root() != new.root();
        if !is_signed || !contradicts || !self.forked.insert(new.origin().to_owned()) {
            return None;
        }
        Some(Fork {
            cosigned: seen.clone(),
            shown: shown.clone(),
        })
    }
}
