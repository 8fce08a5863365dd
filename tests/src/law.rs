//! The law of dependencies: which crate may build on which, and who alone may name a library.
//!
//! Adding an arrow or an owner is a decision about the architecture: docs/ARCHITECTURE.md changes with it.

use crate::packages::{Dependency, Package};

/// Every member and the members that it may build on. Arrows point down; nothing points at the server.
pub const ARROWS: &[(&str, &[&str])] = &[
    ("eunoe-types", &[]),
    ("eunoe-merkle", &[]),
    ("eunoe-proto", &[]),
    // An auditor builds it alone; the fuzzers' forms are all that it has of the types.
    ("eunoe-evidence", &["eunoe-types", "eunoe-merkle"]),
    // Who runs a witness trusts no node, and builds none.
    ("eunoe-witness", &["eunoe-evidence"]),
    ("eunoe-core", &["eunoe-types", "eunoe-merkle"]),
    ("eunoe-crypto", &["eunoe-types"]),
    ("eunoe-custody", &["eunoe-types", "eunoe-core", "eunoe-crypto"]),
    ("eunoe-store", &["eunoe-types", "eunoe-core"]),
    ("eunoe-vault", &["eunoe-types", "eunoe-crypto"]),
    ("eunoe-raft", &["eunoe-types", "eunoe-core", "eunoe-store"]),
    (
        "eunoe-server",
        &[
            "eunoe-types",
            "eunoe-evidence",
            "eunoe-witness",
            "eunoe-core",
            "eunoe-crypto",
            "eunoe-custody",
            "eunoe-proto",
            "eunoe-store",
            "eunoe-vault",
            "eunoe-raft",
        ],
    ),
    ("eunoe-client", &["eunoe-types", "eunoe-proto"]),
    (
        "eunoe-cli",
        &["eunoe-types", "eunoe-evidence", "eunoe-witness", "eunoe-client"],
    ),
    // Wire formats and nothing that serves: what it reads must not depend on what a node would show.
    (
        "eunoe-attack",
        &[
            "eunoe-types",
            "eunoe-core",
            "eunoe-crypto",
            "eunoe-store",
            "eunoe-vault",
        ],
    ),
    ("eunoe-sim", EVERY_LIBRARY),
    // Nothing builds on these, so they may use what they test and measure.
    ("eunoe-tests", EVERY_LIBRARY),
    ("eunoe-benches", EVERY_LIBRARY),
    (
        FUZZ,
        &[
            "eunoe-types",
            "eunoe-merkle",
            "eunoe-evidence",
            "eunoe-core",
            "eunoe-crypto",
            "eunoe-store",
            "eunoe-vault",
            "eunoe-raft",
            "eunoe-server",
            "eunoe-client",
            "eunoe-cli",
        ],
    ),
];

/// The fuzzers, which also reach the program of the command line.
const FUZZ: &str = "eunoe-fuzz";

const EVERY_LIBRARY: &[&str] = &[
    "eunoe-types",
    "eunoe-merkle",
    "eunoe-evidence",
    "eunoe-witness",
    "eunoe-proto",
    "eunoe-core",
    "eunoe-crypto",
    "eunoe-custody",
    "eunoe-store",
    "eunoe-vault",
    "eunoe-raft",
    "eunoe-server",
    "eunoe-client",
    "eunoe-attack",
];

