//! What a node keeps on its disk, opened once and for one process, and only if it is this node's.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eunoe_crypto::{SecretBytes, SecretKey};
use eunoe_store::{RocksOptions, RocksStates, SegmentLog, SegmentLogOptions};
use eunoe_types::Fault;
use eunoe_vault::ErasableVault;

use super::{NodeError, vaults};
use crate::config::Config;
use crate::surroundings::SystemEntropy;

/// The directory of the Raft log below the data directory.
pub const LOG_DIR: &str = "log";
/// The directory of the groups' states.
pub const STATE_DIR: &str = "state";
/// The file with what the node signs with.
const SIGNING_FILE: &str = "signing.key";
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
    /// What the node signs with.
    pub seed: SecretBytes,
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
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
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
            seed: seed(&root.join(SIGNING_FILE))?,
            is_new,
            identity,
            line,
        })
    }

    /// Notes that this node runs here: from now on its id is bound to this directory.
    pub(super) fn claim(&self) -> Result<(), Fault> {
        let fault = |error| Fault::io("write the node's identity", error);
        write_durably(&self.identity, self.line.as_bytes()).map_err(fault)
    }
}

/// Writes a file that is there whole after a crash, or not at all. Nobody else may read it.
fn write_durably(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::File::open(parent)?.sync_all()
}

/// What a node's signing keys are made of, made when it starts for the first time. A file that is not whole is a fault: with
/// other keys the node would be somebody else to auditors.
fn seed(path: &Path) -> Result<SecretBytes, NodeError> {
    let material = match fs::read(path) {
        Ok(bytes) => SecretBytes::new(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let new = SecretKey::generate(&mut SystemEntropy).map_err(|_| NodeError::Entropy)?;
            let written = write_durably(path, new.expose());
            written.map_err(|error| Fault::io("write the node's signing keys", error))?;
            SecretBytes::from(&new.expose()[..])
        }
        Err(error) => return Err(Fault::io("read the node's signing keys", error).into()),
    };
    if material.len() != SecretKey::BYTES {
        return Err(Fault::broken("the file of the node's signing keys is not whole").into());
    }
    Ok(material)
}

fn create_dir(path: &Path) -> Result<(), Fault> {
    use std::os::unix::fs::DirBuilderExt as _;
    let created = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    created.map_err(|error| Fault::io("create the data directory", error))
}
