//! The `transit` vault on OpenBao: the suite, and what only a server does.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use eunoe_crypto::OsEntropy;
use eunoe_types::TimeMs;
use eunoe_vault::{
    Destroyed, ErasableVault, TransitAddress, TransitOptions, TransitVault, VaultClass, VaultError,
};
use serde_json::{Value, json};

use crate::conformance::{Harness, secret, slot, suite};
use crate::openbao::OpenBao;

struct Servers {
    server: OpenBao,
    made: u32,
}

impl Servers {
    fn try_open(&self) -> Result<TransitVault, VaultError> {
        open(&self.server, &format!("vault{}", self.made))
    }
}

impl Harness for Servers {
    fn create(&mut self) -> Box<dyn ErasableVault> {
        self.made += 1;
        Box::new(create(&self.server, &format!("vault{}", self.made)))
    }

    fn open(&mut self) -> Box<dyn ErasableVault> {
        Box::new(self.try_open().expect("opens"))
    }

    fn open_again(&mut self) -> Result<(), VaultError> {
        self.try_open().map(drop)
    }
}

fn never() -> Box<dyn Fn() -> TimeMs + Send + Sync> {
    Box::new(|| TimeMs(0))
}

fn try_create(path: &Path, options: &TransitOptions) -> Result<TransitVault, VaultError> {
    TransitVault::create(path, options, never(), Box::new(OsEntropy))
}

fn create(server: &OpenBao, name: &str) -> TransitVault {
    try_create(&server.path(name), &server.options()).expect("creates")
}

fn open(server: &OpenBao, name: &str) -> Result<TransitVault, VaultError> {
    let entropy = Box::new(OsEntropy);
    TransitVault::open(&server.path(name), &server.options(), never(), entropy)
}

/// The status that a call was refused with.
fn status<T>(result: Result<T, VaultError>) -> u16 {
    match result {
        Err(VaultError::Refused { status, .. }) => status,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("not refused"),
    }
}

#[test]
fn a_server_keeps_every_promise_with_the_rights_of_the_documented_policy() {
    suite(&mut Servers {
        server: OpenBao::start(),
        made: 0,
    });
}

#[test]
fn one_key_per_slot_goes_with_it_and_the_file_alone_gives_nothing_back() {
    let server = OpenBao::start();
    let vault = create(&server, "vault");
    let descriptor = vault.descriptor();
    assert_eq!(
        (descriptor.kind, descriptor.class),
        ("transit", VaultClass::Delegated)
    );
    vault.put(slot(1), &secret(0x5a)).expect("kept");
    vault.put(slot(2), &secret(0x5b)).expect("kept");
    let keys = server.keys();
    assert_eq!(keys.len(), 2);
    let facts = server.ask("GET", &format!("transit/keys/{}", keys[0]), &Value::Null);
    for never in ["exportable", "allow_plaintext_backup", "deletion_allowed"] {
        assert_eq!(facts["data"][never], json!(false), "{never}");
    }
    let catalog = fs::read(server.path("vault")).expect("reads");
    assert!(!catalog.windows(32).any(|window| window == [0x5a; 32]));
    assert_eq!(vault.destroy(slot(1)).expect("destroyed"), Destroyed::Now);
    assert_eq!(server.keys(), keys[1..]);
    let decrypt = json!({ "ciphertext": "vault:v1:AAAA" });
    let (refused, said) = server.try_ask("POST", &format!("transit/decrypt/{}", keys[0]), &decrypt);
    assert_eq!(
        (refused, said),
        (400, json!({ "errors": ["encryption key not found"] }))
    );
    drop(vault);
    // The file is put back from a copy: it names the slot, and nothing opens it.
    fs::write(server.path("vault"), catalog).expect("writes");
    let vault = open(&server, "vault").expect("opens");
    assert_eq!(vault.list().expect("lists"), [slot(1), slot(2)]);
    assert!(matches!(vault.get(slot(1)), Err(VaultError::Dead(_))));
    assert!(vault.get(slot(2)).expect("held").matches(&secret(0x5b)));
    assert_eq!(vault.destroy(slot(1)).expect("destroyed"), Destroyed::Now);
    assert_eq!(vault.list().expect("lists"), [slot(2)]);
}

