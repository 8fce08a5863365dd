//! What a node keeps on its disk, opened once and for one process, and only if it is this node's.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eunoe_store::{RocksOptions, RocksStates, SegmentLog, SegmentLogOptions};
use eunoe_types::Fault;
use eunoe_vault::ErasableVault;

use super::{NodeError, vaults};
use crate::config::Config;

/// The directory of the Raft log below the data directory.
pub const LOG_DIR: &str = "log";
/// The directory of the groups' states.
pub const STATE_DIR: &str = "state";
/// The file that says whose data this is.
const IDENTITY_FILE: &str = "node";

/// The engines of a node.
pub(super) struct Disk {
    /// The log of all groups.
    pub log: SegmentLog,
    /// The state of each group.
    pub states: Arc<RocksStates>,
    /// Where the root key outlives the process.
    pub vault: Arc<dyn ErasableVault>,
    /// Whether this node never ran here before.
    pub is_new: bool,
    identity: PathBuf,
    line: String,
}

impl Disk {
    /// Opens everything. A data directory of another node, realm or number of groups is refused.
    pub(super) fn open(config: &Config) -> Result<Self, NodeError> {
        let root = &config.data_dir;
        create_dir(root)?;
        let identity = root.join(IDENTITY_FILE);
        let line = format!(
            "eunoe node 1: node {} of realm {} with {} data groups\n",
            config.node_id, config.realm, config.data_groups
        );
        let is_new = match fs::read_to_string(&identity) {
            Ok(found) if found == line => false,
            Ok(_) => return Err(NodeError::ForeignData(root.clone())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
            Err(error) => return Err(Fault::io("read the node's identity", error).into()),
        };
        let vault = vaults::open(config, is_new)?;
        let log = SegmentLog::open(&root.join(LOG_DIR), &SegmentLogOptions::default())?;
        let options = RocksOptions {
            groups: config.data_groups + 1,
            ..RocksOptions::default()
        };
        let states = Arc::new(RocksStates::new(&root.join(STATE_DIR), &options)?);
        Ok(Self {
            log,
            states,
            vault,
            is_new,
            identity,
            line,
        })
    }

    /// Notes that this node runs here: from now on its id is bound to this directory.
    pub(super) fn claim(&self) -> Result<(), Fault> {
        let fault = |error| Fault::io("write the node's identity", error);
        let temporary = self.identity.with_extension("tmp");
        let mut file = fs::File::create(&temporary).map_err(fault)?;
        file.write_all(self.line.as_bytes()).map_err(fault)?;
        file.sync_all().map_err(fault)?;
        fs::rename(&temporary, &self.identity).map_err(fault)?;
        let parent = self.identity.parent().unwrap_or(Path::new("."));
        fs::File::open(parent)
            .and_then(|dir| dir.sync_all())
            .map_err(fault)
    }
}

fn create_dir(path: &Path) -> Result<(), Fault> {
    use std::os::unix::fs::DirBuilderExt as _;
    let created = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    created.map_err(|error| Fault::io("create the data directory", error))
}
