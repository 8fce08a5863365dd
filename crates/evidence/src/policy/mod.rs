//! Whom a verifier trusts: logs, cosigners, and how many of which must have seen a checkpoint (tlog-policy).

mod parse;

use sha2::{Digest as _, Sha256};

use crate::checkpoint::SignedCheckpoint;
use crate::key::{KeyError, KeyName, VerifierKey};
use crate::note::UntrustedNote;

/// Bytes of a policy file at most.
pub const POLICY_BYTES_MAX: usize = 64 * 1024;

/// `log` lines at most; the spec asks for 32.
pub const LOGS_MAX: usize = 32;

/// `witness` lines at most; the spec asks for 32.
pub const WITNESSES_MAX: usize = 64;

/// `group` lines at most; the spec asks for 32.
pub const GROUPS_MAX: usize = 32;

/// Why a file is not a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// More than [`POLICY_BYTES_MAX`] bytes.
    #[error("a policy longer than the limit")]
    TooLong,
    /// Not UTF-8, with a control character other than tab and newline, or without a newline at its end.
    #[error("a policy that is not UTF-8, has a control character or ends in the middle of a line")]
    NotText,
    /// A line breaks a rule.
    #[error("line {line} of the policy: {error}")]
    Line {
        /// From 1.
        line: usize,
        /// The rule.
        error: PolicyLineError,
    },
    /// No `quorum` line.
    #[error("a policy without a quorum line")]
    NoQuorum,
}

/// Why a line of a policy was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyLineError {
    /// It begins with another word than `log`, `witness`, `group` and `quorum`.
    #[error("an unknown keyword")]
    Keyword,
    /// It has fewer or more words than its keyword asks for.
    #[error("too few words, or too many")]
    Words,
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A log's key that is not of type 0x01, or a witness's that is not of type 0x04.
    #[error("a key of another signature type than its role's")]
    KeyType,
    /// A public key that an earlier line has, under whatever name and in whatever role.
    #[error("a public key for the second time")]
    KeyTwice,
    /// A name that an earlier line defines, or `none`.
    #[error("a name that is taken")]
    NameTaken,
    /// A name that no earlier line defines.
    #[error("a name that no earlier line defines")]
    NameUnknown,
    /// A name that is a member of a group already: it would count twice.
    #[error("a name that is a member already")]
    MemberTwice,
    /// Not `any`, `all` or a canonical decimal from 1 to the number of members.
    #[error("a threshold that is not any, all, or from 1 to the number of members")]
    Threshold,
    /// The second `quorum` line.
    #[error("a second quorum line")]
    SecondQuorum,
    /// More logs, witnesses or groups than the limit.
    #[error("more lines of this kind than the limit")]
    TooMany,
}

/// Why a policy does not trust a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No log of the policy has this origin.
    #[error("a checkpoint of a log that the policy does not name")]
    UnknownLog,
    /// A signature is wrong or doubled, or none is known.
    #[error(transparent)]
    Signatures(#[from] UntrustedNote),
    /// The log itself did not sign.
    #[error("a checkpoint that its log did not sign")]
    NoLogSignature,
    /// Too few cosigned.
    #[error("the quorum {quorum} is not reached: cosigned by {cosigners:?}")]
    Quorum {
        /// The quorum's name in the policy.
        quorum: String,
        /// The policy's names of those who cosigned.
        cosigners: Vec<String>,
    },
}

/// Who signed a checkpoint that a policy trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The log's key, named after its origin.
    pub log: VerifierKey,
    /// All known cosigners that signed, needed for the quorum or not, in the order of their lines.
    pub cosigners: Vec<Cosigned>,
}

/// A cosigner that signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// The policy's name for it.
    pub name: String,
    /// When it says that it signed, in seconds since the Epoch. Whether that is in the future is for the caller, who
    /// has a clock, to judge.
    pub time_s: u64,
}

