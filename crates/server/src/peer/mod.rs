//! The link between nodes: Raft's transport, calls to other nodes, and the service that answers them.
//!
//! Nothing here knows what a command or a Raft message says. No message body crosses the link unsealed.

mod calls;
mod client;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod hand_overs;
mod handler;
mod links;
mod outcome;
mod server;
mod status;
mod transport;

pub use calls::{PeerCalls, Peers};
pub use client::PeerClient;
pub use handler::PeerHandler;
pub use links::PeerLinks;
pub(crate) use links::{CONNECTION_WINDOW_BYTES, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, STREAM_WINDOW_BYTES};
pub use outcome::{
    ChangeOutcome, GivenRoot, GrantError, GrantedLease, GroupChange, PeerState, ProposeOutcome, RefusedGrant,
    RootPart,
};
pub use server::{PeerServer, RaftInbound};
pub use transport::GrpcTransport;

/// Bytes of one message on a peer link. An append request has 1 MiB of entries, or one entry and its frame.
pub const PEER_MESSAGE_BYTES_MAX: usize = 8 << 20;
