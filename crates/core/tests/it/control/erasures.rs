//! Erasures and epochs in histories: some as a driver would propose them to the state that they meet, some hostile.

use eunoe_core::control::{
    self, AttestDestroyed, BeginEpoch, CancelErasure, Command, ControlMachine, Decommission, EpochChunk,
    EpochRow, EpochRowOf, LeaseOver, MadeRoot, Page, RegisterKeys, RequestErasure, ShareEpoch, Sharing,
    SwitchEpoch, VaultRolledBack, VerifyEpoch,
};
use eunoe_types::{BootId, ErasureId, Kid, NodeId, RequestMac, TimeMs, VaultClass};
use proptest::collection::vec;
use proptest::prelude::*;

use super::generate::{FLAWS, Flaw, NODES, NOW, node, page_name, sealed};
use super::group::{among, made};
use crate::support::{Rows, run_from};

/// One step of a history.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A command as it is.
    Is(Command<'static>),
    /// Keys, prepared in the present epoch for the present generations of their pages.
    Create(Command<'static>),
    /// The next attempt at the next epoch, for so many of the keys that are ripe, shared among nodes that may be given it.
    Begin { command: BeginEpoch, ripe: usize },
    /// The attempt's root, kept by all of its holders or by just enough.
    Share { all: bool, flaw: Option<Flaw> },
    /// What the holder with this number finds, one after the other.
    Verify(usize),
    /// The next chunk, with those rows whose pages are frozen.
    Chunk(EpochChunk<'static>),
    /// The switch to what is staged.
    Switch(SwitchEpoch),
    /// A grant of the present root.
    Grant(NodeId, BootId),
    /// What a node holds in truth: no root but the present one, or none for good.
    Attest(AttestDestroyed),
    /// The end of the lease of the process that this node was last known by.
    LeaseOver(LeaseOver),
}

fn kid() -> impl Strategy<Value = Kid> {
    (0x41u8..0x4a).prop_map(|byte| Kid([byte; 16]))
}

fn node_id() -> impl Strategy<Value = NodeId> {
    NODES.prop_map(NodeId)
}

fn boot() -> impl Strategy<Value = BootId> {
    (0u8..3).prop_map(|boot| BootId([boot; 16]))
}

fn request() -> impl Strategy<Value = Command<'static>> {
    (
        (0xe0u8..0xe6, kid(), 0x41u8..0x43),
        (0u8..8, 0u8..3, 0u8..3, any::<bool>()),
        (any::<u16>(), vec(kid(), 0..2)),
    )
        .prop_map(
            |((id, target, tenant), (mac, requester, people, urgent), (time, namesakes))| {
                Command::RequestErasure(RequestErasure {
                    id: ErasureId([id; 16]),
                    target,
                    tenant: Kid([tenant; 16]),
                    // Mostly the request of this id.
                    mac: RequestMac([if mac == 0 { 1 } else { id }; 8]),
                    requester: RequestMac([requester; 8]),
                    two_people: people == 0,
                    reason: people,
                    urgent,
                    hold_s: u32::from(mac) * 100,
                    namesakes,
                    time: TimeMs(u64::from(time)),
                })
            },
        )
}

fn pages() -> impl Strategy<Value = Vec<(u8, u32)>> {
    vec((1u8..3, 0u32..3), 0..4)
}

fn sharing() -> impl Strategy<Value = Sharing> {
    (vec(node_id(), 0..5), 0u8..6).prop_map(|(holders, threshold)| Sharing { holders, threshold })
}

fn begin() -> impl Strategy<Value = BeginEpoch> {
    let recipients = vec((node_id(), boot()), 1..6);
    (
        0u64..4,
        0u32..6,
        vec(kid(), 0..3),
        pages(),
        (recipients, sharing()),
    )
        .prop_map(
            |(epoch, attempt, keys, pages, (recipients, sharing))| BeginEpoch {
                epoch,
                attempt,
                keys,
                pages,
                recipients,
                sharing,
            },
        )
}

fn share() -> impl Strategy<Value = ShareEpoch> {
    (0u32..6, vec(node_id(), 0..4), 0usize..4).prop_map(|(attempt, kept, sub_keys)| ShareEpoch {
        attempt,
        made: MadeRoot {
            root_commit: root_commit(attempt),
            sub_keys: vec![[8; 32]; sub_keys],
            kept,
        },
    })
}

fn verify() -> impl Strategy<Value = VerifyEpoch> {
    (0u32..6, node_id(), any::<[bool; 2]>()).prop_map(|(attempt, node, [right, same])| VerifyEpoch {
        attempt,
        node,
        digest: [u8::from(!right); 32],
        root_commit: root_commit(attempt + u32::from(!same)),
    })
}

/// What commits to the root of an attempt.
fn root_commit(attempt: u32) -> [u8; 32] {
    [0x60 + attempt as u8; 32]
}

fn chunk() -> impl Strategy<Value = EpochChunk<'static>> {
    let page = (page_name(), sealed()).prop_map(|(name, sealed)| Page { name, sealed });
    let row = (1u8..3, 0u32..3, 0u8..6, sealed()).prop_map(|(tree, page, tag, sealed)| EpochRowOf {
        tree,
        page,
        tag: [tag; 16],
        sealed,
    });
    (0u32..6, 0u32..3, vec(page, 0..3), vec(row, 0..6)).prop_map(|(attempt, number, pages, rows)| {
        EpochChunk {
            attempt,
            number,
            pages,
            rows,
        }
    })
}

