//! Commands of the control group.

use eunoe_core::control::{
    AttestDestroyed, BeginEpoch, CancelErasure, Command, Decommission, EpochChunk, EpochRowOf, Genesis,
    LeaseOver, MadeRoot, NewKey, NewRow, NodeRow, NodeState, Page, PageName, RegisterKeys, RequestErasure,
    ShareEpoch, Sharing, SwitchEpoch, VaultRolledBack, VerifyEpoch, chunk_digest,
};
use eunoe_core::placement::Policy;
use eunoe_types::{BootId, ErasureId, Kid, NodeId, Realm, RequestMac, TimeMs, VaultClass};

use crate::support::table::{assert_golden, unhex};

const GOLDEN: &[(&str, &str)] = &[
    ("stage pages", "0101070201011f047061676502000000"),
    (
        "genesis",
        "0102a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0070101011f030101016161616161616161616161616161616161616161616161616161616161616161017171717171717171717171717171717171717171717171717171717171717171010101909090909090909090909090909090900480d095ffbc310101116e6f64652e6578616d706c653a373430300a5b3a3a315d3a3734303151515151515151515151515151515151515151515151515151515151515151510b64652f6672612f6672613101014b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b",
    ),
    (
        "create keys",
        "0103e4d095ffbc31022121212121212121212121212121212101007171717171717171717171717171717171717171717171717171717171717171727272727272727272727272727272727272727272727272727272727272727200000202ac020081818181818181818181818181818181067265636f726401ac02008282828282828282828282828282828205696e646578222222222222222222222222222222220201212121212121212121212121212121217373737373737373737373737373737373737373737373737373737373737373747474747474747474747474747474747474747474747474747474747474747400000102ac0200838383838383838383838383838383830d7265636f72642c2062656c6f77",
    ),
    (
        "admit a node",
        "0104c8d195ffbc31ac02116e6f64652e6578616d706c653a373430300a5b3a3a315d3a3734303151515151515151515151515151515151515151515151515151515151515151511267702f62617373652d74657272652f62743101",
    ),
    ("grant the root", "0106019191919191919191919191919191919100"),
    ("let a node leave", "0111ac02"),
    ("remove a node", "0105ac02"),
    ("raise the version", "010701"),
    (
        "request an erasure",
        "0108e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e12222222222222222222222222222222221212121212121212121212121212121e3e3e3e3e3e3e3e3e4e4e4e4e4e4e4e400030180a3050123232323232323232323232323232323c8d195ffbc31",
    ),
    (
        "begin an epoch",
        "010a0101000201ac0202ac02010191919191919191919191919191919191010101",
    ),
    ("abort it", "010d01"),
    (
        "begin it again",
        "010a010201222222222222222222222222222222220201ac0202ac02010191919191919191919191919191919191010101",
    ),
    (
        "stage a chunk",
        "010b02000101011f0a706167652c20616e65770102ac02838383838383838383838383838383830c7265636f72642c20616e6577",
    ),
    (
        "share it",
        "01140262626262626262626262626262626262626262626262626262626262626262620172727272727272727272727272727272727272727272727272727272727272720101",
    ),
    (
        "verify it",
        "011502012f7a888bf47826ee806fdb533d10f2673e4068c508cf782bad992a96cc1789a16262626262626262626262626262626262626262626262626262626262626262",
    ),
    (
        "switch",
        "010c022f7a888bf47826ee806fdb533d10f2673e4068c508cf782bad992a96cc1789a1acd295ffbc31",
    ),
    (
        "a lease is over",
        "0116019191919191919191919191919191919101acfc01ded295ffbc31",
    ),
    (
        "register keys",
        "011a01a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0",
    ),
    (
        "attest",
        "010e01919191919191919191919191919191910190d395ffbc310551515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151",
    ),
    ("a share came back", "011801919191919191919191919191919191910007"),
    ("sweep", "010f"),
    (
        "request another",
        "0108e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e32121212121212121212121212121212121212121212121212121212121212121e3e3e3e3e3e3e3e3e4e4e4e4e4e4e4e400030180a3050123232323232323232323232323232323c8d195ffbc31",
    ),
    (
        "cancel it",
        "0110e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e4e4e4e4e4e4e4e4f4d395ffbc31",
    ),
    (
        "request for two",
        "0108e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e22121212121212121212121212121212121212121212121212121212121212121e3e3e3e3e3e3e3e3e4e4e4e4e4e4e4e401030180a3050123232323232323232323232323232323c8d195ffbc31",
    ),
    (
        "begin the next epoch",
        "010a0203000201ac0202ac02010191919191919191919191919191919191010101",
    ),
    (
        "stage for it",
        "010b03000101011f0a706167652c20616e65770102ac02838383838383838383838383838383830c7265636f72642c20616e6577",
    ),
    ("seal", "011901"),
    (
        "request the last",
        "0108e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e52121212121212121212121212121212121212121212121212121212121212121e3e3e3e3e3e3e3e3e4e4e4e4e4e4e4e400030180a3050123232323232323232323232323232323c8d195ffbc31",
    ),
    ("expand an erasure", "0109e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1"),
    (
        "decommission a node",
        "0117ac02e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5c2d395ffbc31",
    ),
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

fn sharing() -> Sharing {
    Sharing {
        holders: vec![NodeId(1)],
        threshold: 1,
    }
}

fn made(root: u8) -> MadeRoot {
    MadeRoot {
        root_commit: [root; 32],
        sub_keys: vec![[root + 0x10; 32]],
        kept: vec![NodeId(1)],
    }
}

fn genesis() -> Command<'static> {
    Command::Genesis(Genesis {
        realm: Realm([0xa0; 16]),
        attempt: 7,
        pages: vec![STAGED],
        levels: 3,
        sharing: sharing(),
        made: made(0x61),
        founder: (NodeId(1), BootId([0x90; 16])),
        data_groups: 4,
        time: TimeMs(1_700_000_000_000),
        nodes: vec![node(1, "de/fra/fra1")],
        policy: Policy::Eu27,
        log_key: [0x4b; 32],
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
        parent: None,
        commit: [0x71; 32],
        key_commit: [0x72; 32],
        epoch: 0,
        returns: 0,
        rows: vec![row(2, 0x81, b"record"), row(1, 0x82, b"index")],
    };
    let below = NewKey {
        kid: Kid([0x22; 16]),
        kind: 2,
        parent: Some(Kid([0x21; 16])),
        commit: [0x73; 32],
        key_commit: [0x74; 32],
        epoch: 0,
        returns: 0,
        rows: vec![row(2, 0x83, b"record, below")],
    };
    Command::CreateKeys {
        time: TimeMs(1_700_000_000_100),
        keys: vec![with_index, below],
    }
}

/// The first erasure, and the key that it takes.
pub(super) const ERASURE: ErasureId = ErasureId([0xe1; 16]);
pub(super) const HELD: ErasureId = ErasureId([0xe5; 16]);
const BOOT: BootId = BootId([0x91; 16]);
const PAGES: [(u8, u32); 2] = [(1, 300), (2, 300)];

fn request(id: ErasureId, target: u8, two_people: bool) -> Command<'static> {
    Command::RequestErasure(RequestErasure {
        id,
        target: Kid([target; 16]),
        tenant: Kid([0x21; 16]),
        mac: RequestMac([0xe3; 8]),
        requester: RequestMac([0xe4; 8]),
        two_people,
        reason: 3,
        urgent: true,
        hold_s: 86_400,
        namesakes: vec![Kid([0x23; 16])],
        time: TimeMs(1_700_000_000_200),
    })
}

