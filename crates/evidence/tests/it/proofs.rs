//! A proof proves one leaf, in one tree, to one policy.

use eunoe_evidence::merkle::{VerifyError, inclusion_proof};
use eunoe_evidence::{CheckpointError, Policy, Proof, ProofError, Refused, SignedCheckpoint, Unproved};
use proptest::prelude::*;

use crate::world::{
    INDEX, OLD_SIZE, SIZE, checkpoint, leaf, leaf_hashes, log_key, policy, policy_text, proof, signed,
    signed_by,
};

#[test]
fn another_leaf_or_tree_is_not_proved() {
    let policy = policy();
    for entry in [
        leaf(INDEX - 1),
        leaf(0),
        Vec::new(),
        [&leaf(INDEX)[..], b"\n"].concat(),
    ] {
        let refused = proof().verify(&policy, &entry);
        assert_eq!(refused, Err(Unproved::Inclusion(VerifyError::Root)));
    }
    // The path of one leaf under the number of another, or under another checkpoint of the same log.
    let moved = Proof::new(INDEX - 1, proof().hashes().to_vec(), signed()).unwrap();
    assert!(matches!(
        moved.verify(&policy, &leaf(INDEX)),
        Err(Unproved::Inclusion(_))
    ));
    let older = signed_by(&checkpoint(OLD_SIZE), &["n1", "n3", "w"]);
    let swapped = Proof::new(INDEX, proof().hashes().to_vec(), older).unwrap();
    assert!(matches!(
        swapped.verify(&policy, &leaf(INDEX)),
        Err(Unproved::Inclusion(_))
    ));
    let short = Proof::new(INDEX, proof().hashes()[1..].to_vec(), signed()).unwrap();
    assert!(matches!(
        short.verify(&policy, &leaf(INDEX)),
        Err(Unproved::Inclusion(_))
    ));
}

#[test]
fn a_checkpoint_that_nobody_trusts_proves_nothing() {
    let trusting_others = policy_text().replace(
        &log_key().verifier().to_string(),
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    );
    let trusting_others = Policy::parse(trusting_others.as_bytes()).unwrap();
    assert_eq!(
        proof().verify(&trusting_others, &leaf(INDEX)),
        Err(Unproved::Checkpoint(Refused::UnknownLog))
    );
    // Without the witness.
    let unwitnessed = signed_by(&checkpoint(SIZE), &["n1", "n2", "n3"]);
    let unwitnessed = Proof::new(INDEX, proof().hashes().to_vec(), unwitnessed).unwrap();
    assert!(matches!(
        unwitnessed.verify(&policy(), &leaf(INDEX)),
        Err(Unproved::Checkpoint(Refused::Quorum { .. }))
    ));
}

#[test]
fn proofs_of_another_form_are_refused() {
    let good = proof().to_string();
    let hash = good.lines().nth(2).unwrap();
    for (bad, error) in [
        (String::new(), ProofError::NoSeparator),
        (good.replace("@v1", "@v2"), ProofError::Version),
        (good.replace("index", "extra AAAA\nindex"), ProofError::Extra),
        (good.replace("index 257", "index 0257"), ProofError::Index),
        (good.replace("index 257", "index 300"), ProofError::Index),
        (good.replace("index 257\n", ""), ProofError::Index),
        (good.replacen(hash, "AAAA", 1), ProofError::Hash),
        (good.replacen(hash, &[hash; 64].join("\n"), 1), ProofError::Hash),
        (good.replacen(hash, &format!("{hash} "), 1), ProofError::Hash),
        (
            good.replacen("\n\n", "\n\n\n", 1),
            ProofError::Checkpoint(CheckpointError::Size),
        ),
    ] {
        assert_eq!(Proof::parse(bad.as_bytes()), Err(error), "{bad}");
    }
}

#[test]
fn proofs_end() {
    assert_eq!(Proof::parse(&vec![b'a'; 400_000]), Err(ProofError::TooLong));
    assert_eq!(Proof::new(SIZE, Vec::new(), signed()), Err(ProofError::Index));
    assert_eq!(Proof::new(0, vec![[0; 32]; 64], signed()), Err(ProofError::Hash));
}

proptest! {
    #[test]
    fn each_leaf_of_each_tree_is_proved(size in 1..700_u64, seed in any::<u64>()) {
        let index = seed % size;
        let hashes = inclusion_proof(&leaf_hashes(size)[..], index, size).unwrap();
        let written = Proof::new(index, hashes, signed_by(&checkpoint(size), &[])).unwrap();
        let read = Proof::parse(written.to_string().as_bytes()).unwrap();
        prop_assert_eq!(&read, &written);
        prop_assert_eq!(read.verify_inclusion(&leaf(index)), Ok(()));
        prop_assert!(read.verify_inclusion(&leaf(index + 1)).is_err());
        let checkpoint: &SignedCheckpoint = read.checkpoint();
        prop_assert!(checkpoint.verify(&[log_key().verifier().clone()]).is_ok());
    }
}
