//! What the parts of a node have in common.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use eunoe_core::control;
use eunoe_crypto::{Entropy, KeyArena, Locking};
use eunoe_custody::{Keyring, KeyringLimits};
use eunoe_raft::{Blocking, GroupHandle};
use eunoe_types::{BootId, GroupId};
use eunoe_vault::ErasableVault;
use tokio::sync::Mutex;
use tokio::sync::mpsc;

use super::NodeError;
use super::custodian::Custodian;
use super::dark::Granted;
use super::quorum::Quorums;
use super::signing::{Signer, SigningSeeds};
use crate::admin::Health;
use crate::config::Config;
use crate::edge::Hub;
use crate::groups::Groups;
use crate::grpc::Faults;
use crate::peer::Peers;
use crate::surroundings::{BootClock, SystemEntropy};
use crate::tls::PeerDirectory;

/// Keys that may be in memory: caches, pages of the key trees, and what is in use.
const KEYS_MAX: usize = 1 << 20;
/// Depth of the key trees: 32^2 leaf pages of each for development, 32^3 otherwise (erasure.md §4.2).
const LEVELS_DEVELOPMENT: u8 = 2;
const LEVELS: u8 = 3;

/// What the parts of a node have in common.
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) boot: BootId,
    pub(super) directory: PeerDirectory,
    pub(super) peers: Peers,
    pub(super) vault: Arc<dyn ErasableVault>,
    blocking: Blocking,
    pub(super) keyring: Arc<Keyring>,
    pub(super) hub: Arc<Hub>,
    pub(super) custodian: Arc<Custodian>,
    pub(super) health: Health,
    pub(super) faults: Faults,
    pub(super) quorums: Quorums,
    groups: RwLock<Option<Arc<Groups>>>,
    draining: AtomicBool,
    keeps_share: AtomicBool,
    pub(super) granted: Granted,
    pub(super) signer: Signer,
    failures: (mpsc::Sender<NodeError>, Mutex<mpsc::Receiver<NodeError>>),
}

impl Shared {
    pub(super) fn new(
        config: Config,
        vault: Arc<dyn ErasableVault>,
        peers: Peers,
        directory: PeerDirectory,
        blocking: Blocking,
        seeds: &SigningSeeds,
    ) -> Result<Arc<Self>, NodeError> {
        let locking = if config.development {
            Locking::BestEffort
        } else {
            Locking::Required
        };
        let arena = KeyArena::new(locking, KEYS_MAX)?;
        let mut boot = BootId::default();
        SystemEntropy.fill(&mut boot.0).map_err(|_| NodeError::Entropy)?;
        let class = vault.descriptor().class;
        let signer = Signer::new(config.node_id, config.realm, class, seeds)?;
        let (failed, failures) = mpsc::channel(1);
        let shared = Arc::new(Self {
            boot,
            directory,
            peers,
            vault,
            blocking,
            keyring: Arc::new(Keyring::new(arena, KeyringLimits::default(), Arc::new(BootClock))),
            hub: Arc::new(Hub::default()),
            custodian: Arc::new(Custodian::default()),
            health: Health::default(),
            faults: Faults::default(),
            quorums: Quorums::default(),
            groups: RwLock::new(None),
            draining: AtomicBool::new(false),
            keeps_share: AtomicBool::new(false),
            granted: Granted::default(),
            signer,
            failures: (failed, Mutex::new(failures)),
            config,
        });
        shared.custodian.serve(&shared);
        Ok(shared)
    }

    /// Depth of the key trees of a realm that begins here.
    pub(super) fn key_levels(&self) -> u8 {
        if self.config.development {
            LEVELS_DEVELOPMENT
        } else {
            LEVELS
        }
    }

    /// The groups, once they run.
    pub(super) fn groups(&self) -> Result<Arc<Groups>, NodeError> {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        groups.clone().ok_or(NodeError::NotRunning)
    }

    /// One group, if it runs.
    pub(super) fn group(&self, id: GroupId) -> Option<GroupHandle> {
        self.groups().ok()?.get(id).cloned()
    }

    pub(super) fn set_groups(&self, groups: Arc<Groups>) {
        *self.groups.write().unwrap_or_else(PoisonError::into_inner) = Some(groups);
    }

    /// Lets go of the groups: they are about to stop.
    pub(super) fn groups_gone(&self) {
        *self.groups.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether this node knows that the realm has begun.
    pub(super) fn has_genesis(&self) -> bool {
        let genesis = self
            .group(GroupId::CONTROL)
            .map(|control| control.with_view(control::genesis));
        matches!(genesis, Some(Ok(Ok(Some(_)))))
    }

    pub(super) fn set_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    pub(super) fn set_keeps_share(&self, keeps: bool) {
        self.keeps_share.store(keeps, Ordering::Relaxed);
    }

    /// Whether the vault has a share of the current root, as it was when it was looked at last.
    pub(super) fn keeps_share(&self) -> bool {
        self.keeps_share.load(Ordering::Relaxed)
    }

    /// Runs what blocks.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NodeError> {
        self.blocking.run(work).await.map_err(|_| NodeError::Panicked)
    }

    /// Runs a task whose failure ends the node.
    pub(super) fn spawn(&self, task: impl Future<Output = Result<(), NodeError>> + Send + 'static) {
        let failed = self.failures.0.clone();
        tokio::spawn(async move {
            if let Err(error) = task.await {
                // A second failure changes nothing.
                let _first_or_not = failed.try_send(error);
            }
        });
    }

    /// Ends the node with this.
    pub(super) fn fail(&self, error: NodeError) {
        // A second failure changes nothing.
        let _first_or_not = self.failures.0.try_send(error);
    }

    /// Ends with the first failure of a task.
    pub(super) async fn failed(&self) -> NodeError {
        let mut failures = self.failures.1.lock().await;
        match failures.recv().await {
            Some(error) => error,
            None => std::future::pending().await,
        }
    }
}
