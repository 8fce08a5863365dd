//! What is not cosigned, and with which status.

use std::io::{ErrorKind, Read as _, Write as _};
use std::time::Duration;

use eunoe_evidence::{ADD_CHECKPOINT_BYTES_MAX, AddCheckpoint, LogKey, SignedCheckpoint};
use eunoe_witness::AskError;

use crate::world::{Answer, Log, ORIGIN, Witness};

#[test]
fn p4_a_fork_is_not_cosigned_and_both_trees_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::new(ORIGIN);
    let fork = Log::forked(ORIGIN, "fork", 299);
    let witness = Witness::start(folder.path(), &[&log]);
    log.ask(&witness.client(), 300).unwrap();

    // Another tree of the same size, with the key of the log: from there, and as if nothing had been before.
    for (old, status) in [(300, 409), (0, 409), (299, 409)] {
        let answer = witness.post(&fork.request(old, 300).to_string());
        assert_eq!((answer.status, answer.body.as_str()), (status, "300\n"));
        assert!(
            answer.head.contains("content-type: text/x.tlog.size"),
            "{answer:?}"
        );
    }
    let refused = fork.ask(&witness.client(), 300).unwrap_err();
    assert!(matches!(refused, AskError::Contradicted(300)), "{refused}");
    // A larger one, with the only proof that it has.
    let answer = witness.post(&fork.request(300, 400).to_string());
    assert_eq!(
        (answer.status, answer.body.contains("300")),
        (422, false),
        "{answer:?}"
    );
    let refused = fork.ask(&witness.client(), 400).unwrap_err();
    assert!(matches!(refused, AskError::Refused(422)), "{refused}");

    // The log itself goes on, as if nothing had been.
    log.ask(&witness.client(), 400).unwrap();
    let told = String::from_utf8(witness.terminate().stderr).unwrap();
    assert_eq!(told.matches("FORKED").count(), 1, "{told}");
    assert!(told.contains(&log.checkpoint(300).to_string()), "{told}");
    assert!(told.contains(&fork.signed(300).to_string()), "{told}");
}

#[test]
fn p4_of_two_forks_at_the_same_moment_one_is_cosigned() {
    let folder = tempfile::tempdir().unwrap();
    let forks: Vec<[Log; 2]> = (0..20)
        .map(|index| {
            let origin = format!("log{index}.example");
            [Log::new(&origin), Log::forked(&origin, "fork", 2)]
        })
        .collect();
    let logs: Vec<&Log> = forks.iter().map(|[log, _]| log).collect();
    let witness = Witness::start(folder.path(), &logs);
    for forks in &forks {
        let requests = forks.each_ref().map(|fork| fork.request(0, 3).to_string());
        let mut asked = std::thread::scope(|scope| {
            let ask = |request: &String| {
                let request = request.clone();
                scope.spawn(|| witness.post(&{ request }).status)
            };
            let threads = requests.each_ref().map(ask);
            threads.map(|thread| thread.join().unwrap())
        });
        asked.sort_unstable();
        assert_eq!(asked, [200, 409]);
    }
}

#[test]
fn what_is_smaller_unknown_or_forged_is_refused_with_its_status() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::new(ORIGIN);
    let witness = Witness::start(folder.path(), &[&log]);
    log.ask(&witness.client(), 300).unwrap();

    let conflict = |request: AddCheckpoint| {
        let answer = witness.post(&request.to_string());
        assert_eq!((answer.status, answer.body.as_str()), (409, "300\n"));
    };
    // Smaller trees, and requests from elsewhere.
    conflict(log.request(0, 299));
    conflict(log.request(299, 299));
    conflict(log.request(0, 301));
    conflict(log.request(299, 301));
    let old_above_new = AddCheckpoint::new(300, Vec::new(), log.signed(299)).unwrap();
    assert_eq!(witness.post(&old_above_new.to_string()).status, 400);
    // No proof, and one too many.
    for proof in [Vec::new(), vec![[7; 32]; 63]] {
        let request = AddCheckpoint::new(300, proof, log.signed(301)).unwrap();
        assert_eq!(witness.post(&request.to_string()).status, 422);
    }
    // Another log, and another key under this log's name.
    let other = Log::new("other.example");
    assert_eq!(witness.post(&other.request(0, 301).to_string()).status, 404);
    let impostor = LogKey::from_seed(log.key.verifier().name().clone(), &[9; 32]).unwrap();
    let line = impostor.sign(&log.checkpoint(301)).unwrap();
    let signed = SignedCheckpoint::new(log.checkpoint(301), vec![line]).unwrap();
    let forged = AddCheckpoint::new(300, log.prove(300, 301).unwrap(), signed).unwrap();
    assert_eq!(witness.post(&forged.to_string()).status, 403);
    // The log's signature of another checkpoint.
    let (line, text) = (log.signed(300), log.signed(301).to_string());
    let line = line.note().signatures()[0].clone();
    let signed = SignedCheckpoint::new(log.checkpoint(301), vec![line]).unwrap();
    assert_ne!(signed.to_string(), text);
    let forged = AddCheckpoint::new(300, log.prove(300, 301).unwrap(), signed).unwrap();
    assert_eq!(witness.post(&forged.to_string()).status, 403);

    // None of it changed anything.
    assert_eq!(witness.post(&log.request(300, 301).to_string()).status, 200);
}

#[test]
fn what_is_no_request_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::new(ORIGIN);
    let witness = Witness::start(folder.path(), &[&log]);
    let good = log.request(0, 5).to_string();
    for bad in [
        "",
        "old 0\n",
        "old 00\n\n",
        "\u{0}\u{0}",
        &good.replacen("old 0", "old -1", 1),
        &good[..good.len() - 1],
        &format!("{good}\n"),
    ] {
        assert_eq!(witness.post(bad).status, 400, "{bad:?}");
    }
    assert_eq!(witness.call("GET", "/add-checkpoint", "").status, 405);
    assert_eq!(witness.call("POST", "/key", "").status, 405);
    assert_eq!(witness.call("GET", "/", "").status, 404);
    assert_eq!(witness.post(&"x".repeat(ADD_CHECKPOINT_BYTES_MAX)).status, 400);
    assert_eq!(
        witness.post(&"x".repeat(ADD_CHECKPOINT_BYTES_MAX + 1)).status,
        413
    );
    assert_eq!(witness.post(&good).status, 200);
}

#[test]
fn there_are_only_so_many_connections() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::new(ORIGIN);
    let witness = Witness::start(folder.path(), &[&log]);
    let mut idle: Vec<_> = (0..64).map(|_| witness.connect()).collect();
    let mut late = witness.connect();
    write!(late, "GET /key HTTP/1.1\r\nhost: w\r\nconnection: close\r\n\r\n").unwrap();
    late.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let error = late.read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    idle.pop();
    late.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    assert_eq!(Answer::read(late).status, 200);
}
