//! The targets, and the cases that are more than one function of a crate.

mod crypto;
mod files;
mod machines;
mod merkle;

use crate::Target;

/// What a target's seeds are mutated into by its short form, unless a case takes long.
const MUTATIONS: usize = 20_000;

const fn target(
    name: &'static str,
    forms: &'static [&'static [eunoe_types::fuzzing::Form]],
    readers: &'static [&'static [eunoe_types::fuzzing::Reader]],
) -> Target {
    Target {
        name,
        forms,
        readers,
        refused: &[],
        mutations: MUTATIONS,
    }
}

/// All targets.
pub const TARGETS: &[Target] = &[
    target("types", &[eunoe_types::fuzzing::FORMS], &[]),
    target(
        "control",
        &[eunoe_core::fuzzing::CONTROL],
        &[eunoe_core::fuzzing::READERS],
    ),
    target("data", &[eunoe_core::fuzzing::DATA], &[]),
    Target {
        mutations: 4_000,
        ..target("machines", &[], &[machines::READERS])
    },
    target("merkle", &[merkle::FORMS], &[merkle::READERS]),
    target(
        "evidence",
        &[eunoe_evidence::fuzzing::FORMS],
        &[eunoe_evidence::fuzzing::READERS],
    ),
    Target {
        refused: &["forged page", "forged envelope"],
        ..target(
            "crypto",
            &[eunoe_crypto::fuzzing::FORMS],
            &[eunoe_crypto::fuzzing::READERS, crypto::READERS],
        )
    },
    target(
        "raft",
        &[eunoe_raft::fuzzing::FORMS],
        &[eunoe_raft::fuzzing::READERS],
    ),
    target(
        "store",
        &[eunoe_store::fuzzing::FORMS],
        &[eunoe_store::fuzzing::READERS],
    ),
    Target {
        mutations: 300,
        ..target("log-files", &[], &[files::LOG])
    },
    Target {
        mutations: 1_000,
        ..target(
            "vault",
            &[eunoe_vault::fuzzing::FORMS, eunoe_vault::fuzzing::CATALOGS],
            &[files::VAULT],
        )
    },
    target(
        "server",
        &[eunoe_server::fuzzing::TOKENS, eunoe_server::fuzzing::CONTENTS],
        &[eunoe_server::fuzzing::TEXTS],
    ),
    target(
        "requests",
        &[],
        &[eunoe_server::fuzzing::REQUESTS, eunoe_server::fuzzing::PEERS],
    ),
    Target {
        // Signatures of tokens are not forged.
        refused: &["token"],
        ..target("identity", &[], eunoe_server::fuzzing::IDENTITIES)
    },
    target("client", &[], &[eunoe_client::fuzzing::READERS]),
    target("cli", &[], &[eunoe_cli::fuzzing::READERS]),
];
