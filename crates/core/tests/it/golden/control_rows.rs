//! Every table of the control group, keys and values, as the golden commands leave them; the leaves of the
//! transparency log among them.

use eunoe_core::control::{self, Command, ControlMachine, ErasureState, KeyState, NodeState, Stage};
use eunoe_core::placement::Policy;
use eunoe_types::{Incarnation, Kid, NodeId, Realm, RequestMac, TimeMs};

use super::control_commands::{ERASURE, HELD, STAGED, commands};
use crate::support::table::{assert_golden, rows_of, unhex};
use crate::support::{Rows, run};

const GOLDEN: &[(&str, &str)] = &[
    ("20", "01a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a001030480d095ffbc31"),
    (
        "210000000000000001",
        "0101116e6f64652e6578616d706c653a373430300a5b3a3a315d3a3734303151515151515151515151515151515151515151515151515151515151515151510b64652f6672612f6672613101",
    ),
    (
        "21000000000000012c",
        "01ac02116e6f64652e6578616d706c653a373430300a5b3a3a315d3a3734303151515151515151515151515151515151515151515151515151515151515151511267702f62617373652d74657272652f62743102",
    ),
    ("2201010000001f", "706167652c20616e6577"),
    (
        "23020000012c0000000081818181818181818181818181818181",
        "7265636f7264",
    ),
    (
        "23020000012c0000000083838383838383838383838383838383",
        "7265636f72642c2062656c6f77",
    ),
    (
        "23020000012c0000000283838383838383838383838383838383",
        "7265636f72642c20616e6577",
    ),
    (
        "23020000012c0000000383838383838383838383838383838383",
        "7265636f72642c20616e6577",
    ),
    ("2401010000001f", "0000000000000003706167652c20616e6577"),
    ("25", "00000001"),
    (
        "2621212121212121212121212121212121",
        "010102e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5150071717171717171717171717171717171717171717171717171717171717171717272727272727272727272727272727272727272727272727272727272727272",
    ),
    (
        "2622222222222222222222222222222222",
        "010203000073737373737373737373737373737373737373737373737373737373737373737474747474747474747474747474747474747474747474747474747474747474",
    ),
    (
        "270000000000000000",
        "7b22617474656d7074223a372c2265706f6368223a302c22686f6c64657273223a5b315d2c227265616c6d223a226f4b43676f4b43676f4b43676f4b43676f4b43676f413d3d222c22726f6f745f636f6d6d6974223a22595746685957466859574668595746685957466859574668595746685957466859574668595746685957453d222c2274223a2265756e6f652f67656e65736973407631222c227468726573686f6c64223a317d",
    ),
    (
        "270000000000000001",
        "7b22706f6c696379223a2245553237222c2274223a2265756e6f652f706f6c696379407631227d",
    ),
    (
        "270000000000000002",
        "7b226e6f6465223a312c2273697465223a2264652f6672612f66726131222c2273706b695f736861323536223a22555646525556465255564652555646525556465255564652555646525556465255564652555646525556453d222c2274223a2265756e6f652f6e6f64652d61646d6974746564407631227d",
    ),
    (
        "270000000000000003",
        "7b22626f6f74223a226b4a43516b4a43516b4a43516b4a43516b4a43516b413d3d222c2265706f6368223a302c226e6f6465223a312c2274223a2265756e6f652f726f6f742d6772616e746564407631227d",
    ),
    (
        "270000000000000004",
        "7b2263223a22635846786358467863584678635846786358467863584678635846786358467863584678635846786358453d222c2265706f6368223a302c226b63223a22636e4a79636e4a79636e4a79636e4a79636e4a79636e4a79636e4a79636e4a79636e4a79636e4a79636e493d222c226b696e64223a312c2274223a2265756e6f652f6b65792d63726561746564407631227d",
    ),
    (
        "270000000000000005",
        "7b2263223a2263334e7a63334e7a63334e7a63334e7a63334e7a63334e7a63334e7a63334e7a63334e7a63334e7a63334d3d222c2265706f6368223a302c226b63223a22644852306448523064485230644852306448523064485230644852306448523064485230644852306448513d222c226b696e64223a322c2274223a2265756e6f652f6b65792d63726561746564407631227d",
    ),
    (
        "270000000000000006",
        "7b226e6f6465223a3330302c2273697465223a2267702f62617373652d74657272652f627431222c2273706b695f736861323536223a22555646525556465255564652555646525556465255564652555646525556465255564652555646525556453d222c2274223a2265756e6f652f6e6f64652d61646d6974746564407631227d",
    ),
    (
        "270000000000000007",
        "7b22626f6f74223a226b5a47526b5a47526b5a47526b5a47526b5a47526b513d3d222c2265706f6368223a302c226e6f6465223a312c2274223a2265756e6f652f726f6f742d6772616e746564407631227d",
    ),
    (
        "270000000000000008",
        "7b226e6f6465223a3330302c2274223a2265756e6f652f6e6f64652d72656d6f766564407631227d",
    ),
    (
        "270000000000000009",
        "7b2263223a2263334e7a63334e7a63334e7a63334e7a63334e7a63334e7a63334e7a63334e7a63334e7a63334e7a63334d3d222c22696e646578223a382c226b696e64223a322c22726561736f6e223a332c2272657175657374223a22346548683465486834654868346548683465486834513d3d222c2274223a2265756e6f652f65726173652d66656e636564407631227d",
    ),
    (
        "27000000000000000a",
        "7b22626f6f74223a226b5a47526b5a47526b5a47526b5a47526b5a47526b513d3d222c2265706f6368223a312c226e6f6465223a312c2274223a2265756e6f652f726f6f742d6772616e746564407631227d",
    ),
    (
        "27000000000000000b",
        "7b22617474656d7074223a312c2265706f6368223a312c22686f6c64657273223a5b315d2c2274223a2265756e6f652f65706f63682d61626f72746564407631222c227468726573686f6c64223a317d",
    ),
    (
        "27000000000000000c",
        "7b2263223a2263334e7a63334e7a63334e7a63334e7a63334e7a63334e7a63334e7a63334e7a63334e7a63334e7a63334d3d222c2265706f6368223a302c2266656e63655f696e646578223a382c226b63223a22644852306448523064485230644852306448523064485230644852306448523064485230644852306448513d222c2272657175657374223a22346548683465486834654868346548683465486834513d3d222c2274223a2265756e6f652f6b65792d657261736564407631227d",
    ),
    (
        "27000000000000000d",
        "7b22617474656d7074223a322c2265706f6368223a312c22657261736564223a312c22686f6c64657273223a5b315d2c22726f6f745f636f6d6d6974223a22596d4a69596d4a69596d4a69596d4a69596d4a69596d4a69596d4a69596d4a69596d4a69596d4a69596d493d222c2274223a2265756e6f652f65706f63682d737769746368407631222c227468726573686f6c64223a317d",
    ),
    (
        "27000000000000000e",
        "7b22626f6f74223a226b5a47526b5a47526b5a47526b5a47526b5a47526b513d3d222c2265706f6368223a312c226e6f6465223a312c2274223a2265756e6f652f6c656173652d65787069726564407631222c227761697465645f6d73223a33323330307d",
    ),
    (
        "27000000000000000f",
        "7b22626f6f74223a226b5a47526b5a47526b5a47526b5a47526b5a47526b513d3d222c2265706f6368223a312c226e6f6465223a312c2274223a2265756e6f652f686f6c6465722d617474657374407631227d",
    ),
    (
        "270000000000000010",
        "7b22617474656d7074223a372c22626f6f74223a226b5a47526b5a47526b5a47526b5a47526b5a47526b513d3d222c2265706f6368223a302c226e6f6465223a312c2274223a2265756e6f652f7661756c742d726f6c6c6261636b2d6465746563746564407631227d",
    ),
    (
        "270000000000000011",
        "7b22626f6f74223a226b5a47526b5a47526b5a47526b5a47526b5a47526b513d3d222c2265706f6368223a322c226e6f6465223a312c2274223a2265756e6f652f726f6f742d6772616e746564407631227d",
    ),
    (
        "270000000000000012",
        "7b2274223a2265756e6f652f7365616c6564407631227d",
    ),
    (
        "28",
        "0113000000000000006d410b719e47d937d42cc5028d9dfac81046c7269d4d1dc038332c857131166c86bc930c7b9d18891834a264c03dfa057168309f82d2dc2456eda947e94701dc3052ecad01f4b690a5217a24c21f199adf9092517ac7c10aa2c948501b42d079",
    ),
    (
        "290000000000000000000000000000000190909090909090909090909090909090",
        "",
    ),
    (
        "290000000000000000000000000000000191919191919191919191919191919191",
        "",
    ),
    (
        "290000000000000001000000000000000191919191919191919191919191919191",
        "",
    ),
    (
        "290000000000000002000000000000000191919191919191919191919191919191",
        "",
    ),
    ("2a010000012c", "00000002"),
    ("2a020000012c", "00000002"),
    ("2c000000000000001521212121212121212121212121212121", ""),
    (
        "2de1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1",
        "0100020400acd295ffbc3190d395ffbc310190d395ffbc3103012222222222222222222222222222222221212121212121212121212121212121e3e3e3e3e3e3e3e3e4e4e4e4e4e4e4e47373737373737373737373737373737373737373737373737373737373737373c8d195ffbc31c8d195ffbc3108010000",
    ),
    (
        "2de2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2",
        "01020101030180a3052121212121212121212121212121212121212121212121212121212121212121e3e3e3e3e3e3e3e3e4e4e4e4e4e4e4e47171717171717171717171717171717171717171717171717171717171717171c8d195ffbc310000000000",
    ),
    (
        "2de3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3",
        "01010106f4d395ffbc31e4e4e4e4e4e4e4e4030180a3052121212121212121212121212121212121212121212121212121212121212121e3e3e3e3e3e3e3e3e4e4e4e4e4e4e4e47171717171717171717171717171717171717171717171717171717171717171c8d195ffbc31c8d195ffbc3110010000",
    ),
    (
        "2de5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5",
        "01030102030180a3052121212121212121212121212121212121212121212121212121212121212121e3e3e3e3e3e3e3e3e4e4e4e4e4e4e4e47171717171717171717171717171717171717171717171717171717171717171c8d195ffbc31c8d195ffbc3115010100",
    ),
    (
        "2e212121212121212121212121212121210000000000000000",
        "e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1",
    ),
    (
        "2e212121212121212121212121212121210000000000000001",
        "e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3",
    ),
    (
        "2e212121212121212121212121212121210000000000000002",
        "e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2",
    ),
    (
        "2e212121212121212121212121212121210000000000000003",
        "e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5",
    ),
    (
        "2f",
        "0101026262626262626262626262626262626262626262626262626262626262626262030101cb262cd42147ed5977e46c856836232443d66d6bb9098d2b56ebf5cb02d27b9e",
    ),
    ("30010000012c", ""),
    ("30020000012c", ""),
    ("31010000012c00000001", ""),
    ("31020000012c00000000", ""),
    ("31020000012c00000001", ""),
    ("320000000000000001", "010101019191919191919191919191919191919100"),
    ("34", "01000201ac0202ac02"),
    (
        "3600000000000000010000000000000002",
        "010101010101626262626262626262626262626262626262626262626262626262626262626201727272727272727272727272727272727272727272727272727272727272727201010101",
    ),
    ("3600000000000000020000000000000003", "01010101010000"),
    ("38", ""),
    ("3f", "0101"),
];

