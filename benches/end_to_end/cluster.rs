//! A development cluster of real processes, and what they spend.

use std::error::Error;
use std::ops::Sub;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use eunoe_client::{Client, Context, Pem};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Nodes of the cluster.
pub(crate) const NODES: usize = 3;

pub(crate) struct Cluster {
    dir: tempfile::TempDir,
    eunoe: PathBuf,
    pids: Vec<u64>,
    endpoints: Vec<String>,
}

/// What all nodes together have spent so far.
#[derive(Clone, Copy)]
pub(crate) struct Counters {
    pub(crate) cpu: Duration,
    pub(crate) syncs: u64,
    /// Bytes of the logs.
    pub(crate) written: u64,
}

impl Sub for Counters {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            cpu: self.cpu - earlier.cpu,
            syncs: self.syncs.saturating_sub(earlier.syncs),
            written: self.written.saturating_sub(earlier.written),
        }
    }
}

impl Cluster {
    pub(crate) fn start() -> Result<Self, Box<dyn Error>> {
        let dir = tempfile::tempdir()?;
        let eunoe = binaries()?.join("eunoe");
        let started = Command::new(&eunoe)
            .args(["dev", "--nodes", &NODES.to_string(), "--detach", "--dir"])
            .arg(dir.path())
            .output()?;
        if !started.status.success() {
            return Err(format!("eunoe dev failed: {}", String::from_utf8_lossy(&started.stderr)).into());
        }
        let ready: serde_json::Value =
            serde_json::from_slice(&std::fs::read(dir.path().join("ready.json"))?)?;
        let list = |key: &str| ready[key].as_array().cloned().unwrap_or_default();
        let pids = list("pids")
            .iter()
            .filter_map(serde_json::Value::as_u64)
            .collect();
        let endpoints = list("endpoints")
            .iter()
            .filter_map(|value| value.as_str().map(str::to_owned))
            .collect();
        Ok(Self {
            dir,
            eunoe,
            pids,
            endpoints,
        })
    }

    /// How to talk to it.
    pub(crate) fn context(&self) -> Result<Context, Box<dyn Error>> {
        self.context_of(self.endpoints.clone())
    }

    fn context_of(&self, endpoints: Vec<String>) -> Result<Context, Box<dyn Error>> {
        let text = std::fs::read_to_string(self.dir.path().join("context.toml"))?;
        let context: toml::Table = toml::from_str(&text)?;
        let path = |value: Option<&toml::Value>| {
            let value = value
                .and_then(toml::Value::as_str)
                .ok_or("context.toml has another form")?;
            Ok::<_, Box<dyn Error>>(Pem::Path(self.dir.path().join(value)))
        };
        let role = |key: &str| {
            context
                .get("roles")
                .and_then(|roles| roles.get("platform"))
                .and_then(|r| r.get(key))
        };
        Ok(Context::new(
            endpoints,
            path(context.get("ca"))?,
            path(role("cert"))?,
            path(role("key"))?,
            "bench",
        ))
    }

    pub(crate) async fn counters(&self) -> Result<Counters, Box<dyn Error>> {
        let ticks: u64 = self
            .pids
            .iter()
            .map(|pid| cpu_ticks(*pid))
            .sum::<Result<_, _>>()?;
        // USER_HZ is 100 on every Linux that this runs on.
        let cpu = Duration::from_millis(ticks * 10);
        let mut syncs = 0;
        for endpoint in &self.endpoints {
            let client = Client::connect(self.context_of(vec![endpoint.clone()])?).await?;
            syncs += client.cluster().status().await?.log_syncs;
        }
        let mut written = 0;
        for node in 1..=NODES {
            written += self.log_bytes(node).await?;
        }
        Ok(Counters { cpu, syncs, written })
    }

    /// Bytes that a node wrote to its log, as its metrics say.
    async fn log_bytes(&self, node: usize) -> Result<u64, Box<dyn Error>> {
        let config = std::fs::read_to_string(self.dir.path().join(format!("conf/node-{node}.toml")))?;
        let config: toml::Table = toml::from_str(&config)?;
        let admin = config["listen"]["admin"].as_str().ok_or("no admin address")?;
        let mut stream = TcpStream::connect(admin).await?;
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let value = answer
            .lines()
            .find_map(|line| line.strip_prefix("eunoe_log_written_bytes_total "));
        Ok(value.ok_or("no such metric")?.parse()?)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let stopped = Command::new(&self.eunoe)
            .args(["dev", "stop", "--dir"])
            .arg(self.dir.path())
            .output();
        if let Err(error) = stopped {
            eprintln!("the cluster was not stopped: {error}");
        }
    }
}

fn binaries() -> Result<PathBuf, Box<dyn Error>> {
    if let Some(dir) = std::env::var_os("EUNOE_BENCH_BIN") {
        return Ok(dir.into());
    }
    // target/release/deps/end_to_end-… → target/release
    let own = std::env::current_exe()?;
    Ok(own
        .parent()
        .and_then(|deps| deps.parent())
        .ok_or("no target directory")?
        .to_owned())
}

/// User and system time of a process.
fn cpu_ticks(pid: u64) -> Result<u64, Box<dyn Error>> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(") ").ok_or("a strange stat file")?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let field = |at: usize| {
        fields
            .get(at)
            .and_then(|value| value.parse::<u64>().ok())
            .ok_or("a strange stat file")
    };
    Ok(field(11)? + field(12)?)
}
