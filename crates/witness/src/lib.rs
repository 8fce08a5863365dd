//! Both ends of C2SP tlog-witness over HTTP: a witness to run ([`Keeper`], [`serve`]) and a way to ask one
//! ([`WitnessClient`]). What is cosigned, and what the messages say, is decided in `eunoe-evidence`; a witness's memory, its clock
//! and its connections are here.
#![forbid(unsafe_code)]

mod ask;
mod keeper;
mod serve;

pub use ask::{AskError, ClientError, Cosignature, WitnessClient, WitnessUrl, WitnessUrlError};
pub use keeper::{Fork, Keeper, KeeperError, LOG_KEYS_MAX, ORIGINS_MAX, Outcome};
pub use serve::{ServeError, serve};
