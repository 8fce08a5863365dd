//! A control group of three nodes, and erasures and epochs as a driver proposes them to it.

use eunoe_core::control::{
    self, AttestDestroyed, BeginEpoch, CancelErasure, Command, ControlMachine, Decommission, EpochChunk,
    EpochRowOf, Genesis, KeyOutcome, KeyState, LeaseOver, MadeRoot, NewKey, NewRow, NodeRow, NodeState, Page,
    PageName, Reply, RequestErasure, ShareEpoch, Sharing, SwitchEpoch, VerifyEpoch,
};
use eunoe_core::placement::Policy;
use eunoe_types::{BootId, ErasureId, Kid, NodeId, Realm, RequestMac, TimeMs, VaultClass};

use crate::support::{Rows, run_from};

pub(crate) const TENANT: Kid = Kid([0x41; 16]);
pub(crate) const PAGE: PageName = PageName {
    tree: 2,
    level: 1,
    index: 3,
};
pub(crate) const BEGUN: TimeMs = TimeMs(1_700_000_000_000);
pub(crate) const CANCELLED: TimeMs = TimeMs(7);
pub(crate) const BOOT: BootId = BootId([0xb0; 16]);

pub(crate) fn node(id: u64) -> NodeRow {
    NodeRow {
        id: NodeId(id),
        client_address: String::new(),
        peer_address: String::new(),
        spki_sha256: [id as u8; 32],
        site: "de/fra/fra1".to_owned(),
        state: NodeState::Admitted,
    }
}

/// Public commitment to every root but the first.
pub(crate) const ROOT: [u8; 32] = [9; 32];

/// A root that more than half of these nodes have together.
pub(crate) fn among(nodes: impl IntoIterator<Item = u64>) -> Sharing {
    let mut holders: Vec<NodeId> = nodes.into_iter().map(NodeId).collect();
    holders.sort_unstable();
    holders.dedup();
    let threshold = (holders.len() / 2 + 1) as u8;
    Sharing { holders, threshold }
}

/// A root that is shared so, and whose shares all holders keep.
pub(crate) fn made(sharing: &Sharing, root_commit: [u8; 32]) -> MadeRoot {
    MadeRoot {
        root_commit,
        sub_keys: vec![[8; 32]; groups_of(sharing.holders.len(), sharing.threshold.saturating_sub(1).into())],
        kept: sharing.holders.clone(),
    }
}

/// The beginning of a realm of these nodes, which all share its root.
pub(crate) fn genesis_of(nodes: Vec<NodeRow>, policy: Policy, time: TimeMs) -> Genesis {
    let sharing = among(nodes.iter().map(|node| node.id.0));
    Genesis {
        realm: Realm([1; 16]),
        attempt: 1,
        pages: Vec::new(),
        levels: 2,
        made: made(&sharing, [2; 32]),
        sharing,
        founder: (NodeId(1), BOOT),
        data_groups: 1,
        time,
        nodes,
        policy,
        log_key: [0x4b; 32],
    }
}

/// How many different groups of `size` there are among so many.
fn groups_of(count: usize, size: usize) -> usize {
    match (count, size) {
        (_, 0) => 1,
        (0, _) => 0,
        (count, size) => groups_of(count - 1, size - 1) + groups_of(count - 1, size),
    }
}

/// A realm of three nodes.
pub(crate) struct Group {
    pub(crate) rows: Rows,
    index: u64,
}

impl Group {
    pub(crate) fn begun() -> Self {
        let mut group = Self {
            rows: Rows::default(),
            index: 0,
        };
        // Attempt 1 leaves a page that the genesis does not take.
        let page = Page {
            name: PAGE,
            sealed: b"left behind",
        };
        let staged = Command::StagePages {
            attempt: 1,
            pages: vec![page],
        };
        let nodes = (1..=3).map(node).collect();
        let genesis = Command::Genesis(genesis_of(nodes, Policy::Eu27, BEGUN));
        for command in [staged, genesis] {
            assert_eq!(group.propose(&command), Reply::Done);
        }
        group
    }

    pub(crate) fn propose(&mut self, command: &Command<'_>) -> Reply {
        self.index += 1;
        let answers = run_from(
            &ControlMachine,
            &mut self.rows,
            &[command.encode()],
            1,
            self.index,
        );
        Reply::decode(&answers[0].reply).expect("a reply decodes")
    }

    pub(crate) fn create(&mut self, kid: Kid, parent: Option<Kid>, rows: Vec<NewRow<'_>>) -> KeyOutcome {
        let epoch = control::epoch(&self.rows).expect("decodes");
        self.create_of(epoch.map_or(0, |row| row.epoch), kid, parent, rows)
    }