#[test]
fn e21_a_key_that_comes_back_at_the_server_is_listed_and_deleted_again() {
    let server = OpenBao::start();
    let vault = create(&server, "vault");
    vault.put(slot(1), &secret(1)).expect("kept");
    let key = server.keys().remove(0);
    vault.destroy(slot(1)).expect("destroyed");
    server.ask("POST", &format!("transit/keys/{key}"), &json!({}));
    // Another node's, and of nobody: not this vault's to delete.
    let foreign = [
        "eunoe-2-00000000000000000000000000000000-1-1-0000000000000000",
        "other",
    ];
    for name in foreign {
        server.ask("POST", &format!("transit/keys/{name}"), &json!({}));
    }
    assert_eq!(vault.list().expect("lists"), [slot(1)]);
    assert_eq!(vault.destroy(slot(1)).expect("destroyed"), Destroyed::Now);
    assert_eq!(vault.list().expect("lists"), []);
    assert_eq!(server.keys(), foreign);
}

#[test]
fn copies_that_the_operator_keeps_make_a_destruction_pending() {
    const DAY: u64 = 86_400_000;
    let server = OpenBao::start();
    let mut options = server.options();
    options.retention_days = 30;
    let now = Arc::new(AtomicU64::new(DAY));
    let clock = Arc::clone(&now);
    let vault = TransitVault::create(
        &server.path("vault"),
        &options,
        Box::new(move || TimeMs(clock.load(Ordering::Relaxed))),
        Box::new(OsEntropy),
    )
    .expect("creates");
    assert!(vault.descriptor().medium.contains("30 days"));
    vault.put(slot(1), &secret(1)).expect("kept");
    let until = TimeMs(31 * DAY);
    assert_eq!(
        vault.destroy(slot(1)).expect("deleted"),
        Destroyed::Pending { until }
    );
    assert_eq!(server.keys(), [""; 0]);
    assert_eq!(vault.list().expect("lists"), [slot(1)]);
    now.store(until.0, Ordering::Relaxed);
    assert_eq!(vault.list().expect("lists"), []);
    assert_eq!(vault.destroy(slot(1)).expect("gone"), Destroyed::Now);
}

#[test]
fn nothing_is_called_destroyed_that_the_server_did_not_delete() {
    let mut server = OpenBao::start();
    let vault = create(&server, "vault");
    vault.put(slot(1), &secret(1)).expect("kept");

    let token = fs::read(server.token_file()).expect("reads");
    fs::write(server.token_file(), "not-a-token-of-this-server").expect("writes");
    let refused = vault.destroy(slot(1)).expect_err("refused");
    assert!(!format!("{refused} {refused:?}").contains("not-a-token"));
    assert_eq!(status(vault.destroy(slot(1))), 403);
    assert_eq!(status(vault.get(slot(1))), 403);
    // Whoever renews tokens writes another into the file: nothing is opened anew for it.
    server.give_token();
    assert!(vault.get(slot(1)).expect("held").matches(&secret(1)));
    fs::write(server.token_file(), token).expect("writes");

    // An engine that is not there says 404, as does one that has no such key.
    server.ask(
        "POST",
        "sys/remount",
        &json!({ "from": "transit", "to": "elsewhere" }),
    );
    assert_eq!(status(vault.destroy(slot(1))), 404);
    assert_eq!(status(vault.list()), 404);
    server.ask(
        "POST",
        "sys/remount",
        &json!({ "from": "elsewhere", "to": "transit" }),
    );
    assert!(vault.get(slot(1)).expect("held").matches(&secret(1)));

    server.ask("PUT", "sys/seal", &Value::Null);
    assert_eq!(status(vault.destroy(slot(1))), 503);
    server.kill();
    assert!(matches!(
        vault.destroy(slot(1)),
        Err(VaultError::Unreachable { .. })
    ));
    assert!(matches!(vault.list(), Err(VaultError::Unreachable { .. })));
    drop(vault);
    // A node may start before its server, but a new one's vault is made only where keys can be.
    let vault = open(&server, "vault").expect("opens");
    assert!(matches!(vault.get(slot(1)), Err(VaultError::Unreachable { .. })));
    let created = try_create(&server.path("other"), &server.options());
    assert!(matches!(created, Err(VaultError::Unreachable { .. })));
    assert!(!server.path("other").exists());
}

