//! Golden bytes of everything that the machines store or replicate. A change of a stored form fails here: it needs a
//! new format version and a reader of the old one, never a new table alone.

mod control_commands;
mod control_rows;
pub(crate) mod data_commands;
mod data_rows;
mod replies;
