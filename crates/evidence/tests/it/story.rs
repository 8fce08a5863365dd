//! A log in which a key is made and erased, and receipts of that, written by hand: nothing of the crate's receipts is used
//! to make them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use eunoe_evidence::merkle::{Frontier, Hash, inclusion_proof, leaf_hash};
use eunoe_evidence::{Checkpoint, LogKey, Policy, Proof, SignedCheckpoint};
use sha2::{Digest as _, Sha256};

use crate::world::{COSIGNERS, TIME_S, cosigner, name};

pub(crate) const REALM: [u8; 16] = [7; 16];
pub(crate) const ORIGIN: &str = "eunoe/07070707070707070707070707070707";
pub(crate) const REQUEST: [u8; 16] = [9; 16];
pub(crate) const KEY: [u8; 32] = [11; 32];
pub(crate) const OLD_ROOT: [u8; 32] = [12; 32];
pub(crate) const NEW_ROOT: [u8; 32] = [13; 32];
pub(crate) const KID: [u8; 16] = [14; 16];
pub(crate) const BLIND: [u8; 32] = [15; 32];
pub(crate) const TENANT: &str = "acme";
pub(crate) const REFERENCE: &[u8] = b"visitor 4711";

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    Sha256::digest(parts.concat()).into()
}

pub(crate) fn commit() -> [u8; 32] {
    let named = sha256(&[TENANT.as_bytes(), &[0], REFERENCE]);
    sha256(&[b"eunoe/subject-commit/v1\0", &REALM, &KID, &BLIND, &named])
}

pub(crate) fn boot(node: u64) -> [u8; 16] {
    [u8::try_from(node).unwrap(); 16]
}

/// The key that a node attests with.
pub(crate) fn attest_key(node: u64) -> SigningKey {
    SigningKey::from_bytes(&[100 + u8::try_from(node).unwrap(); 32])
}

