//! Notes and checkpoints: examples of the specs, a public log, and what is refused.

use eunoe_evidence::{
    Checkpoint, CheckpointError, ConsistencyError, KeyError, KeyName, Note, NoteError, SIZE_MAX, SignError,
    SignatureError, SignatureLine, Signed, SignedCheckpoint, UntrustedNote, VerifierKey, verify_consistency,
};

use crate::world::{
    OLD_SIZE, ORIGIN, SIZE, TIME_S, checkpoint, consistency, cosigner, log_key, name, signed, signed_by,
};

/// A checkpoint of the log arche2025h1 of the static CT API's staging, cosigned by public witnesses on 2026-05-23.
const PUBLIC: &str = include_str!("golden/public-log-checkpoint");
const PUBLIC_LOG: &str =
    "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f";
const PUBLIC_WITNESS: &str = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";

#[test]
fn a_public_logs_checkpoint_verifies() {
    let keys = [PUBLIC_LOG, PUBLIC_WITNESS].map(|vkey| VerifierKey::parse(vkey).unwrap());
    for (vkey, key) in [PUBLIC_LOG, PUBLIC_WITNESS].iter().zip(&keys) {
        assert_eq!(&key.to_string(), vkey);
    }
    let signed = SignedCheckpoint::parse(PUBLIC.as_bytes()).unwrap();
    assert_eq!(signed.to_string(), PUBLIC);
    assert_eq!(signed.checkpoint().size(), 1_432_088_532);
    let time_s = Some(1_779_573_024);
    assert_eq!(
        signed.verify(&keys).unwrap(),
        [Signed { key: 0, time_s: None }, Signed { key: 1, time_s }]
    );
    // With another size the same signatures say nothing.
    let other = PUBLIC.replace("1432088532", "1432088533");
    let other = SignedCheckpoint::parse(other.as_bytes()).unwrap();
    assert!(matches!(
        other.verify(&keys),
        Err(UntrustedNote::Signature(_, SignatureError::Wrong))
    ));
}

#[test]
fn examples_of_the_specs_are_read() {
    let note = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n\
                — quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0x\
                McXxj99ihAQwaqP3ZekRwNtIc=\n";
    let parsed = Note::parse(note.as_bytes()).unwrap();
    assert!(parsed.text().ends_with(":\n\ned è subito sera.\n"));
    assert_eq!(parsed.to_string(), note);
    let cosigned = include_str!("golden/spec-cosigned-checkpoint");
    let parsed = SignedCheckpoint::parse(cosigned.as_bytes()).unwrap();
    assert_eq!(parsed.to_string(), cosigned);
    let line = &parsed.note().signatures()[1];
    let time = line
        .signature()
        .split_first_chunk()
        .map(|(time, _)| u64::from_be_bytes(*time));
    // The spec's message has the time 1679315147.
    assert_eq!(time, Some(1_679_315_147));
}

#[test]
fn names_and_keys_have_one_form() {
    for bad in [
        "",
        "a b",
        "a+b",
        "a\u{a0}b",
        "a\u{2003}b",
        "a\tb",
        "a\nb",
        "a\u{1}b",
        &"x".repeat(256),
    ] {
        assert_eq!(KeyName::new(bad), Err(KeyError::Name), "{bad:?}");
    }
    assert!(KeyName::new(&"x".repeat(255)).is_ok());
    let good = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    assert_eq!(VerifierKey::parse(good).unwrap().to_string(), good);
    for (bad, error) in [
        ("PeterNeumann", KeyError::Form),
        ("PeterNeumann+c74f20a3", KeyError::Form),
        (&good.replace("c74f", "C74F"), KeyError::Id),
        (&good.replace("+c74f", "+0c74f"), KeyError::Id),
        (&good.replace("Peter", "peter"), KeyError::Id),
        (&good.replace("10TW", "10T="), KeyError::Base64),
        // Go's: a wrong length and an unknown type, with the right id.
        (
            "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
            KeyError::Base64,
        ),
        (
            "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            KeyError::Type,
        ),
        (&format!("+c74f20a3+{}", &good[22..]), KeyError::Name),
        ("a+00000000+", KeyError::Type),
        (&good.repeat(9), KeyError::Form),
    ] {
        assert_eq!(VerifierKey::parse(bad), Err(error), "{bad}");
    }
    // The neutral element verifies what nobody signed.
    let mut weak = [0; 32];
    weak[0] = 1;
    let kind = log_key().verifier().signature_type();
    assert_eq!(VerifierKey::new(name("n"), kind, &weak), Err(KeyError::Point));
}

