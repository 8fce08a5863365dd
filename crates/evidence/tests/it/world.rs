//! A small log with a log key, three nodes and a witness, the same on every run.

use eunoe_evidence::merkle::{Frontier, Hash, inclusion_proof, leaf_hash};
use eunoe_evidence::{
    AddCheckpoint, Checkpoint, Cosigner, KeyName, LogKey, Policy, Proof, SignedCheckpoint, prove_consistency,
};

pub(crate) const ORIGIN: &str = "eunoe.example/cluster/7f3a";
/// Leaves: more than a tile has.
pub(crate) const SIZE: u64 = 300;
/// The tree that was cosigned before.
pub(crate) const OLD_SIZE: u64 = 259;
/// The leaf that is proved.
pub(crate) const INDEX: u64 = 257;
/// Seconds since the Epoch.
pub(crate) const TIME_S: u64 = 1_795_305_600;

/// Names in the policy.
pub(crate) const COSIGNERS: [&str; 4] = ["n1", "n2", "n3", "w"];

pub(crate) fn name(name: &str) -> KeyName {
    KeyName::new(name).unwrap()
}

pub(crate) fn log_key() -> LogKey {
    LogKey::from_seed(name(ORIGIN), &[1; 32]).unwrap()
}

/// The cosigner with this name in the policy.
pub(crate) fn cosigner(short: &str) -> Cosigner {
    let place = COSIGNERS.iter().position(|other| *other == short).unwrap();
    let full = format!("{short}.eunoe.example");
    Cosigner::from_seed(name(&full), &[u8::try_from(place).unwrap() + 2; 32]).unwrap()
}

pub(crate) fn leaf(index: u64) -> Vec<u8> {
    format!("{{\"epoch\":{index},\"nodes\":[1,2,3],\"t\":\"eunoe/epoch-switch@v1\"}}").into_bytes()
}

pub(crate) fn leaf_hashes(size: u64) -> Vec<Hash> {
    (0..size).map(|index| leaf_hash(&leaf(index))).collect()
}

pub(crate) fn checkpoint(size: u64) -> Checkpoint {
    let mut frontier = Frontier::new();
    leaf_hashes(size)
        .into_iter()
        .for_each(|hash| frontier.append(hash));
    Checkpoint::new(ORIGIN, size, frontier.root(), Vec::new()).unwrap()
}

/// Signed by the log and cosigned by these.
pub(crate) fn signed_by(checkpoint: &Checkpoint, cosigners: &[&str]) -> SignedCheckpoint {
    let mut lines = vec![log_key().sign(checkpoint).unwrap()];
    lines.extend(
        cosigners
            .iter()
            .map(|short| cosigner(short).cosign(checkpoint, TIME_S).unwrap()),
    );
    SignedCheckpoint::new(checkpoint.clone(), lines).unwrap()
}

/// Signed by the log and cosigned by just enough.
pub(crate) fn signed() -> SignedCheckpoint {
    signed_by(&checkpoint(SIZE), &["n1", "n3", "w"])
}

pub(crate) fn proof() -> Proof {
    let hashes = inclusion_proof(&leaf_hashes(SIZE)[..], INDEX, SIZE).unwrap();
    Proof::new(INDEX, hashes, signed()).unwrap()
}

pub(crate) fn consistency() -> Vec<Hash> {
    prove_consistency(&leaf_hashes(SIZE)[..], OLD_SIZE, SIZE).unwrap()
}

pub(crate) fn request() -> AddCheckpoint {
    let checkpoint = signed_by(&checkpoint(SIZE), &[]);
    AddCheckpoint::new(OLD_SIZE, consistency(), checkpoint).unwrap()
}

pub(crate) fn policy_text() -> String {
    let mut text = format!(
        "# Two of three nodes, and the witness.\nlog {}\n",
        log_key().verifier()
    );
    for short in COSIGNERS {
        text += &format!("witness {short} {}\n", cosigner(short).verifier());
    }
    text + "group nodes 2 n1 n2 n3\ngroup outside any w\ngroup both all nodes outside\nquorum both\n"
}

pub(crate) fn policy() -> Policy {
    Policy::parse(policy_text().as_bytes()).unwrap()
}
