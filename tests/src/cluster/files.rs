//! What `eunoe dev` writes for scripts.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// `context.toml`.
#[derive(Debug, Deserialize)]
pub(super) struct ContextFile {
    pub(super) endpoints: Vec<String>,
    pub(super) ca: PathBuf,
    pub(super) server_name: String,
    pub(super) roles: BTreeMap<String, Identity>,
    pub(super) nodes: Vec<NodeEndpoint>,
}

/// A certificate of `context.toml`.
#[derive(Debug, Deserialize)]
pub(super) struct Identity {
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
}

/// A node of `context.toml`.
#[derive(Debug, Deserialize)]
pub(super) struct NodeEndpoint {
    pub(super) id: u64,
    pub(super) endpoint: String,
}

/// `ready.json`.
#[derive(Debug, Deserialize)]
pub(super) struct Ready {
    pub(super) ids: Vec<u64>,
    pub(super) admin: Vec<String>,
    pub(super) pids: Vec<i32>,
}

pub(super) fn context(dir: &Path) -> ContextFile {
    let text = fs::read_to_string(dir.join("context.toml")).expect("the cluster has served");
    toml::from_str(&text).expect("the context is of a known form")
}

pub(super) fn ready(dir: &Path) -> Ready {
    let text = fs::read(dir.join("ready.json")).expect("the cluster has served");
    serde_json::from_slice(&text).expect("ready.json is of a known form")
}
