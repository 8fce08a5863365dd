//! The arrows between the crates are those of the architecture, and a forbidden one is seen.

use std::collections::BTreeSet;

use eunoe_tests::law::{ARROWS, breaches};
use eunoe_tests::packages::{Dependency, Metadata, Package, of_this_workspace, tree};

#[test]
fn the_workspace_keeps_the_law() {
    let found = breaches(&of_this_workspace().packages);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_row_of_the_law_is_about_a_member() {
    let members: BTreeSet<String> = of_this_workspace()
        .packages
        .into_iter()
        .map(|package| package.name)
        .collect();
    let gone: Vec<_> = ARROWS
        .iter()
        .filter(|(name, _)| !members.contains(*name))
        .collect();
    assert!(gone.is_empty(), "rows about packages that are gone: {gone:?}");
}

#[test]
fn arrows_point_down() {
    // A member's arrows lead to members of earlier rows, so no chain of arrows comes back.
    for (row, (name, arrows)) in ARROWS.iter().enumerate() {
        for arrow in *arrows {
            let target = ARROWS.iter().position(|(name, _)| name == arrow);
            assert!(
                target.is_some_and(|target| target < row),
                "{name} points up to {arrow}"
            );
        }
    }
}

/// Features for tests of tests: faults on purpose, steps at which a node ends, keys in a file.
const DANGEROUS: [&str; 3] = ["sabotage", "failpoints", "export-keys"];

/// Lines of a tree whose package has something built in that no node may have.
fn sabotaged(arguments: &[&str]) -> Vec<String> {
    let has = |line: &String| {
        let features = line.rsplit(' ').next().unwrap_or_default();
        features.split(',').any(|feature| DANGEROUS.contains(&feature))
    };
    tree(arguments).into_iter().filter(has).collect()
}

#[test]
fn no_build_has_faults_on_purpose_that_did_not_ask_for_them() {
    for build in [
        &["--workspace", "--edges", "all"][..],
        &["--package", "eunoe-server", "--edges", "normal,build"],
        &["--package", "eunoe-cli", "--edges", "normal,build"],
    ] {
        assert_eq!(sabotaged(build), Vec::<String>::new(), "{build:?}");
    }
    let asked = sabotaged(&["--package", "eunoe-raft", "--features", "sabotage"]);
    let named = |name: &str| asked.iter().any(|line| line.starts_with(name));
    assert!(named("eunoe-raft ") && named("eunoe-types "), "{asked:?}");
    let asked = sabotaged(&["--package", "eunoe-tests", "--features", "instrumented"]);
    let named = |name: &str| asked.iter().any(|line| line.starts_with(name));
    assert!(named("eunoe-server ") && named("eunoe-crypto "), "{asked:?}");
}

fn naming(package: &str, dependency: &str, req: &str, kind: Option<&str>) -> Vec<String> {
    let dependency = Dependency {
        name: dependency.to_owned(),
        req: req.to_owned(),
        kind: kind.map(str::to_owned),
    };
    breaches(&[Package {
        name: package.to_owned(),
        dependencies: vec![dependency],
    }])
}

#[test]
fn forbidden_arrows_are_seen() {
    for (from, to, kind) in [
        // Up, sideways, and around the one who owns the way.
        ("eunoe-types", "eunoe-core", None),
        ("eunoe-core", "eunoe-crypto", None),
        ("eunoe-evidence", "eunoe-core", None),
        ("eunoe-custody", "eunoe-store", None),
        ("eunoe-witness", "eunoe-server", None),
        ("eunoe-client", "eunoe-server", None),
        ("eunoe-cli", "eunoe-raft", None),
        ("eunoe-client", "eunoe-cli", Some("dev")),
        ("eunoe-tests", "eunoe-fuzz", None),
        // Libraries that others own.
        ("eunoe-server", "openraft", None),
        ("eunoe-raft", "rocksdb", None),
        ("eunoe-vault", "sha2", Some("build")),
        ("eunoe-cli", "tonic", None),
        ("eunoe-server", "aws-lc-rs", None),
        ("eunoe-server", "ed25519-dalek", None),
        // What a pure crate must not have.
        ("eunoe-core", "tokio", None),
        ("eunoe-custody", "getrandom", None),
        ("eunoe-types", "tracing", None),
        // A package that nobody decided about.
        ("eunoe-extra", "thiserror", None),
    ] {
        assert_eq!(
            naming(from, to, "=1.0.0", kind).len(),
            1,
            "{from} -> {to} was not seen"
        );
    }
}

#[test]
fn allowed_arrows_are_left_alone() {
    for (from, to, kind) in [
        ("eunoe-core", "eunoe-merkle", None),
        ("eunoe-evidence", "eunoe-merkle", None),
        ("eunoe-evidence", "signed_note", Some("dev")),
        ("eunoe-raft", "openraft", None),
        ("eunoe-store", "rocksdb", None),
        ("eunoe-custody", "eunoe-store", Some("dev")),
        ("eunoe-core", "proptest", Some("dev")),
        ("eunoe-benches", "chacha20poly1305", None),
        ("eunoe-server", "tokio", None),
    ] {
        assert_eq!(
            naming(from, to, "=1.0.0", kind),
            Vec::<String>::new(),
            "{from} -> {to}"
        );
    }
}

#[test]
fn a_loose_pin_is_seen() {
    assert_eq!(naming("eunoe-raft", "openraft", "^0.10", None).len(), 1);
}

#[test]
fn metadata_is_read_as_cargo_writes_it() {
    let text = r#"{"packages":[{"name":"eunoe-core","version":"0.1.0","dependencies":
        [{"name":"openraft","req":"=0.10.0-alpha.37","kind":null,"optional":false}]}],"version":1}"#;
    let metadata: Metadata = serde_json::from_str(text).expect("a known form");
    assert_eq!(
        breaches(&metadata.packages),
        ["eunoe-core is pure and names openraft"]
    );
}
