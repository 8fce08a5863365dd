//! Every table of the control group, keys and values, as the golden commands leave them; the leaves of the
//! transparency log among them.

use eunoe_core::control::{self, Command, ControlMachine, NodeState};
use eunoe_core::placement::Policy;
use eunoe_types::{Incarnation, Kid, NodeId, Realm};

use super::control_commands::{STAGED, commands};
use crate::support::table::{assert_golden, rows_of, unhex};
use crate::support::{Rows, run};

const GOLDEN: &[(&str, &str)] = &[
    (
        "20",
        "01a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a00103040007616161616161616161616161616161616161616161616161616161616161616180d095ffbc31",
    ),
    (
        "210000000000000001",
        "0101116e6f64652e6578616d706c653a373430300a5b3a3a315d3a3734303151515151515151515151515151515151515151515151515151515151515151510b64652f6672612f6672613101",
    ),
    (
        "21000000000000012c",
        "01ac02116e6f64652e6578616d706c653a373430300a5b3a3a315d3a3734303151515151515151515151515151515151515151515151515151515151515151511267702f62617373652d74657272652f62743102",
    ),
    ("2201010000001f", "70616765"),
    ("23010000012c82828282828282828282828282828282", "696e646578"),
    ("23020000012c81818181818181818181818181818181", "7265636f7264"),
    ("24020000000000", "0000000000000007"),
    ("25", "00000001"),
    (
        "2621212121212121212121212121212121",
        "01010171717171717171717171717171717171717171717171717171717171717171717272727272727272727272727272727272727272727272727272727272727272",
    ),
    (
        "2622222222222222222222222222222222",
        "01020173737373737373737373737373737373737373737373737373737373737373737474747474747474747474747474747474747474747474747474747474747474",
    ),
    (
        "270000000000000000",
        "7b22617474656d7074223a372c2265706f6368223a302c227265616c6d223a226f4b43676f4b43676f4b43676f4b43676f4b43676f413d3d222c22726f6f745f636f6d6d6974223a22595746685957466859574668595746685957466859574668595746685957466859574668595746685957453d222c2274223a2265756e6f652f67656e65736973407631227d",
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
        "7b2263223a22635846786358467863584678635846786358467863584678635846786358467863584678635846786358453d222c2265706f6368223a302c226b63223a22636e4a79636e4a79636e4a79636e4a79636e4a79636e4a79636e4a79636e4a79636e4a79636e4a79636e493d222c226b696e64223a312c2274223a2265756e6f652f6b65792d63726561746564407631227d",
    ),
    (
        "270000000000000004",
        "7b2263223a2263334e7a63334e7a63334e7a63334e7a63334e7a63334e7a63334e7a63334e7a63334e7a63334e7a63334d3d222c2265706f6368223a302c226b63223a22644852306448523064485230644852306448523064485230644852306448523064485230644852306448513d222c226b696e64223a322c2274223a2265756e6f652f6b65792d63726561746564407631227d",
    ),
    (
        "270000000000000005",
        "7b226e6f6465223a3330302c2273697465223a2267702f62617373652d74657272652f627431222c2273706b695f736861323536223a22555646525556465255564652555646525556465255564652555646525556465255564652555646525556453d222c2274223a2265756e6f652f6e6f64652d61646d6974746564407631227d",
    ),
    (
        "270000000000000006",
        "7b22626f6f74223a226b5a47526b5a47526b5a47526b5a47526b5a47526b513d3d222c2265706f6368223a302c226e6f6465223a312c2274223a2265756e6f652f726f6f742d6772616e746564407631227d",
    ),
    (
        "270000000000000007",
        "7b226e6f6465223a3330302c2274223a2265756e6f652f6e6f64652d72656d6f766564407631227d",
    ),
    (
        "28",
        "010800000000000000fad01e6001ddd51ed60221b1b07ef3e94f6f4657b6808799fd39653d15328f08",
    ),
    (
        "290000000000000000000000000000000191919191919191919191919191919191",
        "",
    ),
    ("3f", "0101"),
];

/// No command of this release replaces a page's key, but rows of a release that does are read already.
const GENERATION_KEY: &str = "2a010000012c";

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
    let mut rows = Rows(
        GOLDEN
            .iter()
            .map(|(key, value)| (unhex(key), unhex(value)))
            .collect(),
    );
    let genesis = control::genesis(&rows).expect("decodes").expect("is there");
    assert_eq!(
        (genesis.realm, genesis.incarnation, genesis.attempt),
        (Realm([0xa0; 16]), Incarnation(1), 7)
    );
    let nodes = control::nodes(&rows).expect("decodes");
    assert_eq!(
        nodes.iter().map(|node| node.id).collect::<Vec<_>>(),
        [NodeId(1), NodeId(300)]
    );
    assert_eq!(nodes[1].state, NodeState::Removed);
    assert_eq!(
        control::page(&rows, STAGED).expect("reads").as_deref(),
        Some(&b"page"[..])
    );
    assert_eq!(
        control::placement_policy(&rows).expect("decodes"),
        Some(Policy::Eu27)
    );
    assert_eq!(control::cluster_version(&rows).expect("decodes"), Some(1));
    let key = control::key_state(&rows, &Kid([0x21; 16]))
        .expect("decodes")
        .expect("is there");
    assert_eq!((key.kind, key.key_commit), (1, [0x72; 32]));
    let row = control::leaf_row(&rows, 1, 300, &[0x82; 16]).expect("reads");
    assert_eq!(row.as_deref(), Some(&b"index"[..]));
    assert_eq!(control::event_count(&rows).expect("decodes"), 8);
    assert_eq!(control::page_generation(&rows, 1, 300).expect("decodes"), 0);
    rows.0.insert(unhex(GENERATION_KEY), vec![0, 0, 0, 5]);
    assert_eq!(control::page_generation(&rows, 1, 300).expect("decodes"), 5);
}

#[test]
fn leaves_of_the_transparency_log_are_the_documented_json() {
    let rows = Rows(
        GOLDEN
            .iter()
            .map(|(key, value)| (unhex(key), unhex(value)))
            .collect(),
    );
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
    assert_eq!(leaf(7), r#"{"node":300,"t":"eunoe/node-removed@v1"}"#);
}
