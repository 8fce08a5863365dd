//! Every row decodes to what was encoded, in one form only, and no bytes make a decoder panic.

use eunoe_types::{Incarnation, NodeId, Realm, TimeMs};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::row::{GenesisRow, KeyState, KeyStateRow, NodeRow, NodeState};

fn genesis_row() -> impl Strategy<Value = GenesisRow> {
    let numbers = (
        any::<u32>(),
        any::<u8>(),
        any::<u32>(),
        any::<u64>(),
        any::<u64>(),
        any::<u64>(),
    );
    (any::<[u8; 16]>(), numbers, any::<[u8; 32]>()).prop_map(
        |(realm, (incarnation, levels, data_groups, epoch, attempt, created), root_commit)| GenesisRow {
            realm: Realm(realm),
            incarnation: Incarnation(incarnation),
            levels,
            data_groups,
            epoch,
            attempt,
            root_commit,
            created: TimeMs(created),
        },
    )
}

fn node_row() -> impl Strategy<Value = NodeRow> {
    let state = select(vec![NodeState::Admitted, NodeState::Removed]);
    (
        any::<u64>(),
        "\\PC{0,60}",
        "\\PC{0,60}",
        any::<[u8; 32]>(),
        "\\PC{0,60}",
        state,
    )
        .prop_map(
            |(id, client_address, peer_address, spki_sha256, site, state)| NodeRow {
                id: NodeId(id),
                client_address,
                peer_address,
                spki_sha256,
                site,
                state,
            },
        )
}

proptest! {
    #[test]
    fn rows_decode_to_what_was_encoded(
        genesis in genesis_row(),
        node in node_row(),
        (kind, commit, key_commit) in any::<(u8, [u8; 32], [u8; 32])>(),
    ) {
        prop_assert_eq!(GenesisRow::decode(&genesis.encode()), Ok(genesis));
        prop_assert_eq!(NodeRow::decode(&node.encode()), Ok(node));
        let key = KeyStateRow { kind, state: KeyState::Active, commit, key_commit };
        prop_assert_eq!(KeyStateRow::decode(&key.encode()), Ok(key));
    }

    #[test]
    fn whatever_decodes_is_in_its_only_form(
        bytes in vec(any::<u8>(), 0..120),
        node in node_row(),
        genesis in genesis_row(),
        (at, to) in any::<(usize, u8)>(),
    ) {
        let damaged = |mut row: Vec<u8>| {
            let at = at % row.len();
            row[at] = to;
            row
        };
        let (node, genesis) = (damaged(node.encode()), damaged(genesis.encode()));
        for bytes in [&bytes[..], &[&[1][..], &bytes].concat(), &node, &genesis] {
            if let Ok(row) = GenesisRow::decode(bytes) {
                prop_assert_eq!(row.encode(), bytes);
            }
            if let Ok(row) = NodeRow::decode(bytes) {
                prop_assert_eq!(row.encode(), bytes);
            }
            if let Ok(row) = KeyStateRow::decode(bytes) {
                prop_assert_eq!(row.encode(), bytes);
            }
        }
    }
}
