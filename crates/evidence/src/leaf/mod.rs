//! The log's entries about keys, roots and holders, each with exactly the fields of its type.

mod attestation;

use crate::json::{JsonError, Object, Value};
use crate::tile::ENTRY_BYTES_MAX;

pub(crate) use attestation::Attestation;
pub use attestation::{
    AttestationError, HOLDER_ATTEST_DOMAIN, HOLDER_RETIRED_DOMAIN, Statement, attested_message,
};

const PREFIX: &str = "eunoe/";
const VERSION: &str = "@v1";

/// A run of a node's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Process {
    /// The node.
    pub node: u64,
    /// Which of its runs.
    pub boot: [u8; 16],
}

/// What sort of thing a key is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A data subject.
    Subject,
    /// A conversation.
    Conv,
    /// A day of a tenant's retention class.
    Bucket,
    /// A tenant.
    Tenant,
}

/// How well a vault can forget. The weakest is the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum VaultClass {
    /// Not made to keep anything.
    Test,
    /// A file that is overwritten in place.
    File,
    /// Somebody else's key service.
    Delegated,
    /// A trusted platform module.
    Tpm,
    /// A hardware security module.
    Hsm,
}

/// How a root is shared: `threshold` of `holders` have it together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sharing {
    pub(crate) holders: Vec<u64>,
    pub(crate) threshold: u64,
}

/// A root that came to count: the first one's, or that of a switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    pub(crate) epoch: u64,
    pub(crate) sharing: Sharing,
    pub(crate) root_commit: [u8; 32],
}

/// A key that came to be, or that was left out of an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyLeaf {
    pub(crate) c: [u8; 32],
    pub(crate) kc: [u8; 32],
    pub(crate) epoch: u64,
}

/// An entry, as far as receipts and monitors ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Leaf {
    Genesis {
        root: Root,
        realm: [u8; 16],
    },
    KeyCreated {
        key: KeyLeaf,
        kind: Kind,
    },
    EraseFenced {
        c: [u8; 32],
        request: [u8; 16],
    },
    EraseCancelled {
        c: [u8; 32],
    },
    KeyErased {
        key: KeyLeaf,
        request: [u8; 16],
    },
    /// `memory` had the root of the epoch before.
    EpochSwitch {
        root: Root,
        memory: Vec<Process>,
    },
    /// `memory` had the root of the attempt.
    EpochAborted {
        epoch: u64,
        sharing: Sharing,
        memory: Vec<Process>,
    },
    RootGranted {
        epoch: u64,
        process: Process,
    },
    /// Of one epoch, or of all for good.
    Attested(Attestation),
    LeaseExpired {
        epoch: u64,
        process: Process,
        waited_ms: u64,
    },
    Decommissioned {
        node: u64,
    },
    NodeKeys {
        node: u64,
        attest: [u8; 32],
    },
    EpochDestroyed {
        destroyed_before: u64,
        full_before: u64,
    },
    NodeAdmitted {
        node: u64,
    },
    NodeRemoved {
        node: u64,
    },
    VaultRolledBack {
        node: u64,
        epoch: u64,
    },
    /// Of a type that says nothing of the above, or of one that is not known here.
    Other {
        is_known: bool,
    },
}

impl Kind {
    fn from_tag(tag: u64) -> Option<Self> {
        [Self::Subject, Self::Conv, Self::Bucket, Self::Tenant]
            .into_iter()
            .zip(1..)
            .find_map(|(kind, other)| (tag == other).then_some(kind))
    }

    /// As receipts write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Subject => "SUBJECT",
            Self::Conv => "CONV",
            Self::Bucket => "BUCKET",
            Self::Tenant => "TENANT",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Subject, Self::Conv, Self::Bucket, Self::Tenant];
        all.into_iter().find(|kind| kind.name() == name)
    }
}

impl VaultClass {
    /// As leaves and receipts write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::File => "file",
            Self::Delegated => "delegated",
            Self::Tpm => "tpm",
            Self::Hsm => "hsm",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Test, Self::File, Self::Delegated, Self::Tpm, Self::Hsm];
        all.into_iter().find(|class| class.name() == name)
    }
}

