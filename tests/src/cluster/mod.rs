//! A cluster of real `eunoed` processes, started through `eunoe dev` and gone when the test ends, however it ends.

mod commands;
mod files;
pub mod instrumented;
pub mod keys;
mod launcher;
mod links;
mod process;
pub mod programs;

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use commands::{run, run_refused};
use eunoe_client::cluster_types::GetStatusResponse;
use eunoe_client::{Client, Context, Pem};
use links::Links;
pub use process::Process;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, MutexGuard};

use crate::wait::until_true;

/// Clusters of one test program take turns: two at once would starve each other on a small machine.
static TURN: Mutex<()> = Mutex::const_new(());

/// Seconds that nodes have until they serve.
const SERVE_SECONDS: &str = "120";

/// How a cluster is started.
pub struct Setup {
    /// Nodes.
    pub nodes: u64,
    /// Where they stand, one for each; without any they stand where `eunoe dev` puts them.
    pub sites: &'static [&'static str],
    /// Where nodes may stand.
    pub policy: &'static str,
    /// Lines of the `[limits]` table of every node's configuration.
    pub limits: &'static str,
    /// More tables of every node's configuration.
    pub tables: String,
    /// More tables of the configuration of some nodes.
    pub tables_of: BTreeMap<u64, String>,
    /// More arguments of `eunoe dev`.
    pub arguments: &'static [&'static str],
    /// The program to run in place of `eunoed`.
    pub eunoed: PathBuf,
    /// More environment variables of the nodes.
    pub environment: Vec<(&'static str, PathBuf)>,
    /// Whether the links between the nodes can be cut: see [`Cluster::cut_off`].
    pub cuttable: bool,
    /// Nodes that keep their data elsewhere, and where.
    pub data: BTreeMap<u64, PathBuf>,
}

impl Default for Setup {
    /// Three nodes as they come.
    fn default() -> Self {
        Self {
            nodes: 3,
            sites: &[],
            policy: "EU27",
            limits: "",
            tables: String::new(),
            tables_of: BTreeMap::new(),
            arguments: &[],
            eunoed: programs::eunoed(),
            environment: Vec::new(),
            cuttable: false,
            data: BTreeMap::new(),
        }
    }
}

/// A cluster that runs.
pub struct Cluster {
    folder: TempDir,
    data: BTreeMap<u64, PathBuf>,
    environment: Vec<(&'static str, PathBuf)>,
    processes: BTreeMap<u64, Process>,
    links: Option<Links>,
    _turn: MutexGuard<'static, ()>,
}

impl Cluster {
    /// Starts three nodes.
    pub async fn start() -> Self {
        Self::start_with(Setup::default()).await
    }

    /// Starts nodes; returns when all of them serve.
    ///
    /// # Panics
    ///
    /// If they do not.
    pub async fn start_with(setup: Setup) -> Self {
        let turn = TURN.lock().await;
        let folder = tempfile::Builder::new()
            .prefix("eunoe-test-")
            .tempdir()
            .expect("a folder is made");
        let launcher = launcher::write(folder.path(), &setup).expect("a script is written");
        let mut environment = setup.environment;
        environment.push(("EUNOE_EUNOED", launcher));
        let mut cluster = Self {
            folder,
            data: setup.data,
            environment,
            processes: BTreeMap::new(),
            links: None,
            _turn: turn,
        };
        if setup.cuttable {
            cluster.links = Some(Links::new(cluster.dir(), setup.nodes));
        }
        let nodes = setup.nodes.to_string();
        let mut arguments = vec!["--nodes", &nodes, "--policy", setup.policy, "--detach"];
        arguments.extend(setup.sites.iter().flat_map(|site| ["--site", *site]));
        arguments.extend(setup.arguments);
        cluster.dev(&arguments).await;
        cluster.find_processes();
        cluster
    }

    /// The folder of `eunoe dev`.
    pub fn dir(&self) -> PathBuf {
        self.folder.path().join("cluster")
    }

    /// What a node keeps.
    pub fn data_dir(&self, node: u64) -> PathBuf {
        let elsewhere = self.data.get(&node).cloned();
        elsewhere.unwrap_or_else(|| self.node_dir(node))
    }

    /// The configuration that a node was last started with.
    pub fn config(&self, node: u64) -> PathBuf {
        self.dir().join(format!("conf/node-{node}.toml.limited"))
    }

    /// What `eunoed fsck` says of the files of a stopped node: whether they are sound, and its findings.
    ///
    /// # Panics
    ///
    /// If it does not run.
    pub async fn fsck(&self, node: u64) -> (bool, String) {
        commands::fsck(&self.config(node)).await
    }

    /// The folder of a node; its log is there, and what it keeps unless that is elsewhere.
    pub fn node_dir(&self, node: u64) -> PathBuf {
        self.dir().join(format!("node-{node}"))
    }

    /// The log of a node.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn log(&self, node: u64) -> String {
        let log = fs::read(self.node_dir(node).join("eunoed.log")).expect("a node writes a log");
        String::from_utf8_lossy(&log).into_owned()
    }

