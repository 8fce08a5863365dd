//! Growth is cosigned, and other people's programs say so too.

use std::os::unix::fs::PermissionsExt as _;

use eunoe_evidence::{KeyName, Policy, SignatureType, VerifierKey};
use eunoe_witness::AskError;
use signed_note::{StandardVerifier, Verifier as _};

use crate::world::{Log, NAME, ORIGIN, Witness};

#[test]
fn growth_is_cosigned_and_counts_for_a_policy() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::new(ORIGIN);
    let witness = Witness::start(&folder.path().join("w"), &[&log]);
    let client = witness.client();
    let text = format!("log {}\nwitness w {}\nquorum w\n", log.vkey(), witness.key);
    let policy = Policy::parse(text.as_bytes()).unwrap();
    for size in [0, 1, 1, 5, 256, 257, 1_000] {
        let mut signed = log.signed(size);
        assert!(policy.verify(&signed).is_err());
        let cosignature = log.ask(&client, size).unwrap();
        signed.add(cosignature.line).unwrap();
        let agreement = policy.verify(&signed).unwrap();
        assert_eq!(agreement.cosigners[0].time_s, cosignature.time_s);
    }
    // One who knows nothing of it begins at 0, and is told where it is.
    log.ask(&witness.client(), 1_000).unwrap();
    let behind = log.ask(&witness.client(), 257).unwrap_err();
    assert!(matches!(behind, AskError::Ahead(1_000)), "{behind}");
    assert!(witness.terminate().status.success());
}

#[test]
fn logs_do_not_get_in_each_others_way() {
    let folder = tempfile::tempdir().unwrap();
    let logs = [Log::new("a.example"), Log::new("b.example")];
    let witness = Witness::start(folder.path(), &[&logs[0], &logs[1]]);
    let clients = [witness.client(), witness.client()];
    for size in [3, 9, 10] {
        for (log, client) in logs.iter().zip(&clients) {
            log.ask(client, size).unwrap();
        }
    }
}

#[test]
fn other_programs_verify_its_cosignature() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::new(ORIGIN);
    let witness = Witness::start(folder.path(), &[&log]);
    let answer = witness.post(&log.request(0, 300).to_string());
    assert_eq!(answer.status, 200, "{answer:?}");

    // The log's checkpoint and the answer, one after the other, are a note.
    let bytes = format!("{}{}", log.signed(300), answer.body);
    let note = signed_note::Note::from_bytes(bytes.as_bytes()).unwrap();
    let read = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
    assert_eq!((read.origin(), read.size()), (ORIGIN, 300));
    let line = answer.body.trim_end().as_bytes();
    let line = signed_note::Signature::from_bytes(line).unwrap();
    let typed = [&[4][..], witness.key.public_key()].concat();
    assert_eq!(
        (line.name(), line.id()),
        (NAME, signed_note::key_id(NAME, &typed))
    );
    // Their verifier of plain Ed25519, over the message as the spec writes it.
    let (time, signature) = line.signature().split_first_chunk::<8>().unwrap();
    let name = KeyName::new(NAME).unwrap();
    let plain = VerifierKey::new(name, SignatureType::Ed25519, witness.key.public_key()).unwrap();
    let verifier = StandardVerifier::new(&plain.to_string()).unwrap();
    let time = u64::from_be_bytes(*time);
    let text = std::str::from_utf8(note.text()).unwrap();
    let message = format!("cosignature/v1\ntime {time}\n{text}");
    assert!(verifier.verify(message.as_bytes(), signature));
}

#[test]
fn it_shows_its_key_and_hides_the_secret_half() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("w");
    let log = Log::new(ORIGIN);
    let witness = Witness::start(&dir, &[&log]);
    let answer = witness.call("GET", "/key", "");
    assert_eq!((answer.status, answer.body), (200, format!("{}\n", witness.key)));
    for (path, mode) in [(dir.clone(), 0o700), (dir.join("key"), 0o600)] {
        let found = std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode);
    }
}
