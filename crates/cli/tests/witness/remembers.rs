//! A witness that is killed knows what it cosigned; one that cannot know does not start.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use eunoe_evidence::WitnessAnswer;

use crate::world::{Log, NAME, ORIGIN, Witness, refused_to_start};

/// Where the witness says that it is.
fn size_of(witness: &Witness, log: &Log) -> u64 {
    let answer = witness.post(&log.request(0, 1_000).to_string());
    let answer = WitnessAnswer::parse(answer.status, answer.body.as_bytes()).unwrap();
    let WitnessAnswer::Conflict { size } = answer else {
        panic!("{answer:?}");
    };
    size
}

#[test]
fn killed_at_any_moment_it_knows_what_it_gave_out() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::new(ORIGIN);
    let mut witness = Witness::start(folder.path(), &[&log]);
    let key = witness.key.clone();
    let given_out = AtomicU64::new(1);
    log.ask(&witness.client(), 1).unwrap();
    for round in 1..=10 {
        let client = witness.client();
        let killed = AtomicBool::new(false);
        let last = given_out.load(Ordering::SeqCst);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for size in last + 1..last + 90 {
                    match log.ask(&client, size) {
                        Ok(_) => given_out.store(size, Ordering::SeqCst),
                        // Nothing else may go wrong.
                        Err(error) => return assert!(killed.load(Ordering::SeqCst), "{error}"),
                    }
                }
            });
            while given_out.load(Ordering::SeqCst) < last + round {
                std::thread::yield_now();
            }
            killed.store(true, Ordering::SeqCst);
            witness.kill();
        });
        witness = Witness::start(folder.path(), &[&log]);
        assert_eq!(witness.key, key);
        let known = size_of(&witness, &log);
        let given_out = given_out.load(Ordering::SeqCst);
        // What it had on disk may not have left any more.
        assert!(
            known == given_out || known == given_out + 1,
            "{known}, {given_out}"
        );
        // And of that size, only the tree that it cosigned.
        let fork = Log::forked(ORIGIN, "fork", 0);
        assert_eq!(witness.post(&fork.request(known, known).to_string()).status, 409);
        assert_eq!(
            witness.post(&fork.request(known, known + 1).to_string()).status,
            422
        );
    }
}

#[test]
fn a_log_that_is_left_out_for_a_time_is_not_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let (log, other) = (Log::new(ORIGIN), Log::new("other.example"));
    let witness = Witness::start(folder.path(), &[&log]);
    log.ask(&witness.client(), 300).unwrap();
    witness.terminate();
    let witness = Witness::start(folder.path(), &[&other]);
    other.ask(&witness.client(), 7).unwrap();
    assert_eq!(witness.post(&log.request(300, 301).to_string()).status, 404);
    witness.terminate();
    let witness = Witness::start(folder.path(), &[&other, &log]);
    assert_eq!((size_of(&witness, &log), size_of(&witness, &other)), (300, 7));
}

fn with_heads(dir: &Path, log: &Log) {
    let witness = Witness::start(dir, &[log]);
    log.ask(&witness.client(), 300).unwrap();
    witness.kill();
}

#[test]
fn a_damaged_memory_is_not_started_with() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::new(ORIGIN);
    with_heads(folder.path(), &log);
    let file = folder.path().join("heads");
    let good = fs::read(&file).unwrap();
    for damage in [
        |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2),
        |bytes: &mut Vec<u8>| bytes.clear(),
        |bytes: &mut Vec<u8>| bytes[60] ^= 1,
        |bytes: &mut Vec<u8>| bytes.fill(0),
    ] {
        let mut bytes = good.clone();
        damage(&mut bytes);
        fs::write(&file, bytes).unwrap();
        let said = refused_to_start(folder.path(), NAME, &[&log]);
        assert!(said.contains("heads is damaged"), "{said}");
    }
    fs::remove_file(&file).unwrap();
    let said = refused_to_start(folder.path(), NAME, &[&log]);
    assert!(said.contains("heads is damaged: it is missing"), "{said}");
    fs::write(&file, good).unwrap();
    assert_eq!(size_of(&Witness::start(folder.path(), &[&log]), &log), 300);
}

#[test]
fn the_folder_is_one_witness_with_one_name() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::new(ORIGIN);
    let witness = Witness::start(folder.path(), &[&log]);
    let said = refused_to_start(folder.path(), NAME, &[&log]);
    assert!(said.contains("another witness runs"), "{said}");
    witness.kill();
    let said = refused_to_start(folder.path(), "other.example", &[&log]);
    assert!(said.contains(&format!("called {NAME}")), "{said}");
}
