//! An OpenBao server in development mode for one test: on this machine alone, in memory, ended with the test.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use eunoe_vault::{TransitAddress, TransitOptions};
use serde_json::{Value, json};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, http};

/// As in scripts/openbao.sh.
const VERSION: &str = "2.7.2";
const ROOT: &str = "root-of-this-test";
/// What docs/operations/vaults.md tells operators to write.
const POLICY: &str = include_str!("../../../../docs/operations/transit-policy.hcl");
/// The node that the policy is for.
const NODE: u64 = 1;

/// A running server with a transit engine and a token that may do what the policy says.
pub(crate) struct OpenBao {
    place: tempfile::TempDir,
    process: Child,
    /// Where it listens.
    pub(crate) address: String,
    agent: Agent,
}

impl OpenBao {
    pub(crate) fn start() -> Self {
        Self::begin("http", |_| Vec::new())
    }

    pub(crate) fn start_with_tls() -> Self {
        Self::begin("https", |place| {
            std::fs::create_dir(place.join("tls")).expect("a directory");
            vec![
                "-dev-tls".to_owned(),
                format!("-dev-tls-cert-dir={}", place.join("tls").display()),
            ]
        })
    }

    fn begin(scheme: &str, more: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
        let port = free_port();
        let mut command = Command::new(program());
        command
            .args(["server", "-dev", "-dev-no-store-token"])
            .arg(format!("-dev-root-token-id={ROOT}"))
            .arg(format!("-dev-listen-address=127.0.0.1:{port}"))
            .args(more(place.path()))
            .env("HOME", place.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut process = command.spawn().expect("starts");
        let mut output = BufReader::new(process.stdout.take().expect("piped"));
        let mut said = String::new();
        // It says so when it listens, unless it ends before.
        while !said.contains("Development mode should") {
            let read = output.read_line(&mut said).expect("reads");
            assert!(read > 0, "OpenBao ended: {said}");
        }
        std::thread::spawn(move || std::io::copy(&mut output.by_ref().take(1 << 30), &mut std::io::sink()));
        let agent = agent(&place.path().join("tls"));
        let server = Self {
            place,
            process,
            address: format!("{scheme}://127.0.0.1:{port}"),
            agent,
        };
        server.prepare();
        server
    }

    fn prepare(&self) {
        self.mount();
        self.ask("PUT", "sys/policies/acl/node", &json!({ "policy": POLICY }));
        self.give_token();
    }

    /// Mounts the engine, or a new and empty one.
    pub(crate) fn mount(&self) {
        self.ask("POST", "sys/mounts/transit", &json!({ "type": "transit" }));
    }

    /// Writes a new token into the token file.
    pub(crate) fn give_token(&self) {
        let given = self.ask(
            "POST",
            "auth/token/create",
            &json!({ "policies": ["node"], "no_default_policy": true }),
        );
        let token = given["auth"]["client_token"].as_str().expect("a token");
        std::fs::write(self.token_file(), format!("{token}\n")).expect("writes");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    pub(crate) fn token_file(&self) -> PathBuf {
        self.path("token")
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.path("tls/vault-ca.pem")
    }

    pub(crate) fn options(&self) -> TransitOptions {
        let address = TransitAddress::new(&self.address, "transit").expect("an address");
        TransitOptions {
            ca_file: address.is_https().then(|| self.ca_file()),
            address,
            token_file: self.token_file(),
            node: NODE,
            retention_days: 0,
        }
    }

    /// Asks as root, and panics unless the server does it.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.try_ask(method, path, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// Asks as root; the status and what is said.
    pub(crate) fn try_ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}/v1/{path}", self.address))
            .header("X-Vault-Token", ROOT)
            .body(if body.is_null() {
                Vec::new()
            } else {
                body.to_string().into_bytes()
            })
            .expect("a request");
        let mut answer = self.agent.run(request).expect("answers");
        let text = answer.body_mut().read_to_string().expect("reads");
        let said = serde_json::from_str(&text).unwrap_or(Value::Null);
        (answer.status().as_u16(), said)
    }

    /// The names of all keys.
    pub(crate) fn keys(&self) -> Vec<String> {
        let (_, answer) = self.try_ask("GET", "transit/keys?list=true", &Value::Null);
        let names = answer["data"]["keys"].as_array().cloned().unwrap_or_default();
        let name = |value: Value| value.as_str().expect("a name").to_owned();
        names.into_iter().map(name).collect()
    }

    /// Ends the server at once.
    pub(crate) fn kill(&mut self) {
        // It may have ended already.
        let _killed_or_gone = self.process.kill();
        self.process.wait().expect("ends");
    }
}

impl Drop for OpenBao {
    fn drop(&mut self) {
        self.kill();
    }
}

fn program() -> PathBuf {
    let cache = |variable: &str, below: &str| std::env::var_os(variable).map(|at| Path::new(&at).join(below));
    let cache = cache("EUNOE_CACHE", "")
        .or_else(|| cache("XDG_CACHE_HOME", "eunoe"))
        .or_else(|| cache("HOME", ".cache/eunoe"))
        .expect("a home");
    let program = cache.join(format!("openbao-{VERSION}/bin/bao"));
    assert!(
        program.exists(),
        "OpenBao is missing: scripts/openbao.sh version puts it at {}",
        program.display()
    );
    program
}

/// A port that is free now, and so is the next one, which the server takes too.
fn free_port() -> u16 {
    (0..100)
        .find_map(|_| {
            let first = TcpListener::bind("127.0.0.1:0").ok()?;
            let port = first.local_addr().ok()?.port();
            TcpListener::bind(("127.0.0.1", port.checked_add(1)?)).ok()?;
            Some(port)
        })
        .expect("two free ports")
}

fn agent(tls: &Path) -> Agent {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .proxy(None);
    if let Ok(ca) = std::fs::read(tls.join("vault-ca.pem")) {
        let ca = Certificate::from_pem(&ca).expect("a certificate");
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .root_certs(RootCerts::from([ca]))
            .build();
        config = config.tls_config(tls);
    }
    config.build().into()
}
