//! A small log, its forks, and a witness as a real process.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use eunoe_evidence::merkle::{Hash, MissingLeaf, ProveError, leaf_hash, root_at};
use eunoe_evidence::{
    AddCheckpoint, Checkpoint, KeyName, LogKey, SignedCheckpoint, VerifierKey, prove_consistency,
};
use eunoe_witness::{AskError, Cosignature, WitnessClient, WitnessUrl};
use serde_json::Value;

pub(crate) const ORIGIN: &str = "eunoe/0001";
pub(crate) const NAME: &str = "witness.example/w1";
/// Longer than any step takes on a busy machine; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A log in memory. Those of another `branch` have the same name and key, and other leaves from `fork_at` on.
pub(crate) struct Log {
    pub(crate) key: LogKey,
    leaves: Vec<Hash>,
}

impl Log {
    pub(crate) fn new(origin: &str) -> Self {
        Self::forked(origin, "", u64::MAX)
    }

    pub(crate) fn forked(origin: &str, branch: &str, fork_at: u64) -> Self {
        let leaf = |index: u64| {
            let branch = if index < fork_at { "" } else { branch };
            leaf_hash(format!("{origin} {branch} {index}").as_bytes())
        };
        Self {
            key: LogKey::from_seed(KeyName::new(origin).unwrap(), &[1; 32]).unwrap(),
            leaves: (0..1_000).map(leaf).collect(),
        }
    }

    /// What `eunoe witness --log` takes.
    pub(crate) fn vkey(&self) -> String {
        self.key.verifier().to_string()
    }

    pub(crate) fn checkpoint(&self, size: u64) -> Checkpoint {
        let root = root_at(&self.leaves[..], size).unwrap();
        let origin = self.key.verifier().name().as_str();
        Checkpoint::new(origin, size, root, Vec::new()).unwrap()
    }

    pub(crate) fn signed(&self, size: u64) -> SignedCheckpoint {
        let checkpoint = self.checkpoint(size);
        let line = self.key.sign(&checkpoint).unwrap();
        SignedCheckpoint::new(checkpoint, vec![line]).unwrap()
    }

    pub(crate) fn prove(&self, old: u64, new: u64) -> Result<Vec<Hash>, ProveError<MissingLeaf>> {
        prove_consistency(&self.leaves[..], old, new)
    }

    pub(crate) fn request(&self, old: u64, new: u64) -> AddCheckpoint {
        let proof = self.prove(old, new).unwrap();
        AddCheckpoint::new(old, proof, self.signed(new)).unwrap()
    }

    pub(crate) fn ask(
        &self,
        witness: &WitnessClient,
        size: u64,
    ) -> Result<Cosignature, AskError<ProveError<MissingLeaf>>> {
        witness.ask(&self.signed(size), |old, new| self.prove(old, new))
    }
}

/// A running witness, killed when the test ends.
pub(crate) struct Witness {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) key: VerifierKey,
}

pub(crate) fn command(dir: &Path, name: &str, logs: &[&Log]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eunoe"));
    command
        .args([
            "--output",
            "json",
            "witness",
            "--name",
            name,
            "--listen",
            "127.0.0.1:0",
        ])
        .arg("--dir")
        .arg(dir)
        .args(logs.iter().flat_map(|log| ["--log".to_owned(), log.vkey()]))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// What a witness says that does not start.
pub(crate) fn refused_to_start(dir: &Path, name: &str, logs: &[&Log]) -> String {
    let mut child = command(dir, name, logs).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut said)
        .unwrap();
    if !said.is_empty() {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!((said.as_str(), output.status.code()), ("", Some(1)));
    String::from_utf8(output.stderr).unwrap()
}

impl Witness {
    pub(crate) fn start(dir: &Path, logs: &[&Log]) -> Self {
        let mut child = command(dir, NAME, logs).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| {
            let mut errors = String::new();
            let _ = child.stderr.take().unwrap().read_to_string(&mut errors);
            panic!("it does not start: {errors}")
        });
        Self {
            address: said["listen"].as_str().unwrap().parse().unwrap(),
            key: said["key"].as_str().unwrap().parse().unwrap(),
            child,
        }
    }

    pub(crate) fn client(&self) -> WitnessClient {
        let url = WitnessUrl::new(&format!("http://{}", self.address)).unwrap();
        WitnessClient::new(&url, self.key.clone(), None).unwrap()
    }

    pub(crate) fn post(&self, body: &str) -> Answer {
        self.call("POST", "/add-checkpoint", body)
    }

    pub(crate) fn call(&self, method: &str, path: &str, body: &str) -> Answer {
        let mut stream = self.connect();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: w\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        Answer::read(stream)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) -> Output {
        self.child.kill().unwrap();
        self.end()
    }

    /// Ends it as an operator does.
    pub(crate) fn terminate(self) -> Output {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.end()
    }

    fn end(mut self) -> Output {
        let mut stderr = Vec::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_end(&mut stderr)
            .unwrap();
        let status = self.child.wait().unwrap();
        Output {
            status,
            stdout: Vec::new(),
            stderr,
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn read(mut stream: TcpStream) -> Self {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self {
            status,
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }
}