    /// A key that was prepared in an epoch.
    pub(crate) fn create_of(
        &mut self,
        epoch: u64,
        kid: Kid,
        parent: Option<Kid>,
        rows: Vec<NewRow<'_>>,
    ) -> KeyOutcome {
        let key = NewKey {
            epoch,
            rows,
            ..self.new_key(kid, parent)
        };
        self.create_key(key)
    }

    /// A key without rows, as it is prepared now.
    pub(crate) fn new_key(&self, kid: Kid, parent: Option<Kid>) -> NewKey<'static> {
        let epoch = control::epoch(&self.rows).expect("decodes");
        NewKey {
            kid,
            kind: 1,
            parent,
            commit: [3; 32],
            key_commit: [4; 32],
            epoch: epoch.map_or(0, |row| row.epoch),
            returns: control::returned(&self.rows).expect("decodes").number,
            rows: Vec::new(),
        }
    }

    pub(crate) fn create_key(&mut self, key: NewKey<'_>) -> KeyOutcome {
        let command = Command::CreateKeys {
            time: TimeMs(2),
            keys: vec![key],
        };
        match self.propose(&command) {
            Reply::Keys(outcomes) => outcomes[0],
            other @ (Reply::Done | Reply::Rejected(_) | Reply::Erasure { .. }) => {
                panic!("keys got another answer: {other:?}")
            }
        }
    }

    /// A tenant with so many subjects.
    pub(crate) fn with_subjects(count: u32) -> Self {
        let mut group = Self::begun();
        assert_eq!(group.create(TENANT, None, Vec::new()), KeyOutcome::Created);
        for subject in 0..count {
            assert_eq!(
                group.create(kid(subject), Some(TENANT), Vec::new()),
                KeyOutcome::Created
            );
        }
        group
    }

    pub(crate) fn epoch(&self) -> control::EpochRow {
        control::epoch(&self.rows).expect("decodes").expect("has begun")
    }

    pub(crate) fn begin(&mut self, keys: Vec<Kid>, pages: Vec<(u8, u32)>) -> Reply {
        self.begin_for(1..=3, keys, pages)
    }

    /// Begins an attempt whose root these nodes are to share.
    pub(crate) fn begin_for(
        &mut self,
        holders: impl IntoIterator<Item = u64>,
        keys: Vec<Kid>,
        pages: Vec<(u8, u32)>,
    ) -> Reply {
        self.begin_shared(among(holders), keys, pages)
    }

    /// Begins an attempt whose root is to be shared so.
    pub(crate) fn begin_shared(&mut self, sharing: Sharing, keys: Vec<Kid>, pages: Vec<(u8, u32)>) -> Reply {
        let row = self.epoch();
        self.propose(&Command::BeginEpoch(BeginEpoch {
            epoch: row.epoch + 1,
            attempt: row.last_attempt + 1,
            keys,
            pages,
            recipients: sharing.holders.iter().map(|node| (*node, BOOT)).collect(),
            sharing,
        }))
    }

    pub(crate) fn chunk(&mut self, pages: Vec<Page<'_>>, rows: Vec<EpochRowOf<'_>>) -> Reply {
        let row = self.epoch();
        self.propose(&Command::EpochChunk(EpochChunk {
            attempt: row.last_attempt,
            number: row.pending.map_or(0, |pending| pending.chunks),
            pages,
            rows,
        }))
    }

    /// How the root of the attempt under way is shared.
    pub(crate) fn sharing(&self) -> Sharing {
        let root = control::pending_root(&self.rows, &self.epoch()).expect("decodes");
        root.expect("is under way").sharing
    }

    /// The attempt's root is made, and these nodes keep their shares of it.
    pub(crate) fn share(&mut self, kept: &[u64]) -> Reply {
        let made = MadeRoot {
            kept: kept.iter().map(|node| NodeId(*node)).collect(),
            ..made(&self.sharing(), ROOT)
        };
        self.share_as(made)
    }

    pub(crate) fn share_as(&mut self, made: MadeRoot) -> Reply {
        let attempt = self.epoch().last_attempt;
        self.propose(&Command::ShareEpoch(ShareEpoch { attempt, made }))
    }

    /// A node found the attempt right.
    pub(crate) fn verify(&mut self, node: u64) -> Reply {
        let digest = self.digest();
        self.verify_as(node, digest, ROOT)
    }

    pub(crate) fn verify_as(&mut self, node: u64, digest: [u8; 32], root_commit: [u8; 32]) -> Reply {
        let attempt = self.epoch().last_attempt;
        self.propose(&Command::VerifyEpoch(VerifyEpoch {
            attempt,
            node: NodeId(node),
            digest,
            root_commit,
        }))
    }

    /// Digest over the chunks of the attempt under way; zeros without one.
    pub(crate) fn digest(&self) -> [u8; 32] {
        self.epoch().pending.map_or([0; 32], |pending| pending.digest)
    }

    pub(crate) fn switch_to(&mut self, digest: [u8; 32]) -> Reply {
        let attempt = self.epoch().last_attempt;
        self.propose(&Command::SwitchEpoch(SwitchEpoch {
            attempt,
            digest,
            time: TimeMs(5),
        }))
    }

    /// The attempt's root is made, kept by all of its holders and looked at by some, and counts from here on.
    pub(crate) fn switch(&mut self) {
        let holders: Vec<u64> = self.sharing().holders.iter().map(|node| node.0).collect();
        assert_eq!(self.share(&holders), Reply::Done);
        for node in holders.iter().take(2) {
            assert_eq!(self.verify(*node), Reply::Done);
        }
        let digest = self.digest();
        assert_eq!(self.switch_to(digest), Reply::Done);
    }

    /// The lease of a node's process is over.
    pub(crate) fn lease_over(&mut self, node: u64) -> Reply {
        let epoch = self.epoch().epoch;
        self.lease_over_of(node, BOOT, epoch)
    }

    pub(crate) fn lease_over_of(&mut self, node: u64, boot: BootId, epoch: u64) -> Reply {
        self.propose(&Command::LeaseOver(LeaseOver {
            node: NodeId(node),
            boot,
            epoch,
            waited_ms: 32_300,
            time: TimeMs(7),
        }))
    }

    pub(crate) fn decommission(&mut self, node: u64) -> Reply {
        self.propose(&Command::Decommission(Decommission {
            node: NodeId(node),
            evidence: [0xe5; 32],
            time: TimeMs(8),
        }))
    }

    pub(crate) fn cancel(&mut self, id: ErasureId) -> Reply {
        self.propose(&Command::CancelErasure(CancelErasure {
            id,
            requester: RequestMac([3; 8]),
            time: CANCELLED,
        }))
    }

    pub(crate) fn attest(&mut self, node: u64, epoch: u64) -> Reply {
        self.propose(&Command::AttestDestroyed(AttestDestroyed {
            node: NodeId(node),
            boot: BOOT,
            epoch,
            time: TimeMs(6),
            vault: VaultClass::Test,
            signature: [0x51; 64],
        }))
    }

    /// Every node holds the first root.
    pub(crate) fn grant_all(&mut self) {
        for node in 1..=3 {
            assert_eq!(self.grant(node), Reply::Done);
        }
    }

    /// A node is about to be given the current root.
    pub(crate) fn grant(&mut self, node: u64) -> Reply {
        self.grant_to(node, BOOT)
    }

    pub(crate) fn grant_to(&mut self, node: u64, boot: BootId) -> Reply {
        let epoch = self.epoch().epoch;
        self.propose(&Command::GrantRoot {
            node: NodeId(node),
            boot,
            epoch,
        })
    }

    pub(crate) fn admit(&mut self, id: u64) {
        let (time, node) = (TimeMs(3), node(id));
        assert_eq!(self.propose(&Command::AdmitNode { time, node }), Reply::Done);
    }

    /// Nodes that stand between an erasure and its next step.
    pub(crate) fn missing(&self, id: ErasureId) -> Vec<NodeId> {
        control::missing_holders(&self.rows, &self.erasure(id)).expect("reads")
    }

    pub(crate) fn erasure(&self, id: ErasureId) -> control::ErasureRow {
        control::erasure(&self.rows, &id)
            .expect("decodes")
            .expect("is there")
    }

    pub(crate) fn state(&self, kid: Kid) -> KeyState {
        control::key_state(&self.rows, &kid)
            .expect("decodes")
            .expect("is there")
            .state
    }
}

pub(crate) fn kid(number: u32) -> Kid {
    let mut kid = Kid([0x50; 16]);
    kid.0[..4].copy_from_slice(&number.to_be_bytes());
    kid
}

pub(crate) fn erasure_id(number: u32) -> ErasureId {
    ErasureId(kid(number).0)
}

pub(crate) fn request(id: ErasureId, target: Kid, requester: u8, two_people: bool) -> Command<'static> {
    Command::RequestErasure(RequestErasure {
        id,
        target,
        tenant: TENANT,
        mac: RequestMac([7; 8]),
        requester: RequestMac([requester; 8]),
        two_people,
        reason: 1,
        urgent: false,
        hold_s: 0,
        namesakes: Vec::new(),
        time: TimeMs(4),
    })
}

pub(crate) fn begun(id: ErasureId) -> Reply {
    Reply::Erasure { id, created: true }
}

pub(crate) fn known(id: ErasureId) -> Reply {
    Reply::Erasure { id, created: false }
}

pub(crate) fn row(tree: u8, page: u32, generation: u32, sealed: &'static [u8]) -> NewRow<'static> {
    NewRow {
        tree,
        page,
        generation,
        tag: [8; 16],
        sealed,
    }
}
