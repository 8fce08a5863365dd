//! A witness cosigns what continues what it cosigned, and says why it does not.

use eunoe_evidence::merkle::VerifyError;
use eunoe_evidence::{
    AddCheckpoint, AddCheckpointError, AnswerError, Checkpoint, CheckpointError, Cosigner, KeyError, LogKey,
    NoteError, Refusal, SignedCheckpoint, TreeHead, Witness, WitnessAnswer, prove_consistency,
};

use crate::world::{
    OLD_SIZE, ORIGIN, SIZE, TIME_S, checkpoint, consistency, cosigner, leaf_hashes, log_key, name, request,
    signed_by,
};

fn witness() -> Witness {
    Witness::new(vec![log_key().verifier().clone()], cosigner("w")).unwrap()
}

fn head(size: u64) -> TreeHead {
    TreeHead {
        size,
        root: *checkpoint(size).root(),
    }
}

fn ask(old_size: u64, new: &Checkpoint) -> AddCheckpoint {
    let proof = prove_consistency(&leaf_hashes(new.size())[..], old_size, new.size()).unwrap();
    AddCheckpoint::new(old_size, proof, signed_by(new, &[])).unwrap()
}

#[test]
fn growth_is_cosigned() {
    let mut last = TreeHead::empty();
    for size in [0, 1, 1, OLD_SIZE, SIZE] {
        let request = ask(last.size, &checkpoint(size));
        let witnessed = witness().decide(&request, &last, TIME_S).unwrap();
        assert_eq!(witnessed.head, head(size));
        let mut cosigned = signed_by(&checkpoint(size), &[]);
        cosigned.add(witnessed.cosignature).unwrap();
        assert_eq!(cosigned, signed_by(&checkpoint(size), &["w"]));
        last = witnessed.head;
    }
}

/// The same origin and size, other leaves.
fn forked(size: u64) -> Checkpoint {
    Checkpoint::new(ORIGIN, size, [7; 32], Vec::new()).unwrap()
}

#[test]
fn all_else_is_refused_with_its_status() {
    let old = head(OLD_SIZE);
    let other_log = LogKey::from_seed(name("other.example"), &[1; 32]).unwrap();
    let other = Checkpoint::new("other.example", SIZE, [0; 32], Vec::new()).unwrap();
    let other = SignedCheckpoint::new(other.clone(), vec![other_log.sign(&other).unwrap()]).unwrap();
    let impostor = LogKey::from_seed(name(ORIGIN), &[99; 32]).unwrap();
    let new = checkpoint(SIZE);
    let forged = SignedCheckpoint::new(new.clone(), vec![impostor.sign(&new).unwrap()]).unwrap();
    let with = |old_size, proof, checkpoint| AddCheckpoint::new(old_size, proof, checkpoint).unwrap();
    let conflict = |size| WitnessAnswer::Conflict { size };
    for (request, last, answer) in [
        (with(OLD_SIZE, consistency(), other), old, WitnessAnswer::NotFound),
        (
            with(OLD_SIZE, consistency(), forged),
            old,
            WitnessAnswer::Forbidden,
        ),
        (
            with(SIZE + 1, Vec::new(), signed_by(&new, &[])),
            old,
            WitnessAnswer::BadRequest,
        ),
        // It asks from 0 to learn where the witness is, or has fallen behind, or the witness has.
        (ask(0, &new), old, conflict(OLD_SIZE)),
        (ask(OLD_SIZE, &new), head(SIZE), conflict(SIZE)),
        (ask(OLD_SIZE, &new), TreeHead::empty(), conflict(0)),
        // Two trees of one size.
        (
            with(OLD_SIZE, Vec::new(), signed_by(&forked(OLD_SIZE), &[])),
            old,
            conflict(OLD_SIZE),
        ),
        // A larger tree that is none of the old one's.
        (
            with(OLD_SIZE, consistency(), signed_by(&forked(SIZE), &[])),
            old,
            WitnessAnswer::Unprocessable,
        ),
        (
            with(OLD_SIZE, Vec::new(), signed_by(&new, &[])),
            old,
            WitnessAnswer::Unprocessable,
        ),
        (
            with(SIZE, consistency(), signed_by(&new, &[])),
            head(SIZE),
            WitnessAnswer::Unprocessable,
        ),
        (
            with(0, consistency(), signed_by(&new, &[])),
            TreeHead::empty(),
            WitnessAnswer::Unprocessable,
        ),
    ] {
        let refusal = witness().decide(&request, &last, TIME_S).unwrap_err();
        assert_eq!(refusal.answer(), Some(answer), "{refusal}");
    }
    // A state that no honest witness has.
    let root = [7; 32];
    let broken = TreeHead { size: 0, root };
    let refusal = witness().decide(&ask(0, &new), &broken, TIME_S).unwrap_err();
    assert_eq!(refusal, Refusal::Inconsistent(VerifyError::Root));
    let late = witness().decide(&request(), &old, u64::MAX).unwrap_err();
    assert!(matches!(late, Refusal::Sign(_)) && late.answer().is_none());
}

