//! Whom a policy trusts, and which files are policies.

use eunoe_evidence::{
    Checkpoint, Cosigner, KeyError, LogKey, Policy, PolicyError, PolicyLineError, Refused, SignedCheckpoint,
    UntrustedNote,
};

use crate::world::{
    COSIGNERS, SIZE, TIME_S, checkpoint, cosigner, log_key, name, policy, policy_text, signed, signed_by,
};

#[test]
fn a_quorum_is_two_nodes_and_the_witness() {
    let policy = policy();
    for cosigners in 0..1_u32 << COSIGNERS.len() {
        let chosen = |place: &usize| cosigners >> place & 1 == 1;
        let names: Vec<&str> = (0..COSIGNERS.len())
            .filter(chosen)
            .map(|place| COSIGNERS[place])
            .collect();
        let nodes = names.iter().filter(|name| name.starts_with('n')).count();
        let verdict = policy.verify(&signed_by(&checkpoint(SIZE), &names));
        if nodes >= 2 && names.contains(&"w") {
            let agreement = verdict.unwrap();
            assert_eq!(agreement.origin(), log_key().verifier().name());
            let signed: Vec<_> = agreement
                .cosigners
                .iter()
                .map(|one| (&*one.name, one.time_s))
                .collect();
            let expected: Vec<_> = names.iter().map(|name| (*name, TIME_S)).collect();
            assert_eq!(signed, expected);
        } else {
            let quorum = "both".to_owned();
            let cosigners = names.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(verdict, Err(Refused::Quorum { quorum, cosigners }));
        }
    }
}

#[test]
fn the_log_itself_must_sign() {
    let policy = policy();
    let other = Checkpoint::new("other.example", SIZE, [0; 32], Vec::new()).unwrap();
    let line = cosigner("n1").cosign(&other, TIME_S).unwrap();
    let other = SignedCheckpoint::new(other, vec![line]).unwrap();
    assert_eq!(policy.verify(&other), Err(Refused::UnknownLog));
    let checkpoint = checkpoint(SIZE);
    let cosigned = COSIGNERS.map(|short| cosigner(short).cosign(&checkpoint, TIME_S).unwrap());
    let unsigned = SignedCheckpoint::new(checkpoint, cosigned.to_vec()).unwrap();
    assert_eq!(policy.verify(&unsigned), Err(Refused::NoLogSignature));
}

#[test]
fn a_node_that_signs_twice_counts_for_nothing() {
    let checkpoint = checkpoint(SIZE);
    let mut lines = vec![log_key().sign(&checkpoint).unwrap()];
    for (short, time_s) in [("n1", TIME_S), ("n1", TIME_S + 1), ("w", TIME_S)] {
        lines.push(cosigner(short).cosign(&checkpoint, time_s).unwrap());
    }
    let doubled = SignedCheckpoint::new(checkpoint, lines).unwrap();
    let name = cosigner("n1").verifier().name().clone();
    assert_eq!(
        policy().verify(&doubled),
        Err(Refused::Signatures(UntrustedNote::Duplicate(name)))
    );
}

#[test]
fn a_policy_says_where_to_ask() {
    let text = policy_text().replace("\nwitness w", "\n\t witness\tw").replace(
        "\ngroup nodes",
        " https://w.example/ \n\n  # blank lines\ngroup nodes",
    );
    let policy = Policy::parse(text.as_bytes()).unwrap();
    let urls: Vec<_> = policy.witnesses().map(|(name, _, url)| (name, url)).collect();
    assert_eq!(urls[2..], [("n3", None), ("w", Some("https://w.example/"))]);
    assert_eq!(policy.logs().count(), 1);
    assert!(policy.verify(&signed()).is_ok());
    let none = format!("log {}\nquorum none\n", log_key().verifier());
    let none = Policy::parse(none.as_bytes()).unwrap();
    assert_eq!(none.verify(&signed()).unwrap().cosigners, []);
}

/// Replaces a part of the good policy and expects the line to be refused.
fn replaced(from: &str, to: &str, line: usize, error: PolicyLineError) {
    let bad = policy_text().replace(from, to);
    let parsed = Policy::parse(bad.as_bytes());
    assert_eq!(parsed, Err(PolicyError::Line { line, error }), "{bad}");
}

/// Adds lines to the good policy, which has ten, and expects one of them to be refused.
fn added(lines: &str, line: usize, error: PolicyLineError) {
    replaced("quorum both\n", &format!("quorum both\n{lines}"), line, error);
}