    /// The nodes that were started and not removed.
    pub fn nodes(&self) -> Vec<u64> {
        self.processes.keys().copied().collect()
    }

    /// The nodes that run.
    pub fn alive(&self) -> Vec<u64> {
        let alive = self.processes.iter().filter(|(_, process)| process.is_alive());
        alive.map(|(node, _)| *node).collect()
    }

    /// The process of a node.
    ///
    /// # Panics
    ///
    /// If the cluster has no such node.
    pub fn process(&self, node: u64) -> &Process {
        self.processes.get(&node).expect("the cluster has this node")
    }

    /// Kills a node; returns when it is gone.
    pub async fn kill(&self, node: u64) {
        self.end(node, Signal::KILL).await;
    }

    /// Asks a node to end; returns when it has.
    pub async fn terminate(&self, node: u64) {
        self.end(node, Signal::TERM).await;
    }

    async fn end(&self, node: u64, signal: Signal) {
        let process = self.process(node);
        process.signal(signal);
        until_true("a node ends after a signal", async || process.is_gone()).await;
    }

    /// Starts nodes on the data that they have; returns when they serve.
    pub async fn restart(&mut self, nodes: &[u64]) {
        let ids: Vec<String> = nodes.iter().map(u64::to_string).collect();
        let mut arguments = vec!["start-node"];
        arguments.extend(ids.iter().map(String::as_str));
        self.dev(&arguments).await;
        self.find_processes();
    }