#[test]
fn rows_have_their_bytes() {
    let mut rows = Rows::default();
    let commands: Vec<Vec<u8>> = commands()
        .iter()
        .map(|(_, command)| Command::encode(command))
        .collect();
    run(&ControlMachine, &mut rows, &commands, 1);
    assert_golden(GOLDEN, &rows_of(&rows));
}

#[test]
fn rows_of_the_table_are_read() {
    let rows = golden();
    let genesis = control::genesis(&rows).expect("decodes").expect("is there");
    assert_eq!(
        (genesis.realm, genesis.incarnation),
        (Realm([0xa0; 16]), Incarnation(1))
    );
    let nodes = control::nodes(&rows).expect("decodes");
    assert_eq!(
        nodes.iter().map(|node| node.id).collect::<Vec<_>>(),
        [NodeId(1), NodeId(300)]
    );
    assert_eq!(nodes[1].state, NodeState::Removed);
    assert_eq!(
        control::page(&rows, STAGED).expect("reads").as_deref(),
        Some(&b"page, anew"[..])
    );
    assert_eq!(
        control::placement_policy(&rows).expect("decodes"),
        Some(Policy::Eu27)
    );
    assert_eq!(control::cluster_version(&rows).expect("decodes"), Some(1));
    let fenced = KeyState::Fenced {
        erasure: HELD,
        index: 21,
    };
    let key = control::key_state(&rows, &Kid([0x21; 16]))
        .expect("decodes")
        .expect("is there");
    assert_eq!(
        (key.kind, key.key_commit, key.state, key.parent),
        (1, [0x72; 32], fenced, None)
    );
    let key = control::key_state(&rows, &Kid([0x22; 16]))
        .expect("decodes")
        .expect("is there");
    assert_eq!((key.kind, key.state), (2, KeyState::Erased { epoch: 0 }));
    assert_eq!(control::page_generation(&rows, 2, 300).expect("decodes"), 2);
    let row = control::leaf_row(&rows, 2, 300, &[0x83; 16]).expect("reads");
    assert_eq!(row.as_deref(), Some(&b"record, anew"[..]));
    assert_eq!(control::event_count(&rows).expect("decodes"), 19);
}

