//! `eunoed`: the services, connections and life of a node.
//!
//! The library exists so that the binary stays small and tests can start a node in their own process.

pub mod admin;
pub mod audit;

pub mod config;
pub mod edge;
pub mod failpoint;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod groups;
pub mod grpc;
mod hex;
pub mod keys;
pub mod node;
pub mod oidc;
pub mod peer;
pub mod placement;
pub mod process;
pub mod reload;
pub mod serve;
pub mod surroundings;
pub mod telemetry;
pub mod tls;