fn switch() -> impl Strategy<Value = SwitchEpoch> {
    (0u32..6, any::<bool>()).prop_map(|(attempt, right)| SwitchEpoch {
        attempt,
        digest: [u8::from(!right); 32],
        time: TimeMs(5_000),
    })
}

fn attest() -> impl Strategy<Value = AttestDestroyed> {
    // Epochs that have not come yet among them.
    let epoch = prop_oneof![29 => 0u64..6, 1 => Just(control::HOLDS_NONE)];
    (node_id(), boot(), epoch).prop_map(|(node, boot, epoch)| AttestDestroyed {
        node,
        boot,
        epoch,
        time: TimeMs(6_000),
        vault: VaultClass::Test,
        signature: [0x51; 64],
    })
}

fn lease_over() -> impl Strategy<Value = LeaseOver> {
    (node_id(), boot(), 0u64..6).prop_map(|(node, boot, epoch)| LeaseOver {
        node,
        boot,
        epoch,
        waited_ms: 32_300,
        time: TimeMs(7_000),
    })
}

/// What is said of nodes that do not speak for themselves, or of what nobody expected.
fn evidence() -> impl Strategy<Value = Command<'static>> {
    prop_oneof![
        2 => lease_over().prop_map(Command::LeaseOver),
        2 => node_id().prop_map(|node| Command::Decommission(Decommission {
            node,
            evidence: [0xe5; 32],
            time: TimeMs(8_000),
        })),
        1 => (node_id(), boot(), 0u64..4, 0u32..4).prop_map(|(node, boot, epoch, attempt)| {
            Command::VaultRolledBack(VaultRolledBack { node, boot, epoch, attempt })
        }),
        1 => prop::bool::weighted(0.3).prop_map(Command::Seal),
        1 => (node_id(), 0u8..3).prop_map(|(node, key)| Command::RegisterKeys(RegisterKeys {
            node,
            attest: [key; 32],
            cosign: [key; 32],
        })),
    ]
}

/// An epoch from its beginning to its switch, sometimes without an end or with another beginning in between; nodes
/// come meanwhile, and are given the root that counts until the switch.
fn whole_epoch() -> impl Strategy<Value = Vec<Step>> {
    let inside = prop_oneof![
        6 => chunk().prop_map(Step::Chunk),
        1 => (begin(), 0usize..4).prop_map(|(command, ripe)| Step::Begin { command, ripe }),
        1 => (0u32..6).prop_map(|attempt| Step::Is(Command::AbortEpoch { attempt })),
        1 => node().prop_map(|node| Step::Is(Command::AdmitNode { time: NOW, node })),
        2 => (node_id(), boot()).prop_map(|(node, boot)| Step::Grant(node, boot)),
    ];
    let flaw = proptest::option::weighted(0.1, proptest::sample::select(FLAWS.to_vec()));
    let share = (any::<bool>(), flaw).prop_map(|(all, flaw)| Step::Share { all, flaw });
    let late = proptest::option::weighted(0.1, chunk().prop_map(Step::Chunk));
    let verified = vec(0usize..9, 0..2).prop_map(|more| [0, 1].into_iter().chain(more).map(Step::Verify));
    let checked = (verified, late).prop_map(|(verified, late)| verified.chain(late).collect::<Vec<_>>());
    let end = proptest::option::weighted(0.9, switch().prop_map(Step::Switch));
    (begin(), 0usize..6, vec(inside, 0..3), (share, checked, end)).prop_map(
        |(command, ripe, inside, (share, checked, end))| {
            let begin = Step::Begin { command, ripe };
            let first = [begin].into_iter().chain(inside).chain([share]);
            first.chain(checked).chain(end).collect()
        },
    )
}

