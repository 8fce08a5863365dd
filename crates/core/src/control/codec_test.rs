//! Every row decodes to what was encoded, in one form only, and no bytes make a decoder panic.

use eunoe_types::{BootId, ErasureId, Incarnation, Kid, NodeId, Realm, RequestMac, TimeMs};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::erasure_row::{EpochRow, ErasureRow, ErasureState, PendingEpoch, PendingRow, ReturnedRow};
use super::root_row::{HolderRow, MadeRoot, RootRow, Sharing};
use super::row::{GenesisRow, KeyState, KeyStateRow, NodeRow, NodeState};

fn genesis_row() -> impl Strategy<Value = GenesisRow> {
    let numbers = (any::<u32>(), any::<u8>(), any::<u32>(), any::<u64>());
    (any::<[u8; 16]>(), numbers).prop_map(
        |(realm, (incarnation, levels, data_groups, created))| GenesisRow {
            realm: Realm(realm),
            incarnation: Incarnation(incarnation),
            levels,
            data_groups,
            created: TimeMs(created),
            log_key: [levels; 32],
        },
    )
}

fn node_row() -> impl Strategy<Value = NodeRow> {
    let state = select(vec![NodeState::Admitted, NodeState::Leaving, NodeState::Removed]);
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

fn key_row() -> impl Strategy<Value = KeyStateRow> {
    let state = prop_oneof![
        Just(KeyState::Active),
        any::<([u8; 16], u64)>().prop_map(|(id, index)| KeyState::Fenced {
            erasure: ErasureId(id),
            index
        }),
        any::<u64>().prop_map(|epoch| KeyState::Erased { epoch }),
    ];
    (
        any::<u8>(),
        state,
        any::<Option<[u8; 16]>>(),
        any::<[u8; 32]>(),
        any::<[u8; 32]>(),
        any::<u64>(),
    )
        .prop_map(
            |(kind, state, parent, commit, key_commit, created_leaf)| KeyStateRow {
                kind,
                state,
                parent: parent.map(Kid),
                commit,
                key_commit,
                created_leaf,
            },
        )
}

fn erasure_row() -> impl Strategy<Value = ErasureRow> {
    let state = prop_oneof![
        Just(ErasureState::Requested),
        Just(ErasureState::Fenced),
        any::<(u64, u64)>().prop_map(|(epoch, time)| ErasureState::Rekeyed {
            epoch,
            time: TimeMs(time)
        }),
        any::<(u64, u64, u64, Option<u64>)>().prop_map(|(epoch, rekeyed, time, full)| {
            ErasureState::Destroyed {
                epoch,
                rekeyed: TimeMs(rekeyed),
                time: TimeMs(time),
                full: full.map(TimeMs),
            }
        }),
        any::<(u64, [u8; 8])>().prop_map(|(time, by)| ErasureState::Cancelling {
            time: TimeMs(time),
            by: RequestMac(by)
        }),
        any::<(u64, [u8; 8])>().prop_map(|(time, by)| ErasureState::Cancelled {
            time: TimeMs(time),
            by: RequestMac(by)
        }),
    ];
    let names = any::<([u8; 16], [u8; 16], [u8; 8], [u8; 8], [u8; 32])>();
    let numbers = any::<[u64; 7]>();
    (state, names, numbers, any::<(u8, u8, bool, u32)>()).prop_map(
        |(state, (target, tenant, mac, requester, commit), numbers, (kind, reason, urgent, hold_s))| {
            let [number, requested, fenced, index, keys, left, expanding] = numbers;
            ErasureRow {
                number,
                kind,
                state,
                reason,
                urgent,
                hold_s,
                target: Kid(target),
                tenant: Kid(tenant),
                mac: RequestMac(mac),
                requester: RequestMac(requester),
                commit,
                requested: TimeMs(requested),
                fenced: (TimeMs(fenced), index),
                keys,
                left,
                expanding,
            }
        },
    )
}

fn epoch_row() -> impl Strategy<Value = EpochRow> {
    let pending = option::of(any::<(u32, [u8; 32])>());
    (any::<(u64, u64, u32)>(), any::<[u8; 32]>(), pending).prop_map(
        |((epoch, attempt, last_attempt), root_commit, pending)| EpochRow {
            epoch,
            attempt,
            root_commit,
            last_attempt,
            pending: pending.map(|(chunks, digest)| PendingEpoch { chunks, digest }),
        },
    )
}

fn pending_row() -> impl Strategy<Value = PendingRow> {
    (vec(any::<[u8; 16]>(), 0..4), vec(any::<(u8, u32)>(), 0..4)).prop_map(|(keys, pages)| PendingRow {
        keys: keys.into_iter().map(Kid).collect(),
        pages,
    })
}

fn returned_row() -> impl Strategy<Value = ReturnedRow> {
    (any::<u64>(), vec(any::<[u8; 16]>(), 0..4)).prop_map(|(number, kids)| ReturnedRow {
        number,
        kids: kids.into_iter().map(Kid).collect(),
    })
}

fn holder_row() -> impl Strategy<Value = HolderRow> {
    any::<([u64; 3], [u8; 16], bool)>().prop_map(|([share, memory, dark], boot, retired)| HolderRow {
        share,
        memory,
        dark,
        boot: BootId(boot),
        retired,
    })
}

fn nodes() -> impl Strategy<Value = Vec<NodeId>> {
    vec(any::<u64>().prop_map(NodeId), 0..4)
}

fn root_row() -> impl Strategy<Value = RootRow> {
    let made = (any::<[u8; 32]>(), vec(any::<[u8; 32]>(), 0..4), nodes());
    let made = made.prop_map(|(root_commit, sub_keys, kept)| MadeRoot {
        root_commit,
        sub_keys,
        kept,
    });
    (any::<u64>(), (nodes(), any::<u8>()), option::of(made), nodes()).prop_map(
        |(leads_to, (holders, threshold), made, verified)| RootRow {
            leads_to,
            sharing: Sharing { holders, threshold },
            made,
            verified,
        },
    )
}

proptest! {
    #[test]
    fn rows_decode_to_what_was_encoded(
        (genesis, node, key) in (genesis_row(), node_row(), key_row()),
        (erasure, epoch, pending) in (erasure_row(), epoch_row(), pending_row()),
        (holder, root, returned) in (holder_row(), root_row(), returned_row()),
    ) {
        prop_assert_eq!(GenesisRow::decode(&genesis.encode()), Ok(genesis));
        prop_assert_eq!(NodeRow::decode(&node.encode()), Ok(node));
        prop_assert_eq!(KeyStateRow::decode(&key.encode()), Ok(key));
        prop_assert_eq!(ErasureRow::decode(&erasure.encode()), Ok(erasure));
        prop_assert_eq!(EpochRow::decode(&epoch.encode()), Ok(epoch));
        prop_assert_eq!(PendingRow::decode(&pending.encode()), Ok(pending));
        prop_assert_eq!(HolderRow::decode(&holder.encode()), Ok(holder));
        prop_assert_eq!(RootRow::decode(&root.encode()), Ok(root));
        prop_assert_eq!(ReturnedRow::decode(&returned.encode()), Ok(returned));
    }

    #[test]
    fn whatever_decodes_is_in_its_only_form(
        bytes in vec(any::<u8>(), 0..120),
        (genesis, node, key) in (genesis_row(), node_row(), key_row()),
        (erasure, epoch, pending) in (erasure_row(), epoch_row(), pending_row()),
        (holder, root, returned) in (holder_row(), root_row(), returned_row()),
        (at, to) in any::<(usize, u8)>(),
    ) {
        let rows = [
            genesis.encode(), node.encode(), key.encode(), erasure.encode(), epoch.encode(), pending.encode(),
            holder.encode(), root.encode(), returned.encode(),
        ];
        let damaged = rows.into_iter().map(|mut row| {
            let at = at % row.len();
            row[at] = to;
            row
        });
        let forms: Vec<Vec<u8>> = damaged.chain([bytes.clone(), [&[1][..], &bytes].concat()]).collect();
        for bytes in &forms {
            let again = [
                GenesisRow::decode(bytes).map(|row| row.encode()),
                NodeRow::decode(bytes).map(|row| row.encode()),
                KeyStateRow::decode(bytes).map(|row| row.encode()),
                ErasureRow::decode(bytes).map(|row| row.encode()),
                EpochRow::decode(bytes).map(|row| row.encode()),
                PendingRow::decode(bytes).map(|row| row.encode()),
                HolderRow::decode(bytes).map(|row| row.encode()),
                RootRow::decode(bytes).map(|row| row.encode()),
                ReturnedRow::decode(bytes).map(|row| row.encode()),
            ];
            for row in again.into_iter().flatten() {
                prop_assert_eq!(&row, bytes);
            }
        }
    }

    #[test]
    fn a_cut_or_longer_row_is_refused(
        (genesis, key, erasure, epoch) in (genesis_row(), key_row(), erasure_row(), epoch_row()),
        (pending, holder, root, returned) in (pending_row(), holder_row(), root_row(), returned_row()),
    ) {
        fn refuses<T>(row: &[u8], decode: impl Fn(&[u8]) -> Result<T, eunoe_types::DecodeError>) -> bool {
            (0..row.len()).all(|length| decode(&row[..length]).is_err()) && decode(&[row, &[0]].concat()).is_err()
        }
        prop_assert!(refuses(&genesis.encode(), GenesisRow::decode));
        prop_assert!(refuses(&key.encode(), KeyStateRow::decode));
        prop_assert!(refuses(&erasure.encode(), ErasureRow::decode));
        prop_assert!(refuses(&epoch.encode(), EpochRow::decode));
        prop_assert!(refuses(&pending.encode(), PendingRow::decode));
        prop_assert!(refuses(&holder.encode(), HolderRow::decode));
        prop_assert!(refuses(&root.encode(), RootRow::decode));
        prop_assert!(refuses(&returned.encode(), ReturnedRow::decode));
    }
}
