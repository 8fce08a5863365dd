//! Erasures and epochs as a driver proposes them.

use eunoe_core::control::{
    self, BeginEpoch, CancelErasure, Command, EpochChunk, EpochRowOf, MadeRoot, Page, PageName, Reply,
    RequestErasure, ShareEpoch, Sharing, SwitchEpoch, VerifyEpoch,
};
use eunoe_crypto::{DealtRoot, Entropy, RootKey};
use eunoe_custody::{
    EpochPlan, Gathering, Keyring, PreparedEpoch, Reconciled, dealing, made_root, share_among,
};
use eunoe_types::{BootId, ErasureId, Kid, NodeId, RequestMac};

use super::{Cluster, NOW, arena};

/// Who share every root.
pub fn holders() -> impl Iterator<Item = NodeId> {
    (1..=3).map(NodeId)
}

pub fn sharing() -> Sharing {
    share_among(holders(), 3)
}

/// What is said of a root whose shares all holders keep.
pub fn made(dealt: &DealtRoot) -> MadeRoot {
    made_root(dealt, holders().collect())
}

impl Cluster {
    /// Fences a key and all below it.
    pub fn erase(&mut self, tenant: Kid, target: Kid) -> ErasureId {
        let id = self.request(tenant, target);
        self.expand(id);
        id
    }

    /// Takes an erasure back, or the first of its keys.
    pub fn cancel(&mut self, id: ErasureId) {
        let cancel = Command::CancelErasure(CancelErasure {
            id,
            requester: RequestMac([2; 8]),
            time: NOW,
        });
        assert_eq!(self.propose(&cancel.encode()), Reply::Done);
    }

    /// Fences what is left to fence of an erasure, or takes back what is left to.
    pub fn expand(&mut self, id: ErasureId) {
        while control::expanding(&self.rows).expect("reads").is_some() {
            let expand = Command::ExpandErasure(id);
            assert_eq!(self.propose(&expand.encode()), Reply::Done);
        }
    }

    /// Fences a key and some below it.
    pub fn request(&mut self, tenant: Kid, target: Kid) -> ErasureId {
        self.request_as(ErasureId(target.0), tenant, target)
    }

    /// The same by a second erasure, as the first was taken back.
    pub fn erase_again(&mut self, tenant: Kid, target: Kid) -> ErasureId {
        let id = self.request_as(ErasureId(target.0.map(|byte| !byte)), tenant, target);
        self.expand(id);
        id
    }

    fn request_as(&mut self, id: ErasureId, tenant: Kid, target: Kid) -> ErasureId {
        let request = Command::RequestErasure(RequestErasure {
            id,
            target,
            tenant,
            mac: RequestMac([1; 8]),
            requester: RequestMac([2; 8]),
            two_people: false,
            reason: 1,
            urgent: false,
            hold_s: 0,
            namesakes: Vec::new(),
            time: NOW,
        });
        assert_eq!(
            self.propose(&request.encode()),
            Reply::Erasure { id, created: true }
        );
        id
    }

    pub fn fenced(&self) -> Vec<Kid> {
        let fenced = control::fenced(&self.rows, None, usize::MAX).expect("reads");
        fenced.into_iter().map(|key| key.kid).collect()
    }

    /// Begins the next attempt.
    pub fn begin(&mut self, plan: &EpochPlan) -> u32 {
        let row = control::epoch(&self.rows).expect("decodes").expect("has begun");
        let attempt = row.last_attempt + 1;
        let begin = Command::BeginEpoch(BeginEpoch {
            epoch: row.epoch + 1,
            attempt,
            keys: plan.keys.clone(),
            pages: plan.pages.clone(),
            recipients: holders().map(|node| (node, BootId([1; 16]))).collect(),
            sharing: sharing(),
        });
        assert_eq!(self.propose(&begin.encode()), Reply::Done);
        attempt
    }

    /// Tells the group of the root of the attempt under way, whose shares all holders keep.
    pub fn share(&mut self, attempt: u32, made: MadeRoot) {
        let share = Command::ShareEpoch(ShareEpoch { attempt, made });
        assert_eq!(self.propose(&share.encode()), Reply::Done);
    }

    /// Switches to an attempt, all of which is staged. That its holders found it right is only said.
    pub fn switch(&mut self, attempt: u32, digest: [u8; 32], made: MadeRoot) {
        let root_commit = made.root_commit;
        self.share(attempt, made);
        for node in holders().take(2) {
            let verify = Command::VerifyEpoch(VerifyEpoch {
                attempt,
                node,
                digest,
                root_commit,
            });
            assert_eq!(self.propose(&verify.encode()), Reply::Done);
        }
        let switch = Command::SwitchEpoch(SwitchEpoch {
            attempt,
            digest,
            time: NOW,
        });
        assert_eq!(self.propose(&switch.encode()), Reply::Done);
    }