/// Steps of erasures and epochs.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = prop_oneof![
        12 => request(),
        4 => (0xe0u8..0xe6).prop_map(|id| Command::ExpandErasure(ErasureId([id; 16]))),
        4 => (0xe0u8..0xe7, any::<u16>()).prop_map(|(id, time)| Command::CancelErasure(CancelErasure {
            id: ErasureId([id; 16]),
            requester: RequestMac([id; 8]),
            time: TimeMs(u64::from(time)),
        })),
        1 => begin().prop_map(Command::BeginEpoch),
        1 => chunk().prop_map(Command::EpochChunk),
        1 => share().prop_map(Command::ShareEpoch),
        1 => verify().prop_map(Command::VerifyEpoch),
        1 => switch().prop_map(Command::SwitchEpoch),
        2 => (0u32..6).prop_map(|attempt| Command::AbortEpoch { attempt }),
        3 => attest().prop_map(Command::AttestDestroyed),
        3 => evidence(),
        3 => Just(Command::Sweep),
    ];
    let all = |step: fn(NodeId) -> Step| NODES.map(NodeId).map(step).collect::<Vec<_>>();
    prop_oneof![
        6 => one.prop_map(|command| vec![Step::Is(command)]),
        2 => whole_epoch(),
        2 => (node_id(), boot()).prop_map(|(node, boot)| vec![Step::Grant(node, boot)]),
        1 => attest().prop_map(|attest| vec![Step::Attest(attest)]),
        // The end of every lease, or the word of every node but few.
        1 => Just(all(|node| Step::LeaseOver(over(node)))),
        1 => proptest::sample::subsequence(NODES.collect::<Vec<_>>(), 4..=7).prop_map(|nodes| {
            nodes.into_iter().map(|node| Step::Attest(word(NodeId(node)))).collect()
        }),
    ]
}

fn over(node: NodeId) -> LeaseOver {
    LeaseOver {
        node,
        boot: BootId([0; 16]),
        epoch: 0,
        waited_ms: 32_300,
        time: TimeMs(7_000),
    }
}

fn word(node: NodeId) -> AttestDestroyed {
    AttestDestroyed {
        node,
        boot: BootId([0; 16]),
        epoch: 0,
        time: TimeMs(6_000),
        vault: VaultClass::Test,
        signature: [0x51; 64],
    }
}

/// The commands of a history whose steps fit the state that they meet.
pub(crate) fn resolved(steps: Vec<Step>) -> Vec<Command<'static>> {
    let mut rows = Rows::default();
    let mut commands = Vec::new();
    for step in steps {
        let command = fitted(&rows, step);
        let index = commands.len() as u64 + 1;
        run_from(&ControlMachine, &mut rows, &[command.encode()], 1, index);
        commands.push(command);
    }
    commands
}

fn fitted(rows: &Rows, step: Step) -> Command<'static> {
    let epoch = control::epoch(rows).expect("decodes");
    match (step, epoch) {
        (Step::Is(command), _) => command,
        (Step::Create(command), epoch) => current(rows, command, epoch.map_or(0, |row| row.epoch)),
        (Step::Begin { command, ripe }, Some(epoch)) => {
            Command::BeginEpoch(next_attempt(rows, &epoch, command, ripe))
        }
        (Step::Chunk(chunk), Some(epoch)) => Command::EpochChunk(next_chunk(rows, &epoch, chunk)),
        (Step::Share { all, flaw }, epoch) => Command::ShareEpoch(shared(rows, epoch.as_ref(), all, flaw)),
        (Step::Verify(number), epoch) => Command::VerifyEpoch(found(rows, epoch.as_ref(), number)),
        (Step::Switch(switch), Some(epoch)) => Command::SwitchEpoch(SwitchEpoch {
            attempt: epoch.last_attempt,
            digest: epoch.pending.map_or([0; 32], |pending| pending.digest),
            ..switch
        }),
        (Step::Attest(attest), Some(epoch)) => Command::AttestDestroyed(AttestDestroyed {
            epoch: if attest.epoch == control::HOLDS_NONE {
                attest.epoch
            } else {
                epoch.epoch
            },
            ..attest
        }),
        (Step::LeaseOver(said), Some(epoch)) => {
            let holders = control::holders(rows).expect("decodes");
            let known = holders.iter().find(|(node, _)| *node == said.node);
            Command::LeaseOver(LeaseOver {
                epoch: epoch.epoch,
                boot: known.map_or(said.boot, |(_, row)| row.boot),
                ..said
            })
        }
        (Step::Grant(node, boot), epoch) => Command::GrantRoot {
            node,
            boot,
            epoch: epoch.map_or(0, |row| row.epoch),
        },
        (Step::Begin { command, .. }, None) => Command::BeginEpoch(command),
        (Step::Chunk(chunk), None) => Command::EpochChunk(chunk),
        (Step::Switch(switch), None) => Command::SwitchEpoch(switch),
        (Step::Attest(attest), None) => Command::AttestDestroyed(attest),
        (Step::LeaseOver(said), None) => Command::LeaseOver(said),
    }
}