pub(crate) fn granted(epoch: u64, node: u64) -> String {
    let boot = base64(&boot(node));
    format!(r#"{{"boot":"{boot}","epoch":{epoch},"node":{node},"t":"eunoe/root-granted@v1"}}"#)
}

pub(crate) fn created(c: &[u8; 32], epoch: u64) -> String {
    let kc = base64(&sha256(&[b"eunoe/key-commit/v1\0", &KEY]));
    let c = base64(c);
    format!(r#"{{"c":"{c}","epoch":{epoch},"kc":"{kc}","kind":1,"t":"eunoe/key-created@v1"}}"#)
}

pub(crate) fn erased(c: &[u8; 32], epoch: u64) -> String {
    let kc = base64(&sha256(&[b"eunoe/key-commit/v1\0", &KEY]));
    let (c, request) = (base64(c), base64(&REQUEST));
    format!(
        r#"{{"c":"{c}","epoch":{epoch},"fence_index":14,"kc":"{kc}","request":"{request}","t":"eunoe/key-erased@v1"}}"#
    )
}

pub(crate) fn switched(epoch: u64, holders: &str, memory: &[u64]) -> String {
    let root = base64(&sha256(&[b"eunoe/root-commit/v1\0", &NEW_ROOT]));
    format!(
        r#"{{"attempt":1,"epoch":{epoch},"erased":1,"holders":{holders},"memory":[{}],"root_commit":"{root}","t":"eunoe/epoch-switch@v1","threshold":2}}"#,
        processes(memory)
    )
}

pub(crate) fn aborted(epoch: u64, holders: &str, memory: &[u64]) -> String {
    format!(
        r#"{{"attempt":1,"epoch":{epoch},"holders":{holders},"memory":[{}],"t":"eunoe/epoch-aborted@v1","threshold":2}}"#,
        processes(memory)
    )
}

fn processes(nodes: &[u64]) -> String {
    let process = |node: &u64| format!(r#"{{"boot":"{}","node":{node}}}"#, base64(&boot(*node)));
    nodes.iter().map(process).collect::<Vec<_>>().join(",")
}

/// A node's word, with a key that may be its own.
pub(crate) fn attested_by(key: &SigningKey, node: u64, epoch: Option<u64>, vault: &str) -> String {
    let boot = base64(&boot(node));
    let (head, domain, t) = match epoch {
        Some(epoch) => (
            format!(r#"{{"boot":"{boot}","epoch":{epoch},"node":{node},"#),
            &b"eunoe/holder-attest/v1\0"[..],
            "eunoe/holder-attest@v1",
        ),
        None => (
            format!(r#"{{"boot":"{boot}","node":{node},"#),
            &b"eunoe/holder-retired/v1\0"[..],
            "eunoe/holder-retired@v1",
        ),
    };
    let tail = format!(r#""t":"{t}","vault":"{vault}"}}"#);
    let message = [domain, &REALM, format!("{head}{tail}").as_bytes()].concat();
    let sig = base64(&key.sign(&message).to_bytes());
    format!(r#"{head}"sig":"{sig}",{tail}"#)
}

pub(crate) fn attested(node: u64, epoch: u64) -> String {
    attested_by(&attest_key(node), node, Some(epoch), "file")
}

pub(crate) fn expired(node: u64, epoch: u64) -> String {
    let boot = base64(&boot(node));
    format!(
        r#"{{"boot":"{boot}","epoch":{epoch},"node":{node},"t":"eunoe/lease-expired@v1","waited_ms":32300}}"#
    )
}

pub(crate) fn destroyed(before: u64, full: u64) -> String {
    format!(r#"{{"destroyed_before":{before},"full_before":{full},"t":"eunoe/epoch-destroyed@v1"}}"#)
}

pub(crate) fn decommissioned(node: u64) -> String {
    format!(r#"{{"evidence":"AAEC","node":{node},"t":"eunoe/decommissioned@v1"}}"#)
}

pub(crate) fn node_keys(node: u64, attest: &SigningKey) -> String {
    let attest = base64(attest.verifying_key().as_bytes());
    format!(r#"{{"attest":"{attest}","cosign":"{attest}","node":{node},"t":"eunoe/node-keys@v1"}}"#)
}

/// The log's entries by short names, in their order.
#[derive(Clone)]
pub(crate) struct Story(pub(crate) Vec<(String, String)>);

impl Story {
    /// A key of epoch 0 is erased. Nodes 1 to 3 hold the root, two of them suffice; node 4 serves.
    pub(crate) fn until_switch() -> Self {
        let mut story = Self(Vec::new());
        let (log, realm) = (base64(&[1; 32]), base64(&REALM));
        let root = base64(&sha256(&[b"eunoe/root-commit/v1\0", &OLD_ROOT]));
        story.add("genesis", format!(r#"{{"attempt":1,"epoch":0,"holders":[1,2,3],"log_key":"{log}","realm":"{realm}","root_commit":"{root}","t":"eunoe/genesis@v1","threshold":2}}"#));
        for node in 1..=4 {
            let spki = base64(&[1; 32]);
            story.add(
                &format!("admit{node}"),
                format!(
                    r#"{{"node":{node},"site":"a","spki_sha256":"{spki}","t":"eunoe/node-admitted@v1"}}"#
                ),
            );
        }
        for node in 1..=4 {
            story.add(&format!("keys{node}"), node_keys(node, &attest_key(node)));
        }
        for node in 1..=4 {
            story.add(&format!("old{node}"), granted(0, node));
        }
        let (c, request) = (commit(), base64(&REQUEST));
        story.add("created", created(&c, 0));
        story.add("fenced", format!(r#"{{"c":"{}","index":14,"kind":1,"reason":2,"request":"{request}","t":"eunoe/erase-fenced@v1"}}"#, base64(&c)));
        for node in 1..=4 {
            story.add(&format!("new{node}"), granted(1, node));
        }
        story.add("erased", erased(&c, 0));
        story.add("switch", switched(1, "[1,2,3]", &[1, 2, 3, 4]));
        story
    }

    /// Two holders destroyed; leases of the others are over.
    pub(crate) fn at_threshold() -> Self {
        let mut story = Self::until_switch();
        story.add("attest1", attested(1, 1));
        story.add("attest2", attested(2, 1));
        story.add("lease3", expired(3, 1));
        story.add("lease4", expired(4, 1));
        story.add("summary", destroyed(1, 0));
        story
    }

    /// All destroyed.
    pub(crate) fn in_full() -> Self {
        let mut story = Self::until_switch();
        (1..=4).for_each(|node| story.add(&format!("attest{node}"), attested(node, 1)));
        story.add("summary", destroyed(1, 1));
        story
    }

    pub(crate) fn add(&mut self, name: &str, leaf: String) {
        self.0.push((name.to_owned(), leaf));
    }

    fn place(&self, name: &str) -> usize {
        self.0.iter().position(|(other, _)| other == name).unwrap()
    }

    pub(crate) fn put(mut self, name: &str, leaf: String) -> Self {
        let place = self.place(name);
        self.0[place].1 = leaf;
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        let place = self.place(name);
        self.0.remove(place);
        self
    }

    pub(crate) fn before(mut self, name: &str, leaf: String) -> Self {
        let place = self.place(name);
        self.0.insert(place, (format!("before {name}"), leaf));
        self
    }

    pub(crate) fn and(mut self, leaf: String) -> Self {
        self.add("more", leaf);
        self
    }

    pub(crate) fn leaves(&self) -> Vec<Vec<u8>> {
        self.0.iter().map(|(_, leaf)| leaf.clone().into_bytes()).collect()
    }

    pub(crate) fn checkpoint(&self) -> Checkpoint {
        let mut tree = Frontier::new();
        self.leaves().iter().for_each(|leaf| tree.append(leaf_hash(leaf)));
        Checkpoint::new(ORIGIN, self.0.len() as u64, tree.root(), Vec::new()).unwrap()
    }

    pub(crate) fn signed(&self, cosigners: &[&str]) -> SignedCheckpoint {
        let checkpoint = self.checkpoint();
        let mut lines = vec![log_key().sign(&checkpoint).unwrap()];
        let signed = cosigners.iter();
        lines.extend(signed.map(|short| cosigner(short).cosign(&checkpoint, TIME_S).unwrap()));
        SignedCheckpoint::new(checkpoint, lines).unwrap()
    }

    /// What a receipt has of the log, with proofs.
    pub(crate) fn entries(&self, signed: &SignedCheckpoint) -> Vec<(Vec<u8>, Proof)> {
        let leaves = self.leaves();
        let hashes: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
        let is_of_receipt = |leaf: &str| {
            !["root-granted", "node-admitted", "epoch-aborted"]
                .iter()
                .any(|t| leaf.contains(t))
        };
        let proved = self
            .0
            .iter()
            .zip(0..)
            .filter(|((_, leaf), _)| is_of_receipt(leaf));
        proved
            .map(|((_, leaf), index)| {
                let path = inclusion_proof(&hashes[..], index, leaves.len() as u64).unwrap();
                (
                    leaf.clone().into_bytes(),
                    Proof::new(index, path, signed.clone()).unwrap(),
                )
            })
            .collect()
    }

    /// A receipt that says this grade.
    pub(crate) fn receipt(&self, grade: &str) -> String {
        receipt(grade, &self.entries(&self.signed(&["n1", "n3", "w"])))
    }
}

/// A receipt of entries, whether or not they say enough.
pub(crate) fn receipt(grade: &str, entries: &[(Vec<u8>, Proof)]) -> String {
    let entry = |(leaf, proof): &(Vec<u8>, Proof)| {
        let text = String::from_utf8(leaf.clone()).unwrap();
        let role = text.split("\"t\":\"eunoe/").nth(1).unwrap();
        let role = role.split('@').next().unwrap();
        let (leaf, proof) = (base64(leaf), base64(proof.to_string().as_bytes()));
        format!(r#"{{"entry":"{leaf}","proof":"{proof}","role":"{role}"}}"#)
    };
    let entries: Vec<String> = entries.iter().map(entry).collect();
    format!(
        concat!(
            r#"{{"assumptions":["A1","A2","A3","A4","A5","A6","A7","A8","A9"],"commit":"{}","entries":[{}],"#,
            r#""epoch":0,"format":"eunoe/erasure-receipt@v1","grade":"{}","key_commit":"{}","kind":"SUBJECT","#,
            r#""next_epoch":1,"origin":"{}","policy_sha256":"{}","realm":"07070707070707070707070707070707","#,
            r#""request":"{}","status":"DESTROYED","strength":"file"}}"#
        ),
        base64(&commit()),
        entries.join(","),
        grade,
        base64(&sha256(&[b"eunoe/key-commit/v1\0", &KEY])),
        ORIGIN,
        base64(&sha256(&[policy_text().as_bytes()])),
        base64(&REQUEST),
    )
}

/// The entries of a receipt and their proofs, found in its text by nothing of the crate's.
pub(crate) fn unpacked(receipt: &str) -> Vec<(Vec<u8>, String)> {
    let field = |entry: &str, name: &str| {
        let rest = entry.split_once(&format!("\"{name}\":\"")).unwrap().1;
        STANDARD.decode(rest.split('"').next().unwrap()).unwrap()
    };
    let entries = receipt.split("{\"entry\"").skip(1);
    let entries = entries.map(|rest| format!("\"entry\"{rest}"));
    entries
        .map(|entry| {
            let proof = String::from_utf8(field(&entry, "proof")).unwrap();
            (field(&entry, "entry"), proof)
        })
        .collect()
}

pub(crate) fn ticket_text() -> String {
    format!(
        r#"{{"blind":"{}","commit":"{}","format":"eunoe/erasure-ticket@v1","kid":"{}","reference":"{}","request":"{}","tenant":"{TENANT}"}}"#,
        base64(&BLIND),
        base64(&commit()),
        base64(&KID),
        base64(REFERENCE),
        base64(&REQUEST),
    )
}

pub(crate) fn log_key() -> LogKey {
    LogKey::from_seed(name(ORIGIN), &[1; 32]).unwrap()
}

/// Two of three nodes, and the witness.
pub(crate) fn policy_text() -> String {
    let mut text = format!("log {}\n", log_key().verifier());
    for short in COSIGNERS {
        text += &format!("witness {short} {}\n", cosigner(short).verifier());
    }
    text + "group nodes 2 n1 n2 n3\ngroup outside any w\ngroup both all nodes outside\nquorum both\n"
}

pub(crate) fn policy() -> Policy {
    Policy::parse(policy_text().as_bytes()).unwrap()
}
