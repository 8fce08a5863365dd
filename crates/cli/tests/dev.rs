//! `eunoe dev` with real processes that only pretend to be nodes: what is started, found again, reported, stopped.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Longer than any step takes on a busy machine; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The pretended node; the script below runs it in place of `eunoed`. Answers every probe with 200, unless its
/// data folder holds a file `broken`.
#[test]
#[ignore = "it is a process that other tests start, and never ends"]
fn fake_node() {
    let Ok(path) = std::env::var("FAKE_NODE_CONFIG") else {
        return;
    };
    let config: toml::Table = fs::read_to_string(path).unwrap().parse().unwrap();
    let data_dir = PathBuf::from(config["data_dir"].as_str().unwrap());
    if data_dir.join("broken").exists() {
        eprintln!("this node is broken");
        std::process::exit(3);
    }
    let listener = TcpListener::bind(config["listen"]["admin"].as_str().unwrap()).unwrap();
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let mut request = [0; 512];
        let _ = stream.read(&mut request);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    }
}

/// A folder for a cluster of pretended nodes, stopped when the test ends.
struct Dev {
    folder: TempDir,
    program: PathBuf,
}

impl Dev {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("fake-eunoed");
        let this = std::env::current_exe().unwrap();
        let script = format!(
            "#!/bin/sh\nFAKE_NODE_CONFIG=\"$2\" exec '{}' fake_node --exact --ignored --nocapture\n",
            this.display()
        );
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder, program }
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("cluster")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eunoe"));
        command
            .args(["--output", "json", "dev", "--dir"])
            .arg(self.dir())
            .args(arguments)
            .env("EUNOE_EUNOED", &self.program)
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn succeed(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn ready(&self) -> Option<Value> {
        let text = fs::read(self.dir().join("ready.json")).ok()?;
        Some(serde_json::from_slice(&text).unwrap())
    }

    fn pids(&self) -> Vec<u64> {
        let ready = self.ready().expect("the nodes serve");
        let pids = ready["pids"].as_array().unwrap();
        pids.iter().map(|pid| pid.as_u64().unwrap()).collect()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        if self.dir().exists() {
            self.run(&["stop"]);
        }
    }
}

fn is_alive(pid: u64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn signal(name: &str, pid: u64) {
    let status = Command::new("kill").args([name, &pid.to_string()]).status();
    assert!(status.unwrap().success());
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn wait_for(mut child: Child) -> (bool, String) {
    let mut errors = String::new();
    let stderr = child.stderr.as_mut().unwrap();
    stderr.read_to_string(&mut errors).unwrap();
    (child.wait().unwrap().success(), errors)
}

#[test]
fn a_detached_cluster_serves_until_it_is_stopped_and_comes_back_at_the_same_addresses() {
    let dev = Dev::new();
    let printed = dev.succeed(&["--nodes", "3", "--detach"]);
    let ready = dev.ready().unwrap();
    assert_eq!(printed, ready);
    assert_eq!(
        ready["data_dirs"][2].as_str().map(Path::new),
        Some(dev.dir().join("node-3").as_path())
    );
    let pids = dev.pids();
    assert_eq!(pids.len(), 3);
    assert!(pids.iter().all(|pid| is_alive(*pid)));
    assert!(dev.dir().join("context.toml").is_file());

    assert_eq!(dev.succeed(&["stop"])["stopped"].to_string(), "[1,2,3]");
    assert!(!pids.iter().any(|pid| is_alive(*pid)));
    assert_eq!(dev.ready(), None);
    assert_eq!(dev.succeed(&["stop"])["stopped"].to_string(), "[]");

    dev.succeed(&["--detach"]);
    assert_eq!(dev.ready().unwrap()["endpoints"], ready["endpoints"]);
    assert_ne!(dev.pids(), pids);
}

#[test]
fn in_the_foreground_a_lost_node_is_reported_and_sigterm_stops_all() {
    let dev = Dev::new();
    let mut command = dev.command(&["--nodes", "2"]);
    let child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("the nodes serve", || dev.ready().is_some());
    let before = dev.pids();
    signal("-KILL", before[1]);
    until("the node has ended", || !is_alive(before[1]));

    let started = dev.succeed(&["start-node", "2"]);
    let now = dev.pids();
    assert_eq!((now[0], started["pids"][0].as_u64()), (before[0], Some(now[1])));
    assert_ne!(now[1], before[1]);
    let again = dev.run(&["start-node", "2"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("node 2 runs already"));

    signal("-TERM", u64::from(child.id()));
    let (success, errors) = wait_for(child);
    assert!(success, "{errors}");
    assert!(
        errors.contains(&format!("node 2 (pid {}) ended: signal: 9", before[1])),
        "{errors}"
    );
    assert!(
        !now.iter().any(|pid| is_alive(*pid)),
        "also the node that somebody else started is stopped"
    );
    assert_eq!(dev.ready(), None);
}

#[test]
fn stop_reaches_a_cluster_in_the_foreground() {
    let dev = Dev::new();
    let mut command = dev.command(&["--nodes", "1"]);
    let child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("the node serves", || dev.ready().is_some());
    let second = dev.run(&["--detach"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("runs in"));
    dev.succeed(&["stop"]);
    let (success, errors) = wait_for(child);
    assert!(success, "{errors}");
}

#[test]
fn a_node_that_cannot_start_fails_the_command_and_leaves_nothing_running() {
    let dev = Dev::new();
    dev.succeed(&["--nodes", "2", "--detach"]);
    dev.succeed(&["stop"]);
    fs::write(dev.dir().join("node-2/broken"), "").unwrap();
    let failed = dev.run(&["--detach"]);
    assert_eq!(failed.status.code(), Some(1));
    let error: Value = serde_json::from_slice(&failed.stderr).unwrap();
    let message = error["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("node 2") && message.contains("exit status: 3"),
        "{message}"
    );
    assert!(message.contains("this node is broken"), "{message}");
    assert_eq!(dev.ready(), None);
    assert_eq!(dev.succeed(&["stop"])["stopped"].to_string(), "[]");
}

#[test]
fn a_missing_program_is_named() {
    let dev = Dev::new();
    fs::remove_file(&dev.program).unwrap();
    let failed = dev.run(&["--detach"]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&failed.stderr).contains("EUNOE_EUNOED"));
}
