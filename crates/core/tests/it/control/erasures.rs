//! Erasures and epochs in histories: some as a driver would propose them to the state that they meet, some hostile.

use eunoe_core::control::{
    self, AttestDestroyed, BeginEpoch, CancelErasure, Command, ControlMachine, EpochChunk, EpochRowOf, Page,
    RequestErasure, SwitchEpoch,
};
use eunoe_types::{BootId, ErasureId, Kid, NodeId, RequestMac, TimeMs};
use proptest::collection::vec;
use proptest::prelude::*;

use super::generate::{NOW, node, page_name, sealed};
use crate::support::{Rows, run_from};

/// One step of a history.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A command as it is.
    Is(Command<'static>),
    /// Keys, prepared in the present epoch for the present generations of their pages.
    Create(Command<'static>),
    /// The next attempt at the next epoch, for so many of the keys that are ripe.
    Begin { command: BeginEpoch, ripe: usize },
    /// The next chunk, with those rows whose pages are frozen.
    Chunk(EpochChunk<'static>),
    /// The switch to what is staged, held by every node.
    Switch(SwitchEpoch),
    /// A grant of the present root.
    Grant(NodeId, BootId),
    /// What a node holds in truth: no root but the present one, or none for good.
    Attest(AttestDestroyed),
}

fn kid() -> impl Strategy<Value = Kid> {
    (0x41u8..0x4a).prop_map(|byte| Kid([byte; 16]))
}

fn boot() -> impl Strategy<Value = BootId> {
    (0u8..3).prop_map(|boot| BootId([boot; 16]))
}

fn request() -> impl Strategy<Value = Command<'static>> {
    (
        (0xe0u8..0xe6, kid(), 0x41u8..0x43),
        (0u8..8, 0u8..2, 0u8..3, any::<bool>()),
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

fn begin() -> impl Strategy<Value = BeginEpoch> {
    let recipients = vec(((1u64..5).prop_map(NodeId), boot()), 0..2);
    (0u64..4, 0u32..6, vec(kid(), 0..3), pages(), recipients).prop_map(
        |(epoch, attempt, keys, pages, recipients)| BeginEpoch {
            epoch,
            attempt,
            keys,
            pages,
            recipients,
        },
    )
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
    (0u32..6, any::<bool>(), vec((1u64..6).prop_map(NodeId), 0..5)).prop_map(|(attempt, right, holders)| {
        SwitchEpoch {
            attempt,
            digest: [u8::from(!right); 32],
            root_commit: [0x60 + attempt as u8; 32],
            holders,
            time: TimeMs(5_000),
        }
    })
}

fn attest() -> impl Strategy<Value = AttestDestroyed> {
    // Epochs that have not come yet among them.
    let epoch = prop_oneof![9 => 0u64..6, 1 => Just(control::HOLDS_NONE)];
    (1u64..6, boot(), epoch).prop_map(|(node, boot, epoch)| AttestDestroyed {
        node: NodeId(node),
        boot,
        epoch,
        time: TimeMs(6_000),
    })
}

/// An epoch from its beginning to its switch, sometimes without an end or with another beginning in between; nodes
/// come meanwhile, and are given the root that counts until the switch.
fn whole_epoch() -> impl Strategy<Value = Vec<Step>> {
    let inside = prop_oneof![
        6 => chunk().prop_map(Step::Chunk),
        1 => (begin(), 0usize..4).prop_map(|(command, ripe)| Step::Begin { command, ripe }),
        1 => (0u32..6).prop_map(|attempt| Step::Is(Command::AbortEpoch { attempt })),
        1 => node().prop_map(|node| Step::Is(Command::AdmitNode { time: NOW, node })),
        2 => ((1u64..5).prop_map(NodeId), boot()).prop_map(|(node, boot)| Step::Grant(node, boot)),
    ];
    let end = proptest::option::weighted(0.9, switch().prop_map(Step::Switch));
    (begin(), 0usize..6, vec(inside, 0..3), end).prop_map(|(command, ripe, inside, end)| {
        let begin = Step::Begin { command, ripe };
        [begin].into_iter().chain(inside).chain(end).collect()
    })
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
        1 => switch().prop_map(Command::SwitchEpoch),
        2 => (0u32..6).prop_map(|attempt| Command::AbortEpoch { attempt }),
        3 => attest().prop_map(Command::AttestDestroyed),
        3 => Just(Command::Sweep),
    ];
    prop_oneof![
        6 => one.prop_map(|command| vec![Step::Is(command)]),
        2 => whole_epoch(),
        2 => ((1u64..5).prop_map(NodeId), boot()).prop_map(|(node, boot)| vec![Step::Grant(node, boot)]),
        1 => attest().prop_map(|attest| vec![Step::Attest(attest)]),
        1 => attest().prop_map(|attest| {
            let by = |node| AttestDestroyed { node: NodeId(node), ..attest };
            (1..5).map(by).map(Step::Attest).collect()
        }),
    ]
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
        (Step::Begin { command, ripe }, Some(epoch)) => Command::BeginEpoch(BeginEpoch {
            epoch: epoch.epoch + 1,
            attempt: epoch.last_attempt + 1,
            keys: ripe_keys(rows, ripe),
            recipients: command
                .recipients
                .into_iter()
                .filter(|(node, _)| may_be_given(rows, *node))
                .collect(),
            pages: command.pages,
        }),
        (Step::Chunk(chunk), Some(epoch)) => {
            let frozen = control::pending_epoch(rows)
                .expect("decodes")
                .map(|list| list.pages);
            let is_frozen = |row: &EpochRowOf<'_>| {
                frozen
                    .as_ref()
                    .is_some_and(|pages| pages.contains(&(row.tree, row.page)))
            };
            Command::EpochChunk(EpochChunk {
                attempt: epoch.last_attempt,
                number: epoch.pending.map_or(0, |pending| pending.chunks),
                rows: chunk.rows.into_iter().filter(is_frozen).collect(),
                pages: chunk.pages,
            })
        }
        (Step::Switch(switch), Some(epoch)) => Command::SwitchEpoch(SwitchEpoch {
            attempt: epoch.last_attempt,
            digest: epoch.pending.map_or([0; 32], |pending| pending.digest),
            holders: (1..6).map(NodeId).collect(),
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
        (Step::Grant(node, boot), epoch) => Command::GrantRoot {
            node,
            boot,
            epoch: epoch.map_or(0, |row| row.epoch),
        },
        (Step::Begin { command, .. }, None) => Command::BeginEpoch(command),
        (Step::Chunk(chunk), None) => Command::EpochChunk(chunk),
        (Step::Switch(switch), None) => Command::SwitchEpoch(switch),
        (Step::Attest(attest), None) => Command::AttestDestroyed(attest),
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
    let is_retired = holders
        .iter()
        .any(|(holder, row)| *holder == id && row.is_retired());
    !is_retired && node.is_some_and(|node| node.state == control::NodeState::Admitted)
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