    /// Starts a stopped node as a child of this program, so that its exit code can be seen. What it logs is added to
    /// its log. It is killed when the answer is dropped.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn start_here(&self, node: u64) -> (Child, Process) {
        let log = OpenOptions::new()
            .append(true)
            .open(self.node_dir(node).join("eunoed.log"))
            .expect("a node writes a log");
        let child = Command::new(programs::eunoed())
            .arg("--config")
            .arg(self.config(node))
            .stdin(Stdio::null())
            .stderr(log.try_clone().expect("a file is opened twice"))
            .stdout(log)
            .kill_on_drop(true)
            .spawn()
            .expect("eunoed starts");
        let pid = child.id().and_then(|pid| pid.try_into().ok());
        let pid = pid.expect("a child that was not waited for has an id");
        // It may have ended by now, with files that it does not take.
        let process = Process::of_child(pid).expect("a child that was not waited for is known");
        (child, process)
    }

    /// Starts a node under a new id and makes it a voter.
    pub async fn add_node(&mut self) -> u64 {
        let added = self.dev(&["add-node"]).await;
        self.find_processes();
        added["id"].as_u64().expect("a new node has an id")
    }

    /// A node that was removed is none any more.
    pub fn forget(&mut self, node: u64) {
        self.processes.remove(&node);
    }

    /// Stops all nodes; their data stays.
    pub async fn stop(&self) {
        self.dev(&["stop"]).await;
    }

    /// Starts all nodes after a stop; returns when they serve.
    pub async fn start_again(&mut self) {
        self.dev(&["--detach"]).await;
        self.find_processes();
    }

    /// Runs `eunoe dev` and returns what it prints.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub async fn dev(&self, arguments: &[&str]) -> Value {
        let mut command = self.eunoe(&["dev", "--timeout", SERVE_SECONDS, "--dir"]);
        command.arg(self.dir()).args(arguments);
        run(command).await.remove(0)
    }

    /// Runs `eunoe` against this cluster and returns what it prints, a value for each line.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub async fn cli(&self, arguments: &[&str]) -> Vec<Value> {
        run(self.eunoe(arguments)).await
    }

    /// Runs `eunoe dev`, which must fail, and returns the error that it prints.
    ///
    /// # Panics
    ///
    /// If it does not fail.
    pub async fn dev_refused(&self, arguments: &[&str]) -> Value {
        let mut command = self.eunoe(&["dev", "--timeout", SERVE_SECONDS, "--dir"]);
        command.arg(self.dir()).args(arguments);
        run_refused(command).await
    }

    /// Runs `eunoe` against this cluster, which must fail, and returns the error that it prints.
    ///
    /// # Panics
    ///
    /// If it does not fail.
    pub async fn cli_refused(&self, arguments: &[&str]) -> Value {
        run_refused(self.eunoe(arguments)).await
    }

    /// `eunoe` against this cluster.
    pub fn eunoe(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(programs::eunoe());
        command
            .args(["--output", "json"])
            .args(arguments)
            .env("EUNOE_CONTEXT", self.dir().join("context.toml"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// What the SDK needs to act for a tenant in a role; `node` restricts it to one node.
    ///
    /// # Panics
    ///
    /// If the cluster has no such role or node.
    pub fn context(&self, role: &str, tenant: &str, node: Option<u64>) -> Context {
        let dir = self.dir();
        let file = files::context(&dir);
        let endpoints = match node {
            None => file.endpoints,
            Some(id) => {
                let found = file.nodes.into_iter().find(|node| node.id == id);
                vec![found.expect("the context has this node").endpoint]
            }
        };
        let identity = &file.roles[role];
        let pem = |path: &Path| Pem::Path(dir.join(path));
        let mut context = Context::new(
            endpoints,
            pem(&file.ca),
            pem(&identity.cert),
            pem(&identity.key),
            tenant,
        );
        context.server_name = file.server_name;
        context.timeouts.call = crate::wait::PATIENCE;
        context
    }

    /// A client of all nodes for a tenant.
    pub async fn client(&self, tenant: &str) -> Client {
        connect(self.context("platform", tenant, None)).await
    }

    /// A client of one node for a tenant.
    pub async fn client_of(&self, node: u64, tenant: &str) -> Client {
        connect(self.context("platform", tenant, Some(node))).await
    }

    /// A client of one node for its operator.
    pub async fn operator_of(&self, node: u64) -> Client {
        connect(self.context("operator", "", Some(node))).await
    }

    /// The cluster as a node sees it.
    ///
    /// # Panics
    ///
    /// If the node does not say.
    pub async fn status_of(&self, node: u64) -> GetStatusResponse {
        let operator = self.operator_of(node).await;
        operator.cluster().status().await.expect("a node says its status")
    }

    /// What a node answers to Prometheus.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub async fn metrics(&self, node: u64) -> String {
        let (head, body) = self.probe(node, "/metrics").await;
        assert!(head.starts_with("HTTP/1.0 200"), "{head}");
        body
    }

    /// Whether a node says that it is ready, and what it says.
    ///
    /// # Panics
    ///
    /// If it does not answer.
    pub async fn readiness(&self, node: u64) -> (bool, String) {
        let (head, body) = self.probe(node, "/readyz").await;
        (head.starts_with("HTTP/1.0 200"), body)
    }

    /// Head and text of what a node's admin listener answers.
    async fn probe(&self, node: u64, path: &str) -> (String, String) {
        let (head, body) = self.ask_admin(node, path).await;
        (head, String::from_utf8(body).expect("the answer is text"))
    }

    /// Head and body of what a node's admin listener answers.
    ///
    /// # Panics
    ///
    /// If it does not answer.
    pub async fn ask_admin(&self, node: u64, path: &str) -> (String, Vec<u8>) {
        let ready = files::ready(&self.dir());
        let mut of_ids = ready.ids.iter().zip(&ready.admin);
        let (_, address) = of_ids
            .find(|(id, _)| **id == node)
            .expect("the cluster has this node");
        let mut connection = TcpStream::connect(address)
            .await
            .expect("a node has its admin listener");
        let request = format!("GET {path} HTTP/1.0\r\n\r\n");
        let sent = connection.write_all(request.as_bytes()).await;
        sent.expect("a request is sent");
        let mut answer = Vec::new();
        let read = connection.read_to_end(&mut answer).await;
        read.expect("the answer ends");
        let mut between = answer.windows(4);
        let at = between
            .position(|bytes| bytes == b"\r\n\r\n")
            .expect("the answer is HTTP");
        let head = String::from_utf8_lossy(&answer[..at]).into_owned();
        (head, answer.split_off(at + 4))
    }

    fn find_processes(&mut self) {
        let ready = files::ready(&self.dir());
        for (id, pid) in ready.ids.into_iter().zip(ready.pids) {
            // A node that has ended keeps the process that it was.
            if let Some(process) = Process::of(pid, self.folder.path()) {
                self.processes.insert(id, process);
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show_logs();
        }
        let dir = self.dir();
        if dir.join("cluster.toml").exists() {
            // A test has its result already: that a node does not end is shown by the signal below.
            let _stopped = std::process::Command::new(programs::eunoe())
                .args(["dev", "stop", "--dir"])
                .arg(&dir)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .status();
        }
        for process in self.processes.values() {
            process.signal(Signal::KILL);
        }
        if std::env::var_os("EUNOE_TEST_KEEP").is_some() {
            self.folder.disable_cleanup(true);
            eprintln!("kept: {}", self.folder.path().display());
        }
    }
}

impl Cluster {
    /// The ends of all logs, for whoever reads why a test failed.
    fn show_logs(&self) {
        const LINES_SHOWN: usize = 15;
        for node in self.processes.keys() {
            let log = fs::read(self.node_dir(*node).join("eunoed.log")).unwrap_or_default();
            let log = String::from_utf8_lossy(&log);
            // The consensus library tells of every task that ends.
            let lines = log.lines().filter(|line| !line.contains("\"target\":\"openraft"));
            let lines: Vec<&str> = lines.collect();
            let end = lines.len().saturating_sub(LINES_SHOWN);
            eprintln!("--- node {node}\n{}", lines[end..].join("\n"));
        }
    }
}

/// Connects.
///
/// # Panics
///
/// If no node can be reached.
pub async fn connect(mut context: Context) -> Client {
    // Connecting keeps trying for so long, and a node may be starting.
    context.timeouts.connect = crate::wait::PATIENCE;
    Client::connect(context).await.expect("a node can be reached")
}