#[test]
fn rows_of_erasures_and_epochs_in_the_table_are_read() {
    let rows = golden();
    let epoch = control::epoch(&rows).expect("decodes").expect("is there");
    assert_eq!((epoch.epoch, epoch.attempt, epoch.last_attempt), (1, 2, 3));
    assert_eq!(
        (epoch.root_commit, epoch.pending.map(|pending| pending.chunks)),
        ([0x62; 32], Some(1))
    );
    let pending = control::pending_epoch(&rows).expect("decodes").expect("is there");
    assert_eq!((pending.keys, pending.pages), (vec![], vec![(1, 300), (2, 300)]));
    let holders = control::holders(&rows).expect("decodes");
    assert_eq!(holders.len(), 1);
    let held = holders[0].1;
    assert_eq!(
        (holders[0].0, held.share, held.memory, held.dark),
        (NodeId(1), 1, 1, 1)
    );
    let root = control::current_root(&rows, &epoch)
        .expect("decodes")
        .expect("is there");
    assert_eq!((root.leads_to, root.verified), (1, vec![NodeId(1)]));
    assert_eq!(root.made.map(|made| made.sub_keys), Some(vec![[0x72; 32]]));
    let next = control::pending_root(&rows, &epoch)
        .expect("decodes")
        .expect("is there");
    assert_eq!((next.leads_to, next.made, next.sharing), (1, None, root.sharing));
    assert!(control::is_sealed(&rows).expect("reads"));
    let erasures = control::erasures_of(&rows, &Kid([0x21; 16]), None, 9).expect("decodes");
    let states: Vec<_> = erasures.iter().map(|(_, row)| (row.number, row.state)).collect();
    let destroyed = ErasureState::Destroyed {
        epoch: 0,
        rekeyed: TimeMs(1_700_000_000_300),
        time: TimeMs(1_700_000_000_400),
        full: Some(TimeMs(1_700_000_000_400)),
    };
    let cancelled = ErasureState::Cancelled {
        time: TimeMs(1_700_000_000_500),
        by: RequestMac([0xe4; 8]),
    };
    assert_eq!(
        states,
        [
            (3, ErasureState::Fenced),
            (2, ErasureState::Requested),
            (1, cancelled),
            (0, destroyed)
        ]
    );
    let counts = |at: usize| (erasures[at].0, erasures[at].1.keys, erasures[at].1.left);
    assert_eq!((counts(0), counts(3)), ((HELD, 1, 1), (ERASURE, 1, 0)));
    assert_eq!(erasures[0].1.hold_s, 86_400);
    let held = control::under_way(&rows, Stage::Held, None, 9).expect("decodes");
    assert_eq!(held, [(21, HELD)]);
    assert_eq!(
        control::keys_of_erasure(&rows, &HELD, 9).expect("decodes"),
        [Kid([0x21; 16])]
    );
    let returned = control::returned(&rows).expect("decodes");
    assert_eq!((returned.number, returned.kids), (1, vec![Kid([0x21; 16])]));
}