#[test]
fn notes_of_another_form_are_refused() {
    let good = signed().to_string();
    let line = log_key().sign(&checkpoint(SIZE)).unwrap().to_string();
    for (bad, error) in [
        (String::new(), NoteError::NoSeparator),
        (good.replace("\n\n", "\n"), NoteError::NoSeparator),
        (good.replace('\n', "\r\n"), NoteError::NoSeparator),
        (good.replacen("eunoe", "eun\toe", 1), NoteError::NotText),
        (good[..good.len() - 1].to_owned(), NoteError::Lines),
        (good.clone() + "x", NoteError::Lines),
        (good.clone() + "\n", NoteError::Lines),
        (
            format!("a\n\n{}", line.replacen('\u{2014}', "-", 1)) + "\n",
            NoteError::Line,
        ),
        (format!("a\n\n{line} \n"), NoteError::Base64),
        (
            format!("a\n\n\u{2014}  {}\n", &line[4..]),
            NoteError::Name(KeyError::Name),
        ),
        ("a\n\n\u{2014} n AAAA\n".to_owned(), NoteError::Base64),
        ("a\n\n\u{2014} n AAAAAA==\n".to_owned(), NoteError::Base64),
        ("a\n\n\u{2014} n AAAAAAB=\n".to_owned(), NoteError::Base64),
        ("a\n\n\u{2014} n\n".to_owned(), NoteError::Line),
        (
            format!("a\n\n{}", format!("{line}\n").repeat(65)),
            NoteError::Lines,
        ),
        (
            format!("{}\n\n{line}\n", "a".repeat(256 * 1024)),
            NoteError::TooLong,
        ),
    ] {
        assert_eq!(Note::parse(bad.as_bytes()), Err(error), "{bad:.200?}");
    }
    assert_eq!(Note::parse(b"\xff\n\n\n"), Err(NoteError::NotText));
    assert!(Note::parse(format!("a\n\n{}", format!("{line}\n").repeat(64)).as_bytes()).is_ok());
    let lines = vec![SignatureLine::parse(&line).unwrap()];
    assert_eq!(Note::new("no newline".to_owned(), lines), Err(NoteError::Text));
    assert_eq!(Note::new("a\n".to_owned(), Vec::new()), Err(NoteError::Lines));
}

#[test]
fn only_known_keys_say_something() {
    let signed = signed();
    let (log, node) = (log_key().verifier().clone(), cosigner("n1").verifier().clone());
    assert_eq!(signed.verify(&[]), Err(UntrustedNote::Unsigned));
    assert_eq!(
        signed.verify(&[cosigner("n2").verifier().clone()]),
        Err(UntrustedNote::Unsigned)
    );
    assert_eq!(signed.verify(&[node.clone(), log.clone()]).unwrap().len(), 2);
    assert_eq!(
        signed.verify(&[log.clone(), log.clone()]),
        Err(UntrustedNote::AmbiguousKey(log.name().clone()))
    );
    // The same secret under another name or type is another key.
    let other = VerifierKey::new(name("other"), log.signature_type(), log.public_key()).unwrap();
    assert_eq!(signed.verify(&[other]), Err(UntrustedNote::Unsigned));
    let retyped = VerifierKey::new(log.name().clone(), node.signature_type(), log.public_key()).unwrap();
    assert_eq!(signed.verify(&[retyped]), Err(UntrustedNote::Unsigned));
}

