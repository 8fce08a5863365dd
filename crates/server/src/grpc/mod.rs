//! The public services: requests are checked and converted here, and answers converted back. No rule of the store
//! is in this module.

mod answer;
mod appending;
mod audit;
mod auth;
mod chat;
mod cluster;
mod convert;
mod erasure;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod gate;
mod input;
mod removal;
mod roots;
mod status;

pub use audit::Audits;
pub use auth::roles;
pub use chat::Chat;
pub use cluster::{Cluster, Operator};
pub use erasure::Erasures;
pub use gate::{Gate, Gated, Roles};
pub use status::{Faults, to_status};