#[test]
fn lines_have_the_words_that_they_need() {
    replaced("quorum", "Quorum", 10, PolicyLineError::Keyword);
    replaced("quorum both", "quorum both all", 10, PolicyLineError::Words);
    replaced("quorum both", "quorum", 10, PolicyLineError::Words);
    replaced("any w", "", 8, PolicyLineError::Words);
    added("log\n", 11, PolicyLineError::Words);
    added("witness x\n", 11, PolicyLineError::Words);
    replaced("any w", "any", 8, PolicyLineError::Threshold);
    for threshold in ["0", "4", "02", "+2", "All", "-1", "99999999999999999999"] {
        replaced(
            "nodes 2",
            &format!("nodes {threshold}"),
            7,
            PolicyLineError::Threshold,
        );
    }
}

#[test]
fn names_are_defined_once_and_before_they_are_used() {
    replaced("n1 n2 n3", "n1 n2 n4", 7, PolicyLineError::NameUnknown);
    replaced("n1 n2 n3", "n1 n2 n2", 7, PolicyLineError::MemberTwice);
    replaced("any w", "any w n1", 8, PolicyLineError::MemberTwice);
    replaced("any w", "any outside", 8, PolicyLineError::NameUnknown);
    replaced("any w", "any both", 8, PolicyLineError::NameUnknown);
    replaced("any w", "any none", 8, PolicyLineError::NameUnknown);
    for taken in ["nodes", "n1", "none"] {
        replaced(
            "group outside",
            &format!("group {taken}"),
            8,
            PolicyLineError::NameTaken,
        );
    }
    replaced("witness w ", "witness n1 ", 6, PolicyLineError::NameTaken);
    replaced("quorum both", "quorum all", 10, PolicyLineError::NameUnknown);
    added("quorum nodes\n", 11, PolicyLineError::SecondQuorum);
    added("quorum none\n", 11, PolicyLineError::SecondQuorum);
}

#[test]
fn keys_have_one_role() {
    let (log, node) = (
        log_key().verifier().to_string(),
        cosigner("n1").verifier().to_string(),
    );
    added(&format!("log {log}\n"), 11, PolicyLineError::KeyTwice);
    added(&format!("witness n4 {node}\n"), 11, PolicyLineError::KeyTwice);
    added(&format!("witness n4 {log}\n"), 11, PolicyLineError::KeyType);
    added(&format!("log {node}\n"), 11, PolicyLineError::KeyType);
    added("log x+y+z\n", 11, PolicyLineError::Key(KeyError::Base64));
    // The node's secret under another name, and as a log's.
    let seed = &[2; 32];
    let other = Cosigner::from_seed(name("other.example"), seed).unwrap();
    added(
        &format!("witness n4 {}\n", other.verifier()),
        11,
        PolicyLineError::KeyTwice,
    );
    let other = LogKey::from_seed(name("other.example"), seed).unwrap();
    added(
        &format!("log {}\n", other.verifier()),
        11,
        PolicyLineError::KeyTwice,
    );
}

#[test]
fn there_is_an_end_to_lines() {
    let logs: String = (100..133)
        .map(|seed| LogKey::from_seed(name("many.example"), &[seed; 32]).unwrap())
        .map(|key| format!("log {}\n", key.verifier()))
        .collect();
    added(&logs, 42, PolicyLineError::TooMany);
    let witnesses: String = (100..165)
        .map(|seed| Cosigner::from_seed(name("many.example"), &[seed; 32]).unwrap())
        .map(|key| format!("witness m{} {}\n", key.verifier().id(), key.verifier()))
        .collect();
    added(&witnesses, 71, PolicyLineError::TooMany);
    let mut groups = "group g0 any both\n".to_owned();
    for group in 1..31 {
        groups += &format!("group g{group} any g{}\n", group - 1);
    }
    added(&groups, 40, PolicyLineError::TooMany);
}

#[test]
fn files_that_are_no_policies_are_refused() {
    let good = policy_text();
    for (bad, error) in [
        (good.replace("quorum both\n", ""), PolicyError::NoQuorum),
        (String::new(), PolicyError::NotText),
        (good.trim_end().to_owned(), PolicyError::NotText),
        (good.replace('\n', "\r\n"), PolicyError::NotText),
        (good.replace("Two", "\u{7f}wo"), PolicyError::NotText),
        (good.clone() + &"#\n".repeat(32 * 1024), PolicyError::TooLong),
    ] {
        assert_eq!(Policy::parse(bad.as_bytes()), Err(error), "{bad:.100}");
    }
    assert_eq!(Policy::parse(b"# \xff\nquorum none\n"), Err(PolicyError::NotText));
}