#[test]
fn the_servers_certificate_must_be_of_the_authority() {
    let server = OpenBao::start_with_tls();
    let vault = create(&server, "vault");
    vault.put(slot(1), &secret(1)).expect("kept");
    assert!(vault.get(slot(1)).expect("held").matches(&secret(1)));

    let mut options = server.options();
    options.ca_file = None;
    let refused = try_create(&server.path("other"), &options);
    assert!(matches!(
        refused,
        Err(VaultError::BadFile {
            file: "the CA file",
            ..
        })
    ));
    let other = OpenBao::start_with_tls();
    options.ca_file = Some(other.ca_file());
    let refused = try_create(&server.path("other"), &options);
    assert!(matches!(refused, Err(VaultError::Unreachable { .. })));
    for content in ["", "-----BEGIN CERTIFICATE-----", "no PEM"] {
        fs::write(server.path("ca"), content).expect("writes");
        options.ca_file = Some(server.path("ca"));
        let refused = try_create(&server.path("other"), &options);
        assert!(matches!(refused, Err(VaultError::BadFile { .. })), "{content}");
    }
}

/// A server that is none: it reads a request's head and gives one answer to each.
fn pretend(answer: impl Fn(&mut TcpStream) + Send + 'static) -> (tempfile::TempDir, TransitOptions) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("connects");
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).expect("reads") == 1 {
                head.push(byte[0]);
            }
            answer(&mut stream);
        }
    });
    let place = tempfile::tempdir().expect("a directory");
    let token_file = place.path().join("token");
    fs::write(&token_file, "token").expect("writes");
    let options = TransitOptions {
        address: TransitAddress::new(&address, "transit").expect("an address"),
        ca_file: None,
        token_file,
        node: 1,
        retention_days: 0,
    };
    (place, options)
}

fn answered_with(answer: Vec<u8>) -> VaultError {
    let (place, options) = pretend(move |stream| {
        // A client that refuses closes before the end.
        let _sent_or_closed = stream.write_all(&answer);
    });
    let created = try_create(&place.path().join("vault"), &options);
    created.err().expect("no transit engine answers so")
}

fn response(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n{body}").into_bytes()
}

#[test]
fn answers_that_are_none_are_errors() {
    let malformed = |error: &VaultError| matches!(error, VaultError::Malformed { .. });
    for body in ["", "<html>", "{}", r#"{"data":{}}"#, r#"{"data":{"keys":[1]}}"#] {
        let error = answered_with(response("200 OK", "", body));
        assert!(malformed(&error), "{body}: {error}");
    }
    for body in ["<html>not found</html>", "{}", r#"{"errors":["no handler"]}"#] {
        let error = answered_with(response("404 Not Found", "", body));
        assert!(
            matches!(error, VaultError::Refused { status: 404, .. }),
            "{body}: {error}"
        );
    }
    let endless = format!(r#"{{"data":{{"keys":["{}"]}}}}"#, "k".repeat(300 * 1024));
    for answer in [
        response("200 OK", "", &endless),
        b"nonsense\r\n\r\n".to_vec(),
        Vec::new(),
    ] {
        let error = answered_with(answer);
        assert!(matches!(error, VaultError::Unreachable { .. }), "{error}");
    }
}

#[test]
fn the_token_follows_no_redirect() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").expect("listens");
    let location = format!(
        "Location: http://{}/v1/transit/keys?list=true\r\n",
        elsewhere.local_addr().expect("an address")
    );
    let error = answered_with(response("307 Temporary Redirect", &location, ""));
    assert!(
        matches!(error, VaultError::Refused { status: 307, .. }),
        "{error}"
    );
    elsewhere.set_nonblocking(true).expect("sets");
    let connected = elsewhere.accept().expect_err("nobody came");
    assert_eq!(connected.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    let (place, options) = pretend(|_| {
        loop {
            std::thread::park();
        }
    });
    let created = try_create(&place.path().join("vault"), &options);
    assert!(matches!(created, Err(VaultError::TimedOut { .. })));
}
