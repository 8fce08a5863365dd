//! What real `eunoed` processes promise, asked through the SDK and the command line.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod attack;
mod audit;
mod bad_calls;
mod canaries;
mod catch_up;
mod disks;
mod erasure;
mod forensics;
mod identity;
mod import_and_read_back;
mod kill_loop;
mod load;
mod node_life;
mod partition;
mod placement;
mod receipts;
mod steps;
mod tail_and_typing;
mod telemetry;
mod vaults;