fn begin(epoch: u64, attempt: u32, keys: Vec<Kid>) -> Command<'static> {
    Command::BeginEpoch(BeginEpoch {
        epoch,
        attempt,
        keys,
        pages: PAGES.to_vec(),
        recipients: vec![(NodeId(1), BOOT)],
        sharing: sharing(),
    })
}

fn chunk(attempt: u32) -> Command<'static> {
    Command::EpochChunk(EpochChunk {
        attempt,
        number: 0,
        pages: vec![Page {
            name: STAGED,
            sealed: b"page, anew",
        }],
        rows: vec![EpochRowOf {
            tree: 2,
            page: 300,
            tag: [0x83; 16],
            sealed: b"record, anew",
        }],
    })
}

fn share(attempt: u32) -> Command<'static> {
    Command::ShareEpoch(ShareEpoch {
        attempt,
        made: made(0x62),
    })
}

fn verify(attempt: u32) -> Command<'static> {
    Command::VerifyEpoch(VerifyEpoch {
        attempt,
        node: NodeId(1),
        digest: digest(attempt),
        root_commit: [0x62; 32],
    })
}

fn switch(attempt: u32) -> Command<'static> {
    Command::SwitchEpoch(SwitchEpoch {
        attempt,
        digest: digest(attempt),
        time: TimeMs(1_700_000_000_300),
    })
}

