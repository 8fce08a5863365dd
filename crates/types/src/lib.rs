//! The vocabulary of Eunoe: ids, limits, error codes and the codec of stored forms.
//!
//! Every other crate depends on this one; it depends on no other crate of the project and does no I/O.
//! Ids that name a person's key (`Kid`) never show themselves through `Debug` or `Display`: logs, traces
//! and errors must not link a line to a data subject.

mod codec;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod ids;
pub mod limits;
mod log_position;
mod role;
pub mod sabotage;
mod time;
mod vault_class;

pub use codec::{DecodeError, Decoder, Encoder};
pub use error::{ErrorCode, Fault, Outcome, Retry};
pub use ids::{
    BootId, ConversationId, ErasureId, GroupId, Incarnation, Kid, MessageId, NodeId, Realm, RequestMac, Seq,
    TenantId, TenantIdError, VirtualShard,
};
pub use log_position::LogPosition;
pub use role::Role;
pub use time::{Day, TimeMs};
pub use vault_class::{UnknownVaultClass, VaultClass};
