//! Histories over few pages, keys and nodes, so that commands meet each other.

use eunoe_core::control::{
    Command, Genesis, MadeRoot, NewKey, NewRow, NodeRow, NodeState, Page, PageName, Sharing,
};
use eunoe_core::placement::Policy;
use eunoe_types::{BootId, Kid, NodeId, Realm, TimeMs};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::erasures::{self, Step, resolved};
use super::group::{among, made};

/// Ids of nodes that histories are about; some of them are never admitted.
pub(crate) const NODES: std::ops::Range<u64> = 1..8;

/// A day on which the country table is as it is today.
pub(crate) const NOW: TimeMs = TimeMs(1_700_000_000_000);

pub(crate) fn sealed() -> impl Strategy<Value = &'static [u8]> {
    select(vec![&b""[..], b"\x00", b"sealed", &[0xff; 200]])
}

pub(crate) fn page_name() -> impl Strategy<Value = PageName> {
    (0u8..2, 0u32..2).prop_map(|(tree, index)| PageName {
        tree,
        level: 0,
        index,
    })
}

fn stage() -> impl Strategy<Value = Command<'static>> {
    let page = (page_name(), sealed()).prop_map(|(name, sealed)| Page { name, sealed });
    (0u64..2, prop::collection::vec(page, 0..5))
        .prop_map(|(attempt, pages)| Command::StagePages { attempt, pages })
}

pub(crate) fn node() -> impl Strategy<Value = NodeRow> {
    let site = select(vec![
        "de/fra/fra1",
        "gp/bt/bt1",
        "de/fra/fra2",
        "ch/zrh/zrh1",
        "eu-central-2",
        "el/ath/a1",
    ]);
    // A command's own state means nothing: whoever is admitted is admitted.
    let state = select(vec![NodeState::Admitted, NodeState::Leaving, NodeState::Removed]);
    (1u64..7, select(vec!["a:1", "b:2"]), site, state).prop_map(|(id, address, site, state)| NodeRow {
        id: NodeId(id),
        client_address: address.to_owned(),
        peer_address: address.to_owned(),
        spki_sha256: [id as u8; 32],
        site: site.to_owned(),
        state,
    })
}

fn genesis() -> impl Strategy<Value = Genesis> {
    let names = vec![
        PageName {
            tree: 0,
            level: 0,
            index: 0,
        },
        PageName {
            tree: 0,
            level: 0,
            index: 1,
        },
        PageName {
            tree: 1,
            level: 0,
            index: 0,
        },
    ];
    // Mostly good nodes: one that the policy does not allow keeps the realm from beginning.
    let good = node().prop_filter("an allowed site", |node| ["de", "gp"].contains(&&node.site[..2]));
    let nodes = prop_oneof![
        9 => prop::collection::vec(good, 1..6),
        1 => prop::collection::vec(node(), 0..6),
    ];
    let pages = prop_oneof![3 => Just(Vec::new()), 1 => subsequence(names, 0..=2)];
    let flaw = proptest::option::weighted(0.1, select(FLAWS.to_vec()));
    (0u64..2, pages, nodes, 0u8..3, flaw).prop_map(|(attempt, pages, nodes, boot, flaw)| {
        let sharing = among(nodes.iter().map(|node| node.id.0));
        let mut genesis = Genesis {
            realm: Realm([0xa0; 16]),
            attempt,
            pages,
            levels: 2,
            made: made(&sharing, [attempt as u8; 32]),
            founder: (
                sharing.holders.first().copied().unwrap_or(NodeId(1)),
                BootId([boot; 16]),
            ),
            sharing,
            data_groups: 4,
            time: NOW,
            nodes,
            policy: Policy::Eu27,
            log_key: [0x4b; 32],
        };
        if let Some(flaw) = flaw {
            flaw(&mut genesis.sharing, &mut genesis.made);
        }
        genesis
    })
}

/// What can be wrong about how a root is shared.
pub(crate) type Flaw = fn(&mut Sharing, &mut MadeRoot);

