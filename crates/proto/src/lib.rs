//! Generated gRPC code, and nothing else. No message implements a `Debug` that shows its fields: a request
//! that is logged by accident shows its type and no content.
#![allow(clippy::all, missing_docs, unreachable_pub)]

/// The descriptors of all public and internal services, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Package `eunoe.audit.v1`.
pub mod audit {
    tonic::include_proto!("eunoe.audit.v1");
}

/// Package `eunoe.chat.v1`.
pub mod chat {
    tonic::include_proto!("eunoe.chat.v1");
}

/// Package `eunoe.cluster.v1`.
pub mod cluster {
    tonic::include_proto!("eunoe.cluster.v1");
}

/// Package `eunoe.erasure.v1`.
pub mod erasure {
    tonic::include_proto!("eunoe.erasure.v1");
}

/// Package `eunoe.peer.v1`.
pub mod peer {
    tonic::include_proto!("eunoe.peer.v1");
}