#[test]
fn a_known_key_signs_once_and_right() {
    let node = cosigner("n1");
    let mut twice = signed().to_string();
    twice += &format!("{}\n", node.cosign(&checkpoint(SIZE), TIME_S + 1).unwrap());
    let twice = SignedCheckpoint::parse(twice.as_bytes()).unwrap();
    let name_of_node = node.verifier().name().clone();
    assert_eq!(
        twice.verify(&[node.verifier().clone()]),
        Err(UntrustedNote::Duplicate(name_of_node.clone()))
    );
    // Adding takes the place of the one before.
    let mut replaced = signed();
    replaced
        .add(node.cosign(&checkpoint(SIZE), TIME_S + 1).unwrap())
        .unwrap();
    let time_s = Some(TIME_S + 1);
    assert_eq!(
        replaced.verify(&[node.verifier().clone()]),
        Ok(vec![Signed { key: 0, time_s }])
    );
    // A cosignature for another tree; the log's own is right.
    let mut foreign = signed_by(&checkpoint(SIZE), &[]);
    foreign
        .add(node.cosign(&checkpoint(OLD_SIZE), TIME_S).unwrap())
        .unwrap();
    let keys = [log_key().verifier().clone(), node.verifier().clone()];
    assert_eq!(
        foreign.verify(&keys),
        Err(UntrustedNote::Signature(name_of_node, SignatureError::Wrong))
    );
    let key = node.verifier();
    assert_eq!(key.verify("a\n", &[0; 71]), Err(SignatureError::Length));
    assert_eq!(key.verify("a\n", &[0; 7]), Err(SignatureError::Length));
    assert_eq!(key.verify("a\n", &[0xff; 72]), Err(SignatureError::Timestamp));
    assert_eq!(
        log_key().verifier().verify("a\n", &[0; 65]),
        Err(SignatureError::Length)
    );
}

#[test]
fn signers_sign_what_is_theirs() {
    let other = Checkpoint::new("other.example", SIZE, *checkpoint(SIZE).root(), Vec::new()).unwrap();
    assert_eq!(log_key().sign(&other), Err(SignError::Origin));
    assert_eq!(cosigner("w").cosign(&other, SIZE_MAX + 1), Err(SignError::Time));
    assert!(cosigner("w").cosign(&other, SIZE_MAX).is_ok());
}

#[test]
fn checkpoints_of_another_form_are_refused() {
    let good = checkpoint(SIZE).to_string();
    let root = good.lines().nth(2).unwrap();
    for (bad, error) in [
        (String::new(), CheckpointError::Lines),
        (good.trim_end().to_owned(), CheckpointError::Lines),
        (format!("{ORIGIN}\n300\n"), CheckpointError::Lines),
        (format!("\n300\n{root}\n"), CheckpointError::Origin),
        (
            format!("{}\n300\n{root}\n", "o".repeat(256)),
            CheckpointError::Origin,
        ),
        (format!("a\u{1}b\n300\n{root}\n"), CheckpointError::Origin),
        (good.replace("300", "0300"), CheckpointError::Size),
        (good.replace("300", "+300"), CheckpointError::Size),
        (good.replace("300", ""), CheckpointError::Size),
        (good.replace("300", "9223372036854775808"), CheckpointError::Size),
        (good.replace("300", "0"), CheckpointError::EmptyTree),
        (good.replace('=', ""), CheckpointError::Root),
        (good.replace(root, "AAAA"), CheckpointError::Root),
        (good.clone() + "\n", CheckpointError::Extension),
        (good.clone() + "one\n\ntwo\n", CheckpointError::Extension),
    ] {
        assert_eq!(Checkpoint::parse(&bad), Err(error), "{bad:?}");
    }
    let extended = good + "one\ntwo\n";
    let parsed = Checkpoint::parse(&extended).unwrap();
    assert_eq!(parsed.extensions(), ["one", "two"]);
    assert_eq!(parsed.to_string(), extended);
    let line = vec!["a\nb".to_owned()];
    assert_eq!(
        Checkpoint::new(ORIGIN, SIZE, [0; 32], line),
        Err(CheckpointError::Extension)
    );
}

#[test]
fn a_newer_checkpoint_continues_an_older_one() {
    let (old, new) = (checkpoint(OLD_SIZE), checkpoint(SIZE));
    verify_consistency(&old, &new, &consistency()).unwrap();
    verify_consistency(&checkpoint(0), &new, &[]).unwrap();
    verify_consistency(&new, &new, &[]).unwrap();
    for (older, newer, proof) in [
        (&new, &old, consistency()),
        (&old, &new, Vec::new()),
        (&checkpoint(0), &new, consistency()),
        (&old, &old, consistency()),
        (&checkpoint(OLD_SIZE - 1), &new, consistency()),
    ] {
        let refused = verify_consistency(older, newer, &proof);
        assert!(matches!(refused, Err(ConsistencyError::Proof(_))), "{refused:?}");
    }
    let other = Checkpoint::new("other.example", SIZE, *new.root(), Vec::new()).unwrap();
    assert_eq!(
        verify_consistency(&old, &other, &consistency()),
        Err(ConsistencyError::Origin)
    );
}