/// The type's name without what all types share: `holder-attest` of `eunoe/holder-attest@v1`.
pub(crate) fn role_of<'a>(object: &Object<'a>) -> Result<&'a str, JsonError> {
    let role = object.text("t")?.strip_prefix(PREFIX);
    let role = role.and_then(|role| role.strip_suffix(VERSION));
    role.ok_or_else(|| wrong("t", "a type of this version"))
}

fn wrong(name: &str, wanted: &'static str) -> JsonError {
    let name = name.to_owned();
    JsonError::Type { name, wanted }
}

impl Leaf {
    /// Reads an entry. Types that are not known are no error, but a known one with other fields than its own is.
    pub(crate) fn parse(entry: &[u8]) -> Result<Self, JsonError> {
        if entry.len() > ENTRY_BYTES_MAX {
            return Err(JsonError::TooLong);
        }
        let object = Object::parse(entry)?;
        object.text("t")?;
        match role_of(&object) {
            Ok(role) => Self::of(role, &object),
            Err(_) => Ok(Self::Other { is_known: false }),
        }
    }

    fn of(role: &str, leaf: &Object<'_>) -> Result<Self, JsonError> {
        match role {
            "genesis" | "epoch-switch" | "epoch-aborted" | "epoch-destroyed" => of_epoch(role, leaf),
            "key-created" | "key-erased" | "erase-fenced" | "erase-cancelled" => of_key(role, leaf),
            _ => of_node(role, leaf),
        }
    }
}

fn of_epoch(role: &str, leaf: &Object<'_>) -> Result<Leaf, JsonError> {
    const ROOT: [&str; 6] = ["attempt", "epoch", "holders", "root_commit", "t", "threshold"];
    match role {
        "genesis" => {
            expect(leaf, &ROOT, &["log_key", "realm"])?;
            leaf.array::<32>("log_key")?;
            let realm = leaf.array("realm")?;
            Ok(Leaf::Genesis {
                root: root(leaf)?,
                realm,
            })
        }
        "epoch-switch" => {
            expect(leaf, &ROOT, &["erased", "memory"])?;
            leaf.number("erased")?;
            let memory = memory(leaf)?;
            Ok(Leaf::EpochSwitch {
                root: root(leaf)?,
                memory,
            })
        }
        "epoch-aborted" => {
            leaf.expect_only(&["attempt", "epoch", "holders", "memory", "t", "threshold"])?;
            leaf.number("attempt")?;
            Ok(Leaf::EpochAborted {
                epoch: leaf.number("epoch")?,
                sharing: sharing(leaf)?,
                memory: memory(leaf)?,
            })
        }
        _ => {
            leaf.expect_only(&["destroyed_before", "full_before", "t"])?;
            Ok(Leaf::EpochDestroyed {
                destroyed_before: leaf.number("destroyed_before")?,
                full_before: leaf.number("full_before")?,
            })
        }
    }
}

fn of_key(role: &str, leaf: &Object<'_>) -> Result<Leaf, JsonError> {
    match role {
        "key-created" => {
            leaf.expect_only(&["c", "epoch", "kc", "kind", "t"])?;
            Ok(Leaf::KeyCreated {
                key: key(leaf)?,
                kind: kind(leaf)?,
            })
        }
        "key-erased" => {
            leaf.expect_only(&["c", "epoch", "fence_index", "kc", "request", "t"])?;
            leaf.number("fence_index")?;
            let request = leaf.array("request")?;
            Ok(Leaf::KeyErased {
                key: key(leaf)?,
                request,
            })
        }
        "erase-fenced" => {
            leaf.expect_only(&["c", "index", "kind", "reason", "request", "t"])?;
            leaf.number("reason")?;
            fenced(leaf)?;
            let request = leaf.array("request")?;
            Ok(Leaf::EraseFenced {
                c: leaf.array("c")?,
                request,
            })
        }
        _ => {
            leaf.expect_only(&["c", "index", "kind", "request", "t"])?;
            fenced(leaf)?;
            leaf.array::<16>("request")?;
            Ok(Leaf::EraseCancelled { c: leaf.array("c")? })
        }
    }
}

