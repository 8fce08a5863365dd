//! What one who asks makes of witnesses that are broken, lie or send him elsewhere.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;

use eunoe_evidence::merkle::{Hash, leaf_hash, root_at};
use eunoe_evidence::{Checkpoint, Cosigner, KeyName, LogKey, SignedCheckpoint, prove_consistency};
use eunoe_witness::{AskError, ClientError, Cosignature, WitnessClient, WitnessUrl};

type Asked = Result<Cosignature, AskError<Unprovable>>;

#[derive(Debug, thiserror::Error)]
#[error("no proof")]
struct Unprovable;

fn cosigner(name: &str) -> Cosigner {
    Cosigner::from_seed(KeyName::new(name).unwrap(), &[2; 32]).unwrap()
}

fn signed(size: u64) -> SignedCheckpoint {
    let root = root_at(&leaves()[..], size).unwrap();
    let checkpoint = Checkpoint::new("log", size, root, Vec::new()).unwrap();
    let key = LogKey::from_seed(KeyName::new("log").unwrap(), &[1; 32]).unwrap();
    let line = key.sign(&checkpoint).unwrap();
    SignedCheckpoint::new(checkpoint, vec![line]).unwrap()
}

fn leaves() -> Vec<Hash> {
    (0..20_u8).map(|index| leaf_hash(&[index])).collect()
}

fn prove(old: u64, new: u64) -> Result<Vec<Hash>, Unprovable> {
    prove_consistency(&leaves()[..], old, new).map_err(|_| Unprovable)
}

/// A pretended witness that gives these answers, each on a connection of its own, and returns what it was asked.
fn pretend(answers: Vec<String>) -> (WitnessClient, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = WitnessUrl::new(&format!("http://{}/w", listener.local_addr().unwrap())).unwrap();
    let client = WitnessClient::new(&url, cosigner("w").verifier().clone(), None).unwrap();
    let serve = move || answers.iter().map(|answer| exchange(&listener, answer)).collect();
    (client, std::thread::spawn(serve))
}

fn exchange(listener: &TcpListener, answer: &str) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    let mut request = Vec::new();
    let mut byte = [0];
    // The last byte of a checkpoint is the newline after its only signature line.
    while !String::from_utf8_lossy(&request).contains("\n— log ") || byte != *b"\n" {
        stream.read_exact(&mut byte).unwrap();
        request.push(byte[0]);
    }
    // Who has heard enough may be gone.
    let _ = stream.write_all(answer.as_bytes());
    String::from_utf8(request).unwrap()
}

fn http(status: u16, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

fn cosigned(name: &str, size: u64) -> String {
    let line = cosigner(name).cosign(signed(size).checkpoint(), 7).unwrap();
    http(200, &format!("{line}\n"))
}

/// What comes of asking for 9 leaves, and from which sizes it was asked.
fn ask(answers: Vec<String>) -> (Asked, Vec<String>) {
    let (client, served) = pretend(answers);
    let asked = client.ask(&signed(9), prove);
    let requests = served.join().unwrap();
    let old = |request: String| {
        assert!(
            request.starts_with("POST /w/add-checkpoint HTTP/1.1\r\n"),
            "{request}"
        );
        let body = request.split_once("\r\n\r\n").unwrap().1;
        body.lines().next().unwrap().to_owned()
    };
    (asked, requests.into_iter().map(old).collect())
}

#[test]
fn it_asks_again_from_where_the_witness_is() {
    let (asked, old) = ask(vec![http(409, "5\n"), cosigned("w", 9)]);
    assert_eq!(
        (asked.unwrap().time_s, old),
        (7, vec!["old 0".to_owned(), "old 5".to_owned()])
    );
    // And the next time begins there.
    let (client, served) = pretend(vec![cosigned("w", 9), cosigned("w", 11)]);
    client.ask(&signed(9), prove).unwrap();
    client.ask(&signed(11), prove).unwrap();
    assert!(served.join().unwrap()[1].contains("\r\n\r\nold 9\n"));
}

#[test]
fn it_asks_twice_at_most() {
    let (asked, _) = ask(vec![http(409, "5\n"), http(409, "6\n")]);
    assert!(matches!(asked, Err(AskError::Moved(6))), "{asked:?}");
    let (asked, _) = ask(vec![http(409, "5\n"), http(409, "5\n")]);
    assert!(matches!(asked, Err(AskError::Contradicted(5))), "{asked:?}");
    let (asked, _) = ask(vec![http(409, "0\n")]);
    assert!(matches!(asked, Err(AskError::Contradicted(0))), "{asked:?}");
    let (asked, _) = ask(vec![http(409, "10\n")]);
    assert!(matches!(asked, Err(AskError::Ahead(10))), "{asked:?}");
}

#[test]
fn only_its_keys_signature_of_this_checkpoint_counts() {
    let mut wrong_name = cosigned("v", 9);
    for answer in [cosigned("w", 8), std::mem::take(&mut wrong_name)] {
        let (asked, _) = ask(vec![answer]);
        assert!(matches!(asked, Err(AskError::NotCosigned)), "{asked:?}");
    }
}

#[test]
fn refusals_redirections_and_nonsense_are_told_apart() {
    for status in [400, 403, 404, 422] {
        let (asked, _) = ask(vec![http(status, "no")]);
        assert!(
            matches!(asked, Err(AskError::Refused(said)) if said == status),
            "{asked:?}"
        );
    }
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let redirect = format!(
        "HTTP/1.1 307 X\r\nlocation: http://{}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        elsewhere.local_addr().unwrap()
    );
    let endless = format!(
        "HTTP/1.1 200 X\r\nconnection: close\r\n\r\n{}",
        "x".repeat(300 * 1024)
    );
    for answer in [redirect, endless, http(200, ""), http(500, ""), http(409, "x")] {
        let (asked, _) = ask(vec![answer]);
        assert!(matches!(asked, Err(AskError::Answer(_))), "{asked:?}");
    }
    elsewhere.set_nonblocking(true).unwrap();
    assert!(elsewhere.accept().is_err(), "a redirection was followed");
    for answer in [
        "",
        "HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\nshort",
        "nonsense\r\n\r\n",
    ] {
        let (asked, _) = ask(vec![answer.to_owned()]);
        assert!(matches!(asked, Err(AskError::Unreachable(_))), "{asked:?}");
    }
}

#[test]
fn without_a_proof_nothing_is_asked() {
    let (client, served) = pretend(Vec::new());
    let asked = client.ask(&signed(9), |_, _| Err(Unprovable));
    assert!(matches!(asked, Err(AskError::Prove(Unprovable))), "{asked:?}");
    served.join().unwrap();
}

#[test]
fn keys_and_authorities_must_be_what_they_are_for() {
    let log = LogKey::from_seed(KeyName::new("log").unwrap(), &[1; 32]).unwrap();
    let (http, https) = ("http://w.example", "https://w.example");
    let url = |url| WitnessUrl::new(url).unwrap();
    let made = WitnessClient::new(&url(http), log.verifier().clone(), None).err();
    assert!(matches!(made, Some(ClientError::NotACosigner)), "{made:?}");
    let key = cosigner("w").verifier().clone();
    let made = WitnessClient::new(&url(https), key.clone(), None).err();
    assert!(matches!(made, Some(ClientError::NoAuthorities)), "{made:?}");
    let file = tempfile::NamedTempFile::new().unwrap();
    let made = WitnessClient::new(&url(https), key, Some(file.path())).err();
    assert!(
        matches!(made, Some(ClientError::NoCertificate { .. })),
        "{made:?}"
    );
}