fn golden() -> Rows {
    Rows(
        GOLDEN
            .iter()
            .map(|(key, value)| (unhex(key), unhex(value)))
            .collect(),
    )
}

#[test]
fn leaves_of_the_transparency_log_are_the_documented_json() {
    let rows = golden();
    let leaf = |index| {
        let bytes = control::event(&rows, index).expect("reads").expect("is there");
        String::from_utf8(bytes).expect("ASCII")
    };
    assert_eq!(
        leaf(2),
        concat!(
            r#"{"node":1,"site":"de/fra/fra1","spki_sha256":"UVFRUVFRUVFRUVFRUVFRUVFRUVFRUVFRUVFRUVFRUVE=","#,
            r#""t":"eunoe/node-admitted@v1"}"#
        )
    );
    assert_eq!(leaf(1), r#"{"policy":"EU27","t":"eunoe/policy@v1"}"#);
    assert_eq!(leaf(8), r#"{"node":300,"t":"eunoe/node-removed@v1"}"#);
    assert_eq!(
        leaf(11),
        r#"{"attempt":1,"epoch":1,"holders":[1],"t":"eunoe/epoch-aborted@v1","threshold":1}"#
    );
    assert!(leaf(13).contains(r#""erased":1,"holders":[1],"root_commit":"#));
    assert!(leaf(14).ends_with(r#""epoch":1,"node":1,"t":"eunoe/lease-expired@v1","waited_ms":32300}"#));
    assert!(leaf(16).contains(r#""node":1,"t":"eunoe/vault-rollback-detected@v1""#));
    assert_eq!(leaf(18), r#"{"t":"eunoe/sealed@v1"}"#);
}
