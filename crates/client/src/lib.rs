//! Rust SDK of Eunoe: connects to a cluster over TLS as a certificate or a token names it, tries again only where that is safe, and keeps order.
//!
//! Every mutating call carries a request id (a random one where the caller gave none), so an attempt whose
//! outcome is unknown is repeated with the same id and takes effect at most once. Content never appears in a
//! `Debug`, an error or a log: the generated messages have no `Debug` at all.
//!
//! ```no_run
//! # async fn demo() -> Result<(), eunoe_client::ClientError> {
//! use eunoe_client::{Client, Context, Pem, input, types::ParticipantKind};
//!
//! let context = Context::new(
//!     ["127.0.0.1:7101"],
//!     Pem::Path("ca.pem".into()),
//!     Pem::Path("platform.pem".into()),
//!     Pem::Path("platform.key".into()),
//!     "acme",
//! );
//! let client = Client::connect(context).await?;
//! let visitor = input::participant(ParticipantKind::Visitor, "visitor/1");
//! let created = client.create_conversation(input::support("ticket-1", visitor.clone(), "support")).await?;
//! client.append(input::text_message(&created.conversation.id, visitor, "support", "Guten Tag!")).await?;
//! # Ok(()) }
//! ```
#![forbid(unsafe_code)]

mod audit;
mod batch;
mod channels;
mod chat;
mod client;
mod cluster;
mod context;
mod credentials;
mod erasure;
mod erasure_watch;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod input;
mod pages;
mod request_id;
mod resumed;
mod retry;
mod stream;
mod tail;
mod tls;

pub use audit::Audit;
pub use chat::Created;
pub use client::Client;
pub use cluster::Cluster;
pub use context::{ClientCertificate, Context, Pem, Timeouts, Token};
pub use erasure::{ErasurePages, Erasures, RequestedErasure, Waited};
pub use erasure_watch::ErasureWatch;
pub use error::ClientError;
pub use eunoe_types::{ErrorCode, Outcome, Retry};
pub use pages::{ConversationPages, MessagePages, MessageQuery, MessageStart};
pub use stream::{PendingAck, StreamAppender, StreamOptions};
pub use tail::{Tail, TailEvent, TailStart};

/// The generated messages of `eunoe.chat.v1` that the API takes and returns.
pub mod types {
    pub use eunoe_proto::chat::{
        Ack, ContentState, Conversation, ConversationName, ConversationState, CreateConversationRequest,
        Data, ListMessagesResponse, Message, MessageInput, Order, Part, Participant, ParticipantKind,
        Profile, TypingNotice, conversation_name, part,
    };
    pub use prost_types::Timestamp;
}

/// The generated messages of `eunoe.erasure.v1` that the API takes and returns.
pub mod erasure_types {
    pub use eunoe_proto::erasure::request_erasure_request::Target;
    pub use eunoe_proto::erasure::{
        Erasure, ErasureGrade, ErasureKind, ErasureReason, ErasureState, RequestErasureRequest,
    };
}

/// The generated messages of `eunoe.cluster.v1`.
pub mod cluster_types {
    pub use eunoe_proto::cluster::{
        AddNodeRequest, GetStatusResponse, Group, Limit, Node, NodeState, Root, ShardRange,
    };
}
