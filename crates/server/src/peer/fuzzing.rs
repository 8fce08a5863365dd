//! Messages of peers as fuzzers send them.

use eunoe_proto::peer as proto;
use eunoe_raft::CallKind;
use eunoe_types::fuzzing::{Bytes, Reader};
use eunoe_types::{ConversationId, NodeId};
use prost::Message;

use super::{client, server};

/// Messages whose content is checked beyond what protobuf says, and those with bytes for others to read.
pub(crate) const MESSAGES: &[Reader] = &[
    ("raft call", |bytes| {
        read(bytes, |call: proto::RaftCallRequest| {
            let kind = u8::try_from(call.kind).ok().and_then(CallKind::from_number);
            kind.is_some_and(|kind| {
                assert_eq!(u32::from(kind.number()), call.kind, "a kind has two numbers");
                true
            })
        })
    }),
    ("raft append", |bytes| {
        read(bytes, |_: proto::RaftAppendRequest| true)
    }),
    ("raft snapshot", |bytes| {
        read(bytes, |_: proto::RaftSnapshotRequest| true)
    }),
    ("propose", |bytes| read(bytes, |_: proto::ProposeRequest| true)),
    ("proposed", |bytes| {
        read(bytes, |answer: proto::ProposeResponse| answer.outcome.is_some())
    }),
    ("change", |bytes| {
        read(bytes, |request: proto::ChangeGroupRequest| {
            request.change.and_then(server::read_change).is_some()
        })
    }),
    ("release", |bytes| {
        read(bytes, |request: proto::ReleaseRootRequest| {
            server::boot_id(&request.boot_id).is_ok()
        })
    }),
    ("cosign", |bytes| read(bytes, |_: proto::CosignRequest| true)),
    ("root", |bytes| read(bytes, |_: proto::InstallRootRequest| true)),
    ("state", |bytes| {
        read(bytes, |answer: proto::PingResponse| {
            client::read_state(NodeId(answer.node_id), answer).is_ok()
        })
    }),
    ("typing", |bytes| {
        read(bytes, |notice: proto::RelayTypingRequest| {
            ConversationId::try_from(&notice.conversation_id[..]).is_ok()
        })
    }),
];

fn read<M: Message + Default>(bytes: &Bytes, take: impl Fn(M) -> bool) -> bool {
    M::decode(bytes.clone()).is_ok_and(take)
}
