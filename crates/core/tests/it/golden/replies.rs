//! Replies of both machines. They are not stored, but a node of another release reads them.

use eunoe_core::{control, data};
use eunoe_types::{ErasureId, Seq, TimeMs};

use crate::data::generate::commands;
use crate::support::table::{assert_golden, unhex};
use crate::support::{Rows, run};

const CONTROL: &[(&str, &str)] = &[
    ("done", "0101"),
    ("keys", "0102050102030405"),
    ("an erasure", "0104e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e101"),
    ("one under way", "0104e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e100"),
    ("GenesisDone", "010301"),
    ("NoGenesis", "010302"),
    ("PagesMissing", "010303"),
    ("NodeIdUsed", "010304"),
    ("NoSuchNode", "010305"),
    ("WrongEpoch", "010306"),
    ("WrongVersion", "010307"),
    ("SiteMalformed", "010320"),
    ("SiteOutside", "010321"),
    ("RequestIdReused", "010308"),
    ("NoSuchKey", "010309"),
    ("KeyErased", "01030a"),
    ("NothingToExpand", "01030b"),
    ("WrongAttempt", "01030c"),
    ("WrongChunk", "01030d"),
    ("WrongDigest", "01030e"),
    ("KeyNotFenced", "01030f"),
    ("TooFewHolders", "010310"),
    ("NoSuchErasure", "010311"),
    ("TooLate", "010312"),
    ("BadSharing", "010318"),
    ("NotVerified", "010319"),
    ("NodeAdmitted", "01031a"),
    ("Sealed", "01031b"),
];
const DATA: &[(&str, &str)] = &[
    ("reply 0", "01010101"),
    ("reply 1", "01010101"),
    ("reply 2", "01010201acd295ffbc3101000100"),
    ("reply 3", "01010202acd295ffbc310200020001"),
    ("reply 4", "01010381d095ffbc31"),
    ("reply 5", "01010100"),
    ("reply 6", "01010100"),
    ("reply 7", "01010201acd295ffbc3101010100"),
    ("reply 8", "01010202acd295ffbc310201020001"),
    ("reply 9", "01010381d095ffbc31"),
];

fn control_replies() -> Vec<(String, control::Reply)> {
    use control::{KeyOutcome, Rejection, Reply};
    let outcomes = vec![
        KeyOutcome::Created,
        KeyOutcome::Exists,
        KeyOutcome::Stale,
        KeyOutcome::Frozen,
        KeyOutcome::ParentErased,
    ];
    let rejections = [
        Rejection::GenesisDone,
        Rejection::NoGenesis,
        Rejection::PagesMissing,
        Rejection::NodeIdUsed,
        Rejection::NoSuchNode,
        Rejection::WrongEpoch,
        Rejection::WrongVersion,
        Rejection::SiteMalformed,
        Rejection::SiteOutside,
        Rejection::RequestIdReused,
        Rejection::NoSuchKey,
        Rejection::KeyErased,
        Rejection::NothingToExpand,
        Rejection::WrongAttempt,
        Rejection::WrongChunk,
        Rejection::WrongDigest,
        Rejection::KeyNotFenced,
        Rejection::TooFewHolders,
        Rejection::NoSuchErasure,
        Rejection::TooLate,
        Rejection::BadSharing,
        Rejection::NotVerified,
        Rejection::NodeAdmitted,
        Rejection::Sealed,
    ];
    let id = ErasureId([0xe1; 16]);
    let plain = [
        ("done".to_owned(), Reply::Done),
        ("keys".to_owned(), Reply::Keys(outcomes)),
        ("an erasure".to_owned(), Reply::Erasure { id, created: true }),
        ("one under way".to_owned(), Reply::Erasure { id, created: false }),
    ];
    plain
        .into_iter()
        .chain(rejections.map(|why| (format!("{why:?}"), Reply::Rejected(why))))
        .collect()
}

#[test]
fn control_replies_have_their_bytes_and_are_read() {
    let replies = control_replies();
    let encoded: Vec<_> = replies
        .iter()
        .map(|(name, reply)| (name.clone(), reply.encode()))
        .collect();
    assert_golden(CONTROL, &encoded);
    for ((_, bytes), (name, reply)) in CONTROL.iter().zip(replies) {
        assert_eq!(control::Reply::decode(&unhex(bytes)), Ok(reply), "{name}");
    }
}

/// Every kind of reply, as the machine gives it.
#[test]
fn data_replies_have_their_bytes() {
    let operations: Vec<_> = super::data_commands::operations()
        .into_iter()
        .map(|(_, operation)| operation)
        .collect();
    let twice = [&operations[..], &operations].concat();
    let answers = run(&data::DataMachine, &mut Rows::default(), &commands(&twice), 1);
    let named: Vec<_> = answers
        .into_iter()
        .enumerate()
        .map(|(at, answer)| (format!("reply {at}"), answer.reply))
        .collect();
    assert_golden(DATA, &named);
}

#[test]
fn data_replies_of_every_kind_are_read() {
    use data::{Appended, Rejection, Reply};
    let appended = Appended {
        seq: Seq(300),
        time: TimeMs(1_000),
        participant: 2,
        key_sets: vec![0, 200],
        replayed: true,
    };
    let rejections = [
        Rejection::NoSuchConversation,
        Rejection::ConversationDiffers,
        Rejection::ConversationClosed,
        Rejection::RequestIdReused,
        Rejection::OutOfOrder,
        Rejection::UnknownNumber,
        Rejection::TooManyParticipants,
    ];
    for (tag, rejection) in (1u8..).zip(rejections) {
        assert_eq!(
            data::decode_replies(&[1, 1, 4, tag]),
            Ok(vec![Reply::Rejected(rejection)])
        );
    }
    let known = [
        ("01010101", Reply::Created { new: true }),
        ("010102ac02e80702010200c801", Reply::Appended(appended)),
        ("010103e807", Reply::Closed { time: TimeMs(1_000) }),
    ];
    for (bytes, reply) in known {
        assert_eq!(data::decode_replies(&unhex(bytes)), Ok(vec![reply]));
    }
}