/// Logs, cosigners and a quorum. Nodes and external witnesses are both cosigners: groups tell them apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<Log>,
    witnesses: Vec<WitnessKey>,
    /// Witnesses and groups in the order of their lines; groups refer to earlier ones by place.
    defined: Vec<Defined>,
    /// The place of the quorum in `defined`; None if nobody has to cosign.
    quorum: Option<usize>,
    sha256: [u8; 32],
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Log {
    key: VerifierKey,
    url: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct WitnessKey {
    name: String,
    key: VerifierKey,
    url: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Defined {
    name: String,
    kind: DefinedKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum DefinedKind {
    /// A place in `witnesses`.
    Witness(usize),
    Group {
        threshold: usize,
        members: Vec<usize>,
    },
}

impl Policy {
    /// Reads a file. Whether it is the policy that was agreed on is for [`Policy::sha256`] to say: a changed threshold
    /// is a policy too.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        parse::policy(bytes, Sha256::digest(bytes).into())
    }

    /// The SHA-256 of the file.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// The keys of the logs, and where they are.
    pub fn logs(&self) -> impl Iterator<Item = (&VerifierKey, Option<&str>)> {
        self.logs.iter().map(|log| (&log.key, log.url.as_deref()))
    }

    /// The policy's names for cosigners, their keys, and where they take checkpoints.
    pub fn witnesses(&self) -> impl Iterator<Item = (&str, &VerifierKey, Option<&str>)> {
        self.witnesses
            .iter()
            .map(|witness| (&*witness.name, &witness.key, witness.url.as_deref()))
    }

    /// Checks that a log of the policy signed, that every signature of a known key is right, and that the quorum
    /// cosigned.
    pub fn verify(&self, checkpoint: &SignedCheckpoint) -> Result<Agreement, Refused> {
        let origin = checkpoint.checkpoint().origin();
        let of_origin = |key: &&VerifierKey| key.name().as_str() == origin;
        let logs: Vec<VerifierKey> = self.keys_of_logs().filter(of_origin).cloned().collect();
        if logs.is_empty() {
            return Err(Refused::UnknownLog);
        }
        let mut known = logs.clone();
        known.extend(self.witnesses.iter().map(|witness| witness.key.clone()));
        let signed = checkpoint.verify(&known)?;
        let log = signed.iter().find_map(|signed| logs.get(signed.key));
        let log = log.ok_or(Refused::NoLogSignature)?.clone();
        let mut times = vec![None; self.witnesses.len()];
        for signed in signed {
            if let Some(witness) = signed.key.checked_sub(logs.len()) {
                times[witness] = signed.time_s;
            }
        }
        let cosigners = self.cosigners(&times);
        if let Some(quorum) = self.quorum
            && !self.reached(quorum, &times)
        {
            return Err(Refused::Quorum {
                quorum: self.defined[quorum].name.clone(),
                cosigners: cosigners.into_iter().map(|cosigned| cosigned.name).collect(),
            });
        }
        Ok(Agreement { log, cosigners })
    }

    fn keys_of_logs(&self) -> impl Iterator<Item = &VerifierKey> {
        self.logs.iter().map(|log| &log.key)
    }

    fn cosigners(&self, times: &[Option<u64>]) -> Vec<Cosigned> {
        let with_times = self.witnesses.iter().zip(times);
        with_times
            .filter_map(|(witness, time_s)| {
                let name = witness.name.clone();
                time_s.map(|time_s| Cosigned { name, time_s })
            })
            .collect()
    }

    /// Whether the witness or group at a place cosigned. Groups refer to earlier places only, so one pass is enough.
    fn reached(&self, place: usize, times: &[Option<u64>]) -> bool {
        let mut reached: Vec<bool> = Vec::with_capacity(self.defined.len());
        for defined in &self.defined {
            reached.push(match &defined.kind {
                DefinedKind::Witness(witness) => times[*witness].is_some(),
                DefinedKind::Group { threshold, members } => {
                    members.iter().filter(|member| reached[**member]).count() >= *threshold
                }
            });
        }
        reached[place]
    }
}

/// A log's key is named after its origin.
impl Agreement {
    /// The log's origin.
    pub fn origin(&self) -> &KeyName {
        self.log.name()
    }
}
