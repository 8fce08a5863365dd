//! Commands of the control group.

use eunoe_core::control::{Command, Genesis, NewKey, NewRow, NodeRow, NodeState, Page, PageName};
use eunoe_core::placement::Policy;
use eunoe_types::{BootId, Kid, NodeId, Realm, TimeMs};

use crate::support::table::{assert_golden, unhex};

const GOLDEN: &[(&str, &str)] = &[
    ("stage pages", "0101070201011f047061676502000000"),
    (
        "genesis",
        "0102a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0070101011f0361616161616161616161616161616161616161616161616161616161616161610480d095ffbc310101116e6f64652e6578616d706c653a373430300a5b3a3a315d3a3734303151515151515151515151515151515151515151515151515151515151515151510b64652f6672612f667261310101",
    ),
    (
        "create keys",
        "0103e4d095ffbc31022121212121212121212121212121212101717171717171717171717171717171717171717171717171717171717171717172727272727272727272727272727272727272727272727272727272727272720202ac020081818181818181818181818181818181067265636f726401ac02008282828282828282828282828282828205696e64657822222222222222222222222222222222027373737373737373737373737373737373737373737373737373737373737373747474747474747474747474747474747474747474747474747474747474747400",
    ),
    (
        "admit a node",
        "0104c8d195ffbc31ac02116e6f64652e6578616d706c653a373430300a5b3a3a315d3a3734303151515151515151515151515151515151515151515151515151515151515151511267702f62617373652d74657272652f62743101",
    ),
    ("grant the root", "0106019191919191919191919191919191919100"),
    ("remove a node", "0105ac02"),
    ("raise the version", "010701"),
];

pub(super) const STAGED: PageName = PageName {
    tree: 1,
    level: 1,
    index: 31,
};

fn node(id: u64, site: &str) -> NodeRow {
    NodeRow {
        id: NodeId(id),
        client_address: "node.example:7400".to_owned(),
        peer_address: "[::1]:7401".to_owned(),
        spki_sha256: [0x51; 32],
        site: site.to_owned(),
        state: NodeState::Admitted,
    }
}

fn genesis() -> Command<'static> {
    Command::Genesis(Genesis {
        realm: Realm([0xa0; 16]),
        attempt: 7,
        pages: vec![STAGED],
        levels: 3,
        root_commit: [0x61; 32],
        data_groups: 4,
        time: TimeMs(1_700_000_000_000),
        nodes: vec![node(1, "de/fra/fra1")],
        policy: Policy::Eu27,
    })
}

fn create_keys() -> Command<'static> {
    let row = |tree, tag, sealed| NewRow {
        tree,
        page: 300,
        generation: 0,
        tag: [tag; 16],
        sealed,
    };
    let with_index = NewKey {
        kid: Kid([0x21; 16]),
        kind: 1,
        commit: [0x71; 32],
        key_commit: [0x72; 32],
        rows: vec![row(2, 0x81, b"record"), row(1, 0x82, b"index")],
    };
    let bare = NewKey {
        kid: Kid([0x22; 16]),
        kind: 2,
        commit: [0x73; 32],
        key_commit: [0x74; 32],
        rows: Vec::new(),
    };
    Command::CreateKeys {
        time: TimeMs(1_700_000_000_100),
        keys: vec![with_index, bare],
    }
}

/// A name and a command of every kind, in an order in which each takes effect.
pub(super) fn commands() -> Vec<(&'static str, Command<'static>)> {
    let unused = PageName {
        tree: 2,
        level: 0,
        index: 0,
    };
    let pages = vec![
        Page {
            name: STAGED,
            sealed: b"page",
        },
        Page {
            name: unused,
            sealed: b"",
        },
    ];
    vec![
        ("stage pages", Command::StagePages { attempt: 7, pages }),
        ("genesis", genesis()),
        ("create keys", create_keys()),
        (
            "admit a node",
            Command::AdmitNode {
                time: TimeMs(1_700_000_000_200),
                node: node(300, "gp/basse-terre/bt1"),
            },
        ),
        (
            "grant the root",
            Command::GrantRoot {
                node: NodeId(1),
                boot: BootId([0x91; 16]),
                epoch: 0,
            },
        ),
        ("remove a node", Command::RemoveNode(NodeId(300))),
        ("raise the version", Command::RaiseVersion(1)),
    ]
}

#[test]
fn commands_have_their_bytes() {
    let encoded: Vec<_> = commands()
        .iter()
        .map(|(name, command)| ((*name).to_owned(), command.encode()))
        .collect();
    assert_golden(GOLDEN, &encoded);
}

#[test]
fn commands_of_the_table_are_read() {
    for ((name, bytes), (_, command)) in GOLDEN.iter().zip(commands()) {
        assert_eq!(Command::decode(&unhex(bytes)), Ok(command), "{name}");
    }
}
