//! Asking for cosignatures and giving them (tlog-witness, `add-checkpoint`). Whoever carries the messages, keeps the
//! state and knows the time is elsewhere.

mod answer;
mod decide;
mod request;

pub use answer::{AnswerError, SIZE_CONTENT_TYPE, WitnessAnswer};
pub use decide::{Refusal, TreeHead, Witness, Witnessed};
pub use request::{ADD_CHECKPOINT_BYTES_MAX, AddCheckpoint, AddCheckpointError};
