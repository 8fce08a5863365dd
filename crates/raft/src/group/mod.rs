//! A group on this node: what the layers above see of Raft.

mod admission;
mod barrier;
mod handle;
mod leadership;
mod membership;
mod propose;
mod status;

pub(crate) use admission::{Admission, Responder};
pub(crate) use barrier::{Barrier, RoundError};
pub use handle::GroupHandle;
pub(crate) use handle::GroupInner;
pub use leadership::GroupFailure;
pub(crate) use leadership::watch_leadership;
pub use status::{GroupStatus, Leadership, Members, Replication};