pub(crate) const FLAWS: &[Flaw] = &[
    |sharing, _| sharing.threshold = 0,
    |sharing, _| sharing.threshold += 9,
    |sharing, _| sharing.threshold = sharing.threshold.saturating_sub(1),
    |sharing, _| sharing.holders.clear(),
    |sharing, _| sharing.holders.extend(sharing.holders.last().copied()),
    |sharing, _| sharing.holders.push(NodeId(7)),
    |_, made| made.sub_keys.clear(),
    |_, made| made.sub_keys.push([7; 32]),
    |_, made| made.kept.clear(),
    |_, made| made.kept.truncate(made.kept.len().saturating_sub(1)),
    |_, made| made.kept.push(NodeId(7)),
    |_, made| made.kept.extend(made.kept.last().copied()),
];

fn new_key() -> impl Strategy<Value = NewKey<'static>> {
    let generation = prop_oneof![6 => Just(0u32), 1 => 1u32..6];
    let row =
        (1u8..3, 0u32..3, generation, 0u8..6, sealed()).prop_map(|(tree, page, generation, tag, sealed)| {
            NewRow {
                tree,
                page,
                generation,
                tag: [tag; 16],
                sealed,
            }
        });
    // Mostly keys that die with one that may be there; sometimes with themselves or with one that never was.
    let parent = proptest::option::weighted(0.6, (0x41u8..0x4a).prop_map(|byte| Kid([byte; 16])));
    let rows = prop::collection::vec(row, 0..=2);
    let epoch = prop_oneof![6 => Just(0u64), 1 => 1u64..4];
    let new = (0x41u8..0x49, parent, 1u8..7, 0u8..0x40, epoch, rows);
    new.prop_map(|(kid, parent, kind, commit, epoch, rows)| NewKey {
        kid: Kid([kid; 16]),
        kind,
        parent,
        commit: [commit; 32],
        key_commit: [!kid; 32],
        epoch,
        returns: 0,
        rows,
    })
}

fn create_keys() -> impl Strategy<Value = Command<'static>> {
    (any::<u32>(), prop::collection::vec(new_key(), 0..5)).prop_map(|(time, keys)| Command::CreateKeys {
        time: TimeMs(u64::from(time)),
        keys,
    })
}

fn grant() -> impl Strategy<Value = Command<'static>> {
    (NODES, 0u8..3, prop_oneof![2 => Just(0u64), 1 => 1u64..4]).prop_map(|(node, boot, epoch)| {
        Command::GrantRoot {
            node: NodeId(node),
            boot: BootId([boot; 16]),
            epoch,
        }
    })
}

fn command() -> impl Strategy<Value = Command<'static>> {
    prop_oneof![
        1 => stage(),
        1 => genesis().prop_map(Command::Genesis),
        4 => create_keys(),
        2 => node().prop_map(|node| Command::AdmitNode { time: NOW, node }),
        1 => NODES.prop_map(|node| Command::RemoveNode(NodeId(node))),
        1 => NODES.prop_map(|node| Command::LetLeave(NodeId(node))),
        3 => grant(),
        // Version 2 is unknown to this release, and unknown versions are faults.
        1 => (0u32..=1).prop_map(Command::RaiseVersion),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop_oneof![
        3 => command().prop_map(|command| vec![Step::Is(command)]),
        3 => create_keys().prop_map(|command| vec![Step::Create(command)]),
        6 => erasures::steps(),
    ]
}

/// A history whose genesis usually happens, and after it epochs.
pub(crate) fn history() -> impl Strategy<Value = Vec<Command<'static>>> {
    let parts = (
        prop::collection::vec(steps(), 0..3),
        prop::collection::vec(stage(), 0..3),
        genesis(),
        prop::collection::vec(steps(), 0..80),
    );
    parts.prop_map(|(before, staged, genesis, after)| {
        let begun = staged
            .into_iter()
            .chain([Command::Genesis(genesis)])
            .map(Step::Is);
        resolved(
            before
                .into_iter()
                .flatten()
                .chain(begun)
                .chain(after.into_iter().flatten())
                .collect(),
        )
    })
}

pub(crate) fn encoded(commands: &[Command<'_>]) -> Vec<Vec<u8>> {
    commands.iter().map(Command::encode).collect()
}