    /// The root of the attempt under way as a holder puts it together, from the shares of `from`.
    pub fn rebuilt(&self, dealt: &DealtRoot, from: &[usize]) -> Option<RootKey> {
        let present = control::epoch(&self.rows).expect("decodes").expect("begun");
        let row = control::pending_root(&self.rows, &present).expect("decodes");
        let gathering = Gathering::new(&row.expect("is under way")).expect("is shared soundly");
        let mut gathering = gathering.expect("is made");
        for position in from {
            let share = dealt.share(*position).expect("is a holder").encode();
            let holder = NodeId(*position as u64 + 1);
            gathering.add(holder, &share).expect("its own share");
        }
        gathering.root(&arena()).expect("memory")
    }

    pub fn sweep(&mut self) {
        while control::sweep_is_due(&self.rows).expect("reads") {
            assert_eq!(self.propose(&Command::Sweep.encode()), Reply::Done);
        }
    }
}

/// An attempt that is begun and prepared, with nothing staged.
pub fn prepared(
    cluster: &mut Cluster,
    keyring: &Keyring,
    erased: Vec<Kid>,
    entropy: &mut dyn Entropy,
) -> (u32, PreparedEpoch) {
    let keys = keyring.unsealed().expect("unsealed");
    let plan = keys.plan_epoch(&cluster.rows, erased).expect("plans");
    let attempt = cluster.begin(&plan);
    let dealing = dealing(&sharing()).expect("is sound");
    let made = keys.prepare_epoch(&cluster.rows, &plan, attempt, dealing, &arena(), entropy);
    (attempt, made.expect("prepares"))
}

/// Brings the root of the attempt under way to a keyring.
pub fn keep_next(cluster: &Cluster, keyring: &Keyring, root: &RootKey) {
    let present = control::epoch(&cluster.rows)
        .expect("decodes")
        .expect("has begun");
    let held = keyring.expect_root(present.epoch).expect("is taken");
    keyring.keep_next(copy(root), held);
}

/// A whole epoch without `erased`; the keyring goes along. Its root.
pub fn epoch(
    cluster: &mut Cluster,
    keyring: &Keyring,
    erased: Vec<Kid>,
    entropy: &mut dyn Entropy,
) -> RootKey {
    let (attempt, made) = prepared(cluster, keyring, erased, entropy);
    for chunk in &made.chunks {
        assert_eq!(cluster.propose(chunk), Reply::Done);
    }
    keep_next(cluster, keyring, made.dealt.root());
    cluster.switch(attempt, made.digest, self::made(&made.dealt));
    assert_eq!(
        keyring.reconcile(&cluster.rows).expect("reads"),
        Reconciled::Switched
    );
    made.dealt.into_root()
}

pub fn copy(root: &RootKey) -> RootKey {
    RootKey::decode(&arena(), &root.encode()).expect("its own form")
}

/// What an attempt stages, open to be tampered with.
pub struct Staged {
    pub attempt: u32,
    pub root: RootKey,
    made: MadeRoot,
    pub pages: Vec<(PageName, Vec<u8>)>,
    /// Tree, leaf page, tag and sealed row.
    pub rows: Vec<(u8, u32, [u8; 16], Vec<u8>)>,
}

impl Staged {
    pub fn of(attempt: u32, prepared: PreparedEpoch) -> Self {
        let mut staged = Self {
            attempt,
            made: made(&prepared.dealt),
            root: prepared.dealt.into_root(),
            pages: Vec::new(),
            rows: Vec::new(),
        };
        for chunk in &prepared.chunks {
            let Ok(Command::EpochChunk(chunk)) = Command::decode(chunk) else {
                panic!("a chunk")
            };
            let pages = chunk.pages.iter().map(|page| (page.name, page.sealed.to_vec()));
            staged.pages.extend(pages);
            let rows = chunk.rows.iter();
            staged
                .rows
                .extend(rows.map(|row| (row.tree, row.page, row.tag, row.sealed.to_vec())));
        }
        staged
    }

    /// Stages it. The digest over it.
    pub fn stage(&self, cluster: &mut Cluster) -> [u8; 32] {
        self.stage_as(cluster, self.attempt)
    }

    /// Stages it for an attempt.
    pub fn stage_as(&self, cluster: &mut Cluster, attempt: u32) -> [u8; 32] {
        let pages = self.pages.iter();
        let rows = self.rows.iter();
        let chunk = Command::EpochChunk(EpochChunk {
            attempt,
            number: 0,
            pages: pages.map(|(name, sealed)| Page { name: *name, sealed }).collect(),
            rows: rows
                .map(|(tree, page, tag, sealed)| EpochRowOf {
                    tree: *tree,
                    page: *page,
                    tag: *tag,
                    sealed,
                })
                .collect(),
        })
        .encode();
        assert_eq!(cluster.propose(&chunk), Reply::Done);
        control::chunk_digest(&[0; 32], &chunk)
    }

    /// Stages it and switches to it.
    pub fn take(self, cluster: &mut Cluster) -> RootKey {
        let digest = self.stage(cluster);
        let made = MadeRoot {
            root_commit: self.root.commitment(),
            ..self.made
        };
        cluster.switch(self.attempt, digest, made);
        self.root
    }
}
