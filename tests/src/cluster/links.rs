//! Cables between nodes that a test can cut. Every node is known to the others by an address of this program, which
//! passes their connections on and finds out who made each.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Cluster;

/// A shell command that prints a node's configuration with the peers' ports on [`HERE`]; `listen.peer` stays.
pub(super) const EDIT: &str =
    "sed '/^\\[\\[members\\]\\]/,/^\\[[^[]/s/^peer = \"127.0.0.1:/peer = \"127.0.0.2:/'";
/// Where this program listens, on the ports that the nodes have on 127.0.0.1.
const HERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const BUFFER_BYTES: usize = 64 << 10;
/// Between two looks for a configuration.
const POLL: Duration = Duration::from_millis(20);

/// What is read of a node's configuration.
#[derive(Deserialize)]
struct Config {
    listen: Listen,
}

#[derive(Deserialize)]
struct Listen {
    peer: SocketAddr,
}

/// All cables of a cluster. They are gone when this is dropped.
pub(super) struct Links {
    cut: watch::Sender<Option<u64>>,
    _tasks: JoinSet<()>,
}

impl Links {
    /// Cables to the nodes 1 to `nodes` of the cluster in `dir`, each from when its configuration is there.
    pub(super) fn new(dir: PathBuf, nodes: u64) -> Self {
        let (cut, _) = watch::channel(None);
        let mut tasks = JoinSet::new();
        for node in 1..=nodes {
            tasks.spawn(serve(dir.clone(), node, cut.clone()));
        }
        Self { cut, _tasks: tasks }
    }

    /// Cuts the cables of one node and mends all others.
    fn cut(&self, node: Option<u64>) {
        self.cut.send_replace(node);
    }
}

impl Cluster {
    /// Cuts a node off from all others, in both directions: what they send to each other waits. Its clients reach it.
    ///
    /// # Panics
    ///
    /// If the cluster was not started as [`Setup::cuttable`].
    pub fn cut_off(&self, node: u64) {
        let links = self.links.as_ref().expect("the cluster is cuttable");
        links.cut(Some(node));
    }

    /// Ends what [`Self::cut_off`] began; what waits arrives.
    ///
    /// # Panics
    ///
    /// If the cluster was not started as [`Setup::cuttable`].
    pub fn heal(&self) {
        let links = self.links.as_ref().expect("the cluster is cuttable");
        links.cut(None);
    }
}

async fn serve(dir: PathBuf, node: u64, cut: watch::Sender<Option<u64>>) {
    let conf = dir.join("conf");
    let file = conf.join(format!("node-{node}.toml"));
    // Until the cluster is dropped.
    let there = loop {
        if let Some(address) = peer_address(&file) {
            break address;
        }
        tokio::time::sleep(POLL).await;
    };
    let listener = TcpListener::bind((HERE, there.port())).await;
    let listener = listener.expect("the port of a node is free on another address");
    let mut connections = JoinSet::new();
    loop {
        let (stream, from) = listener.accept().await.expect("a connection is accepted");
        while connections.try_join_next().is_some() {}
        // Whoever is gone already needs no connection.
        if let Some(caller) = caller(from, &conf) {
            connections.spawn(connect(stream, there, [caller, node], cut.subscribe()));
        }
    }
}

/// Where the node of a configuration listens for its peers; none while there is no whole one.
fn peer_address(file: &Path) -> Option<SocketAddr> {
    let text = fs::read_to_string(file).ok()?;
    let config: Config = toml::from_str(&text).ok()?;
    Some(config.listen.peer)
}

async fn connect(stream: TcpStream, to: SocketAddr, ends: [u64; 2], cut: watch::Receiver<Option<u64>>) {
    mended(&cut, ends).await;
    // A node that does not listen is shown by the end of the connection to it.
    let Ok(onward) = TcpStream::connect(to).await else {
        return;
    };
    for stream in [&stream, &onward] {
        stream.set_nodelay(true).expect("a socket takes an option");
    }
    let ((from_caller, to_caller), (from_node, to_node)) = (stream.into_split(), onward.into_split());
    tokio::join!(
        pass_on(from_caller, to_node, ends, cut.clone()),
        pass_on(from_node, to_caller, ends, cut),
    );
}

async fn mended(cut: &watch::Receiver<Option<u64>>, ends: [u64; 2]) {
    let mut cut = cut.clone();
    let is_whole = |cut: &Option<u64>| cut.is_none_or(|node| !ends.contains(&node));
    cut.wait_for(is_whole).await.map(drop).unwrap_or_default();
}

/// What is under way while the cable is cut arrives when it is mended, as it does in a network; so does the end.
async fn pass_on(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    ends: [u64; 2],
    cut: watch::Receiver<Option<u64>>,
) {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or_default();
        mended(&cut, ends).await;
        // The end of `to` is seen by the other direction.
        if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

/// The node whose process has this end of a connection.
fn caller(address: SocketAddr, conf: &Path) -> Option<u64> {
    let socket = format!("socket:[{}]", inode(address)?);
    let mut nodes = processes(conf).into_iter();
    nodes.find_map(|(node, process)| {
        let files = fs::read_dir(process.join("fd")).ok()?;
        let mut links = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
        links
            .any(|link| link.as_os_str() == socket.as_str())
            .then_some(node)
    })
}

/// The number of the socket that is bound to an address, from the system's table of connections.
fn inode(address: SocketAddr) -> Option<String> {
    let SocketAddr::V4(address) = address else {
        return None;
    };
    let ip = u32::from_ne_bytes(address.ip().octets());
    let local = format!("{ip:08X}:{:04X}", address.port());
    let table = fs::read_to_string("/proc/net/tcp").expect("the system says its connections");
    let mut rows = table
        .lines()
        .map(|row| row.split_ascii_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| row.get(1) == Some(&local.as_str()))?;
    row.get(9).map(|inode| (*inode).to_owned())
}

/// The folders in `/proc` of the nodes that run with configurations in `conf`.
fn processes(conf: &Path) -> BTreeMap<u64, PathBuf> {
    let entries = fs::read_dir("/proc").expect("the system says its processes");
    let folders = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let node_of = |folder: &PathBuf| {
        let line = fs::read(folder.join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).into_owned();
        let (_, name) = line.split_once(&format!("{}/node-", conf.display()))?;
        name.split_once('.')?.0.parse().ok()
    };
    folders
        .filter_map(|folder| Some((node_of(&folder)?, folder)))
        .collect()
}