fn next_attempt(rows: &Rows, epoch: &EpochRow, command: BeginEpoch, ripe: usize) -> BeginEpoch {
    let recipients: Vec<_> = command
        .recipients
        .into_iter()
        .filter(|(node, _)| may_be_given(rows, *node))
        .collect();
    // Some get a root that they hold no share of.
    let holders = recipients.iter().map(|(node, _)| node.0);
    let few = usize::from(command.sharing.threshold.max(1));
    let mut sharing = among(holders.take(few));
    if command.sharing.threshold.is_multiple_of(2) {
        sharing.threshold = sharing.holders.len() as u8;
    }
    BeginEpoch {
        epoch: epoch.epoch + 1,
        attempt: epoch.last_attempt + 1,
        keys: ripe_keys(rows, ripe),
        pages: command.pages,
        recipients,
        sharing,
    }
}

fn next_chunk(rows: &Rows, epoch: &EpochRow, chunk: EpochChunk<'static>) -> EpochChunk<'static> {
    let frozen = control::pending_epoch(rows).expect("decodes");
    let frozen = frozen.map_or_else(Vec::new, |list| list.pages);
    let is_frozen = |row: &EpochRowOf<'_>| frozen.contains(&(row.tree, row.page));
    EpochChunk {
        attempt: epoch.last_attempt,
        number: epoch.pending.map_or(0, |pending| pending.chunks),
        rows: chunk.rows.into_iter().filter(is_frozen).collect(),
        pages: chunk.pages,
    }
}

/// The root of the attempt under way, if there is one.
fn pending_root(rows: &Rows, epoch: Option<&EpochRow>) -> Option<control::RootRow> {
    epoch.and_then(|row| control::pending_root(rows, row).expect("decodes"))
}

fn shared(rows: &Rows, epoch: Option<&EpochRow>, all: bool, flaw: Option<Flaw>) -> ShareEpoch {
    let attempt = epoch.map_or(1, |row| row.last_attempt);
    let mut sharing = pending_root(rows, epoch).map_or_else(|| among([1]), |root| root.sharing);
    let mut made = made(&sharing, root_commit(attempt));
    if !all {
        made.kept.truncate(sharing.threshold.into());
    }
    if let Some(flaw) = flaw {
        flaw(&mut sharing, &mut made);
    }
    ShareEpoch { attempt, made }
}

fn found(rows: &Rows, epoch: Option<&EpochRow>, number: usize) -> VerifyEpoch {
    let attempt = epoch.map_or(1, |row| row.last_attempt);
    let holders = pending_root(rows, epoch).map_or_else(Vec::new, |root| root.sharing.holders);
    VerifyEpoch {
        attempt,
        node: holders
            .get(number % holders.len().max(1))
            .copied()
            .unwrap_or(NodeId(1)),
        digest: epoch
            .and_then(|row| row.pending)
            .map_or([0; 32], |pending| pending.digest),
        root_commit: root_commit(attempt),
    }
}

fn current(rows: &Rows, command: Command<'static>, epoch: u64) -> Command<'static> {
    let Command::CreateKeys { time, mut keys } = command else {
        return command;
    };
    for key in &mut keys {
        key.epoch = epoch;
        key.returns = control::returned(rows).expect("decodes").number;
        for row in &mut key.rows {
            row.generation = control::page_generation(rows, row.tree, row.page).expect("decodes");
        }
    }
    Command::CreateKeys { time, keys }
}

fn may_be_given(rows: &Rows, id: NodeId) -> bool {
    let node = control::node(rows, id).expect("decodes");
    let holders = control::holders(rows).expect("decodes");
    let is_retired = holders.iter().any(|(holder, row)| *holder == id && row.retired);
    !is_retired && node.is_some_and(|node| node.state.is_admitted())
}

fn ripe_keys(rows: &Rows, max: usize) -> Vec<Kid> {
    let fenced = control::fenced(rows, None, usize::MAX)
        .expect("reads")
        .into_iter();
    let is_ripe = |kid: &Kid| match control::key_state(rows, kid)
        .expect("decodes")
        .map(|key| key.state)
    {
        Some(control::KeyState::Fenced { erasure, .. }) => {
            let row = control::erasure(rows, &erasure).expect("decodes");
            row.is_some_and(|row| row.state == control::ErasureState::Fenced && row.expanding == 0)
        }
        _ => false,
    };
    fenced.map(|key| key.kid).filter(is_ripe).take(max).collect()
}
