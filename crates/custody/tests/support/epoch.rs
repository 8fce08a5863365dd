//! Erasures and epochs as a driver proposes them.

use eunoe_core::control::{
    self, BeginEpoch, CancelErasure, Command, EpochChunk, EpochRowOf, Page, PageName, Reply, RequestErasure,
    SwitchEpoch,
};
use eunoe_crypto::{Entropy, RootKey};
use eunoe_custody::{EpochPlan, Keyring, PreparedEpoch, Reconciled};
use eunoe_types::{BootId, ErasureId, Kid, NodeId, RequestMac};

use super::{Cluster, NOW, arena};

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
            recipients: vec![(NodeId(1), BootId([1; 16]))],
        });
        assert_eq!(self.propose(&begin.encode()), Reply::Done);
        attempt
    }

    pub fn switch(&mut self, attempt: u32, digest: [u8; 32], root: &RootKey) {
        let switch = Command::SwitchEpoch(SwitchEpoch {
            attempt,
            digest,
            root_commit: root.commitment(),
            holders: vec![NodeId(1), NodeId(2)],
            time: NOW,
        });
        assert_eq!(self.propose(&switch.encode()), Reply::Done);
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
    let made = keys.prepare_epoch(&cluster.rows, &plan, attempt, &arena(), entropy);
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
    keep_next(cluster, keyring, &made.root);
    cluster.switch(attempt, made.digest, &made.root);
    assert_eq!(
        keyring.reconcile(&cluster.rows).expect("reads"),
        Reconciled::Switched
    );
    made.root
}

pub fn copy(root: &RootKey) -> RootKey {
    RootKey::decode(&arena(), &root.encode()).expect("its own form")
}

/// What an attempt stages, open to be tampered with.
pub struct Staged {
    pub attempt: u32,
    pub root: RootKey,
    pub pages: Vec<(PageName, Vec<u8>)>,
    /// Tree, leaf page, tag and sealed row.
    pub rows: Vec<(u8, u32, [u8; 16], Vec<u8>)>,
}

impl Staged {
    pub fn of(attempt: u32, made: PreparedEpoch) -> Self {
        let mut staged = Self {
            attempt,
            root: made.root,
            pages: Vec::new(),
            rows: Vec::new(),
        };
        for chunk in &made.chunks {
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

    /// Stages it and switches to it.
    pub fn take(self, cluster: &mut Cluster) -> RootKey {
        let page = |(name, sealed)| Page { name, sealed };
        let row = |(tree, page, tag, sealed)| EpochRowOf {
            tree,
            page,
            tag,
            sealed,
        };
        let chunk = Command::EpochChunk(EpochChunk {
            attempt: self.attempt,
            number: 0,
            pages: self
                .pages
                .iter()
                .map(|(name, sealed)| page((*name, sealed)))
                .collect(),
            rows: self
                .rows
                .iter()
                .map(|(tree, page, tag, sealed)| row((*tree, *page, *tag, &sealed[..])))
                .collect(),
        })
        .encode();
        assert_eq!(cluster.propose(&chunk), Reply::Done);
        cluster.switch(self.attempt, control::chunk_digest(&[0; 32], &chunk), &self.root);
        self.root
    }
}