/// Libraries that decide something, and who alone may name them outside of tests. A library that is in no row here
/// is free to use.
pub const OWNERS: &[(&str, &[&str])] = &[
    ("openraft", &["eunoe-raft"]),
    // What openraft and simulated worlds draw from; what must not be guessed comes from `eunoe_crypto::Entropy`.
    ("rand", &["eunoe-raft", "eunoe-sim"]),
    ("rocksdb", &["eunoe-store"]),
    ("crc32c", &["eunoe-store"]),
    ("aws-lc-rs", &["eunoe-crypto"]),
    ("chacha20poly1305", &["eunoe-crypto"]),
    ("subtle", &["eunoe-crypto"]),
    // Checksums of stored files, derivation of keys.
    ("blake3", &["eunoe-crypto", "eunoe-store", "eunoe-vault"]),
    // Where the keys of vaults are that keep none themselves.
    ("cryptoki", &["eunoe-vault"]),
    // Calls over HTTP: a server of keys, and witnesses.
    ("ureq", &["eunoe-vault", "eunoe-witness"]),
    // The transparency log's tree and key ids; fingerprints of the public keys that nodes must show.
    (
        "sha2",
        &["eunoe-merkle", "eunoe-evidence", "eunoe-server", "eunoe-cli"],
    ),
    ("ed25519-dalek", &["eunoe-evidence"]),
    // Other people's verifiers, for tests.
    ("signed_note", &[]),
    ("tlog_tiles", &[]),
    (
        "zeroize",
        &["eunoe-crypto", "eunoe-vault", "eunoe-server", "eunoe-witness"],
    ),
    // A node's keys come from `eunoe_crypto::Entropy`; a witness makes its own, the others request ids and serial numbers.
    (
        "getrandom",
        &["eunoe-crypto", "eunoe-client", "eunoe-cli", "eunoe-witness"],
    ),
    ("prost", &["eunoe-proto", "eunoe-server", "eunoe-client"]),
    (
        "tonic",
        &["eunoe-proto", "eunoe-server", "eunoe-client", "eunoe-sim"],
    ),
    ("tonic-prost", &["eunoe-proto"]),
    ("tonic-prost-build", &["eunoe-proto"]),
    ("protox", &["eunoe-proto"]),
    ("tonic-health", &["eunoe-server"]),
    // What leaves a node about itself passes one allow-list, in the server.
    ("opentelemetry", &["eunoe-server"]),
    ("opentelemetry_sdk", &["eunoe-server"]),
    ("opentelemetry-otlp", &["eunoe-server"]),
    ("opentelemetry-prometheus", &["eunoe-server"]),
    ("opentelemetry-proto", &[]),
    ("prometheus", &["eunoe-server"]),
    ("tonic-reflection", &["eunoe-server"]),
    ("tonic-web", &["eunoe-server"]),
    ("axum", &["eunoe-server", "eunoe-witness"]),
    ("governor", &["eunoe-server"]),
    ("tracing-subscriber", &["eunoe-server"]),
    ("jsonwebtoken", &["eunoe-server", "eunoe-cli"]),
    ("x509-parser", &["eunoe-server"]),
    (
        "rustls",
        &["eunoe-server", "eunoe-client", "eunoe-vault", "eunoe-witness"],
    ),
    ("tokio-rustls", &["eunoe-server", "eunoe-client"]),
    ("backon", &["eunoe-client"]),
    (
        "clap",
        &["eunoe-cli", "eunoe-server", "eunoe-sim", "eunoe-attack"],
    ),
    ("clap_complete", &["eunoe-cli"]),
    ("indicatif", &["eunoe-cli"]),
    ("rcgen", &["eunoe-cli"]),
    ("flate2", &["eunoe-cli"]),
    ("libfuzzer-sys", &[FUZZ]),
    ("fuser", &[]),
];

/// Crates without clock, randomness, I/O and threads of their own: their code runs as it is in a simulator.
pub const PURE: &[&str] = &[
    "eunoe-types",
    "eunoe-merkle",
    "eunoe-evidence",
    "eunoe-core",
    "eunoe-custody",
];

/// All that a pure crate may name outside of its tests, beside members.
const PURE_MAY_NAME: &[&str] = &[
    "base64",
    "bytes",
    "ed25519-dalek",
    "quick_cache",
    "sha2",
    "thiserror",
];

/// Libraries of which another version is another program, so that only a reviewed bump may change them.
const EXACT: &[&str] = &["openraft", "rocksdb"];

/// Members that nothing may build on, not even a test of another member; the fuzzers alone reach into the first.
const TOP: &[&str] = &["eunoe-cli", "eunoe-tests", "eunoe-benches", FUZZ];

/// Every breach of the law, one sentence each.
pub fn breaches(packages: &[Package]) -> Vec<String> {
    let mut breaches: Vec<String> = packages
        .iter()
        .flat_map(|package| package.dependencies.iter().filter_map(|d| breach(package, d)))
        .collect();
    let unlisted = packages
        .iter()
        .filter(|package| arrows_of(&package.name).is_none());
    breaches.extend(unlisted.map(|package| format!("{} has no row in ARROWS", package.name)));
    breaches
}

fn breach(from: &Package, to: &Dependency) -> Option<String> {
    let (from, name) = (from.name.as_str(), to.name.as_str());
    if arrows_of(name).is_some() {
        return arrow_breach(from, to);
    }
    if EXACT.contains(&name) && !to.req.starts_with('=') {
        return Some(format!("{from} does not pin {name} exactly"));
    }
    if to.is_dev() {
        return None;
    }
    if PURE.contains(&from) && !PURE_MAY_NAME.contains(&name) {
        return Some(format!("{from} is pure and names {name}"));
    }
    let owners = OWNERS.iter().find(|(library, _)| *library == name)?.1;
    // The two packages that nothing builds on may measure and test a library by itself.
    let outside = matches!(from, "eunoe-tests" | "eunoe-benches");
    (!owners.contains(&from) && !outside).then(|| format!("{from} names {name}, which only {owners:?} may"))
}

fn arrow_breach(from: &str, to: &Dependency) -> Option<String> {
    let name = to.name.as_str();
    if TOP.contains(&name) && (from, name) != (FUZZ, "eunoe-cli") {
        return Some(format!("{from} builds on {name}, and nothing may"));
    }
    // A test may borrow any library: an in-memory engine, a client to call a server with.
    let allowed = to.is_dev() || arrows_of(from).is_some_and(|arrows| arrows.contains(&name));
    (!allowed).then(|| format!("{from} builds on {name}: an arrow that ARROWS does not have"))
}

fn arrows_of(member: &str) -> Option<&'static [&'static str]> {
    ARROWS
        .iter()
        .find(|(name, _)| *name == member)
        .map(|(_, arrows)| *arrows)
}
