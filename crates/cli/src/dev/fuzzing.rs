//! Files of a cluster's folder as fuzzers write them.

use eunoe_types::fuzzing::Bytes;

use super::layout::Cluster;
use super::processes::Processes;

/// Whether it is a `cluster.toml`.
pub(crate) fn is_cluster(text: &str) -> bool {
    toml::from_str::<Cluster>(text).is_ok()
}

/// Whether it is a file of processes.
pub(crate) fn is_processes(json: &Bytes) -> bool {
    serde_json::from_slice::<Processes>(json).is_ok()
}
