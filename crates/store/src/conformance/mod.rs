//! What every engine must do, whatever it is made of: the same suites run over the production engines and
//! their in-memory twins.
//!
//! A suite panics with the broken promise. It needs only a harness that opens an engine over a place that it
//! owns, and opens it again as after an orderly end; the fault suites need one that can also crash and break it.

mod faults;
mod log;
mod model;
mod state;

pub use faults::{LogFaults, StateFaults, log_fault_suite, state_fault_suite};
pub use log::{LogHarness, log_suite};
pub use model::{LogStep, check_log_steps};
pub use state::{StateHarness, state_suite};