fn digest(attempt: u32) -> [u8; 32] {
    chunk_digest(&[0; 32], &chunk(attempt).encode())
}

/// An erasure with its epoch, one that is taken back, one that waits for a second person, an attempt that is under way,
/// and one that is held.
fn erasures() -> Vec<(&'static str, Command<'static>)> {
    let attest = AttestDestroyed {
        node: NodeId(1),
        boot: BOOT,
        epoch: 1,
        time: TimeMs(1_700_000_000_400),
        vault: VaultClass::Hsm,
        signature: [0x51; 64],
    };
    let cancel = CancelErasure {
        id: ErasureId([0xe3; 16]),
        requester: RequestMac([0xe4; 8]),
        time: TimeMs(1_700_000_000_500),
    };
    vec![
        ("request an erasure", request(ERASURE, 0x22, false)),
        ("begin an epoch", begin(1, 1, Vec::new())),
        ("abort it", Command::AbortEpoch { attempt: 1 }),
        ("begin it again", begin(1, 2, vec![Kid([0x22; 16])])),
        ("stage a chunk", chunk(2)),
        ("share it", share(2)),
        ("verify it", verify(2)),
        ("switch", switch(2)),
        ("a lease is over", lease_over()),
        ("register keys", register_keys()),
        ("attest", Command::AttestDestroyed(attest)),
        ("a share came back", rolled_back()),
        ("sweep", Command::Sweep),
        ("request another", request(ErasureId([0xe3; 16]), 0x21, false)),
        ("cancel it", Command::CancelErasure(cancel)),
        ("request for two", request(ErasureId([0xe2; 16]), 0x21, true)),
        ("begin the next epoch", begin(2, 3, Vec::new())),
        ("stage for it", chunk(3)),
        ("seal", Command::Seal(true)),
        ("request the last", request(HELD, 0x21, false)),
    ]
}

fn register_keys() -> Command<'static> {
    Command::RegisterKeys(RegisterKeys {
        node: NodeId(1),
        attest: [0xa7; 32],
        cosign: [0xc0; 32],
    })
}

fn lease_over() -> Command<'static> {
    Command::LeaseOver(LeaseOver {
        node: NodeId(1),
        boot: BOOT,
        epoch: 1,
        waited_ms: 32_300,
        time: TimeMs(1_700_000_000_350),
    })
}

fn rolled_back() -> Command<'static> {
    Command::VaultRolledBack(VaultRolledBack {
        node: NodeId(1),
        boot: BOOT,
        epoch: 0,
        attempt: 7,
    })
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
    let mut commands = vec![
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
        ("let a node leave", Command::LetLeave(NodeId(300))),
        ("remove a node", Command::RemoveNode(NodeId(300))),
        ("raise the version", Command::RaiseVersion(1)),
    ];
    commands.extend(erasures());
    commands
}

/// Refused in that history, so that they are not part of it.
fn refused() -> Vec<(&'static str, Command<'static>)> {
    let decommission = Decommission {
        node: NodeId(300),
        evidence: [0xe5; 32],
        time: TimeMs(1_700_000_000_450),
    };
    vec![
        ("expand an erasure", Command::ExpandErasure(ERASURE)),
        ("decommission a node", Command::Decommission(decommission)),
    ]
}

#[test]
fn commands_have_their_bytes() {
    let encoded: Vec<_> = commands()
        .iter()
        .chain(&refused())
        .map(|(name, command)| ((*name).to_owned(), command.encode()))
        .collect();
    assert_golden(GOLDEN, &encoded);
}

#[test]
fn commands_of_the_table_are_read() {
    for ((name, bytes), (_, command)) in GOLDEN.iter().zip(commands().into_iter().chain(refused())) {
        assert_eq!(Command::decode(&unhex(bytes)), Ok(command), "{name}");
    }
}