#[test]
fn answers_are_read_as_they_are_written() {
    let lines = vec![
        cosigner("w").cosign(&checkpoint(SIZE), TIME_S).unwrap(),
        cosigner("n1").cosign(&checkpoint(SIZE), TIME_S).unwrap(),
    ];
    for (answer, status) in [
        (WitnessAnswer::Cosigned(lines), 200),
        (WitnessAnswer::BadRequest, 400),
        (WitnessAnswer::Forbidden, 403),
        (WitnessAnswer::NotFound, 404),
        (WitnessAnswer::Conflict { size: 20_852_014 }, 409),
        (WitnessAnswer::Unprocessable, 422),
    ] {
        assert_eq!(answer.status(), status);
        assert_eq!(WitnessAnswer::parse(status, answer.body().as_bytes()), Ok(answer));
    }
    for (status, body, error) in [
        (500, "", AnswerError::Status(500)),
        (201, "", AnswerError::Status(201)),
        (409, "", AnswerError::Size),
        (409, "12", AnswerError::Size),
        (409, "012\n", AnswerError::Size),
        (409, "12\n\n", AnswerError::Size),
        (200, "", AnswerError::Cosignatures(NoteError::Lines)),
        (200, "ok\n", AnswerError::Cosignatures(NoteError::Line)),
    ] {
        assert_eq!(
            WitnessAnswer::parse(status, body.as_bytes()),
            Err(error),
            "{status} {body:?}"
        );
    }
    assert_eq!(WitnessAnswer::parse(409, b"\xff\n"), Err(AnswerError::Size));
    let long = vec![b'x'; 256 * 1024 + 1];
    let error = AnswerError::Cosignatures(NoteError::TooLong);
    assert_eq!(WitnessAnswer::parse(200, &long), Err(error));
    // What a foreign witness writes about a refusal is its own affair.
    assert_eq!(
        WitnessAnswer::parse(422, b"bad proof"),
        Ok(WitnessAnswer::Unprocessable)
    );
}

#[test]
fn requests_of_another_form_are_refused() {
    let good = request().to_string();
    let hash = good.lines().nth(1).unwrap();
    let size = AddCheckpointError::Checkpoint(CheckpointError::Size);
    for (bad, error) in [
        (String::new(), AddCheckpointError::NoSeparator),
        (good.replace("old 259", "old 0259"), AddCheckpointError::OldSize),
        (good.replace("old 259", "old  259"), AddCheckpointError::OldSize),
        (good.replace("old 259\n", ""), AddCheckpointError::OldSize),
        (good.replace("old 259", "old -1"), AddCheckpointError::OldSize),
        (good.replacen(hash, "AAAA", 1), AddCheckpointError::Hash),
        (
            good.replacen(hash, &[hash; 64].join("\n"), 1),
            AddCheckpointError::Hash,
        ),
        (good.replacen("\n\n", "\n\n\n", 1), size),
    ] {
        assert_eq!(AddCheckpoint::parse(bad.as_bytes()), Err(error), "{bad}");
    }
}

#[test]
fn two_keys_of_a_log_are_trusted_while_it_changes_them() {
    let next = LogKey::from_seed(name(ORIGIN), &[50; 32]).unwrap();
    let logs = vec![log_key().verifier().clone(), next.verifier().clone()];
    let witness = Witness::new(logs, Cosigner::from_seed(name("w"), &[51; 32]).unwrap()).unwrap();
    let new = checkpoint(SIZE);
    let by_next = SignedCheckpoint::new(new.clone(), vec![next.sign(&new).unwrap()]).unwrap();
    let request = AddCheckpoint::new(OLD_SIZE, consistency(), by_next).unwrap();
    assert!(witness.decide(&request, &head(OLD_SIZE), TIME_S).is_ok());
}

#[test]
fn a_cosigner_is_no_log() {
    let node = cosigner("n1").verifier().clone();
    let refused = Witness::new(vec![node], cosigner("w")).map(|_| ());
    assert_eq!(refused, Err(KeyError::Role));
    let own = LogKey::from_seed(name(ORIGIN), &[51; 32]).unwrap();
    let witness = Cosigner::from_seed(name("w"), &[51; 32]).unwrap();
    let refused = Witness::new(vec![own.verifier().clone()], witness).map(|_| ());
    assert_eq!(refused, Err(KeyError::Role));
}

#[test]
fn of_an_answer_what_is_right_is_taken() {
    let new = checkpoint(SIZE);
    let (right, other) = (cosigner("w"), cosigner("n1"));
    let right_line = right.cosign(&new, TIME_S).unwrap();
    let wrong_line = right.cosign(&checkpoint(OLD_SIZE), TIME_S).unwrap();
    let other_line = other.cosign(&new, TIME_S).unwrap();
    let mut signed = signed_by(&new, &[]);
    let nothing = [wrong_line.clone(), other_line.clone()];
    assert_eq!(signed.add_verified(&nothing, right.verifier()), Ok(false));
    assert_eq!(signed, signed_by(&new, &[]));
    let answer = [wrong_line, other_line, right_line];
    assert_eq!(signed.add_verified(&answer, right.verifier()), Ok(true));
    assert_eq!(signed, signed_by(&new, &["w"]));
}
