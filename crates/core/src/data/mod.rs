//! The machine of a data group: conversations, sealed messages, dedup. It knows ciphertext and never a key.
//!
//! Commands are lists of operations, because many messages share one log entry; each operation has its own
//! reply and none depends on the fate of another, except by the predecessor that an append may name.

mod append;
mod apply;
#[cfg(test)]
mod codec_test;
mod command;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod invariant;
mod query;
mod reply;
mod row;

pub use apply::DataMachine;
pub use command::{
    Append, CreateConversation, KeySetRef, NewParticipant, Operation, ParticipantRef, Section,
    decode_command, encode_command, encode_operation,
};
pub(crate) use invariant::check_row;
pub use query::{
    conversation, conversations_of, head, is_of, key_set, message, message_seq, messages, participant,
    participant_number, participants, seq_at_time,
};
pub use reply::{Appended, Rejection, Reply, decode_replies};
pub use row::{
    ConversationRow, ConversationState, HeadRow, KeySetRow, MessageRow, ParticipantKind, ParticipantRow,
    Profile, StoredSection,
};