fn of_node(role: &str, leaf: &Object<'_>) -> Result<Leaf, JsonError> {
    Ok(match role {
        "root-granted" => {
            leaf.expect_only(&["boot", "epoch", "node", "t"])?;
            Leaf::RootGranted {
                epoch: leaf.number("epoch")?,
                process: process(leaf)?,
            }
        }
        "holder-attest" | "holder-retired" => Leaf::Attested(Attestation::read(role, leaf)?),
        "lease-expired" => {
            leaf.expect_only(&["boot", "epoch", "node", "t", "waited_ms"])?;
            Leaf::LeaseExpired {
                epoch: leaf.number("epoch")?,
                process: process(leaf)?,
                waited_ms: leaf.number("waited_ms")?,
            }
        }
        "decommissioned" => {
            leaf.expect_only(&["evidence", "node", "t"])?;
            leaf.bytes("evidence")?;
            Leaf::Decommissioned {
                node: leaf.number("node")?,
            }
        }
        "node-keys" => {
            leaf.expect_only(&["attest", "cosign", "node", "t"])?;
            leaf.array::<32>("cosign")?;
            Leaf::NodeKeys {
                node: leaf.number("node")?,
                attest: leaf.array("attest")?,
            }
        }
        "node-admitted" => Leaf::NodeAdmitted {
            node: leaf.number("node")?,
        },
        "node-removed" => Leaf::NodeRemoved {
            node: leaf.number("node")?,
        },
        "vault-rollback-detected" => Leaf::VaultRolledBack {
            node: leaf.number("node")?,
            epoch: leaf.number("epoch")?,
        },
        "node-leaving" | "policy" | "sealed" | "unsealed" | "version-raised" => {
            Leaf::Other { is_known: true }
        }
        _ => Leaf::Other { is_known: false },
    })
}

fn expect(leaf: &Object<'_>, shared: &[&str], more: &[&str]) -> Result<(), JsonError> {
    leaf.expect_only(&[shared, more].concat())
}

fn kind(leaf: &Object<'_>) -> Result<Kind, JsonError> {
    Kind::from_tag(leaf.number("kind")?).ok_or_else(|| wrong("kind", "a kind of key"))
}

fn fenced(leaf: &Object<'_>) -> Result<(), JsonError> {
    leaf.number("index")?;
    kind(leaf).map(|_| ())
}

fn key(leaf: &Object<'_>) -> Result<KeyLeaf, JsonError> {
    Ok(KeyLeaf {
        c: leaf.array("c")?,
        kc: leaf.array("kc")?,
        epoch: leaf.number("epoch")?,
    })
}

fn root(leaf: &Object<'_>) -> Result<Root, JsonError> {
    leaf.number("attempt")?;
    Ok(Root {
        epoch: leaf.number("epoch")?,
        sharing: sharing(leaf)?,
        root_commit: leaf.array("root_commit")?,
    })
}

/// Distinct holders in their order, and a threshold that no two groups of them reach without each other.
fn sharing(leaf: &Object<'_>) -> Result<Sharing, JsonError> {
    let holders = leaf.numbers("holders")?;
    if holders.is_empty() || !holders.is_sorted_by(|before, node| before < node) {
        return Err(wrong("holders", "a rising list of nodes"));
    }
    let threshold = leaf.number("threshold")?;
    let count = holders.len() as u64;
    if threshold > count || 2 * threshold <= count {
        return Err(wrong(
            "threshold",
            "more than half of the holders, and not more than all",
        ));
    }
    Ok(Sharing { holders, threshold })
}

fn memory(leaf: &Object<'_>) -> Result<Vec<Process>, JsonError> {
    let member = |value: &&Object<'_>| {
        value.expect_only(&["boot", "node"])?;
        process(value)
    };
    leaf.objects("memory")?.iter().map(member).collect()
}

fn process(leaf: &Object<'_>) -> Result<Process, JsonError> {
    Ok(Process {
        node: leaf.number("node")?,
        boot: leaf.array("boot")?,
    })
}

impl Object<'_> {
    /// The same object without a field.
    fn without(&self, name: &str) -> Self {
        let fields = self.fields().filter(|(other, _)| *other != name);
        Self::of_sorted(fields.map(|(name, value)| (name, Value::clone(value))).collect())
    }
}
