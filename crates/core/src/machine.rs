//! The contract between a machine and the log that feeds it.

use eunoe_types::{ConversationId, Fault, LogPosition};

use crate::Txn;

/// What applying one command gave.
#[derive(Debug, Default)]
pub struct Applied {
    /// The encoded reply to whoever proposed the command.
    pub reply: Vec<u8>,
    /// Hints for this node, in order.
    pub effects: Vec<Effect>,
}

/// A hint that something changed, so that waiting tasks look at the state again.
///
/// Effects are only hints: whoever acts on them reconciles with applied state, and does the same after a
/// snapshot install and a restart, where no effect is ever emitted (erasure.md R4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The conversation has a new message or a new state.
    ConversationChanged(ConversationId),
    /// The control group's rules, keys or members changed.
    ControlChanged,
}

/// A deterministic state machine over one group's rows.
///
/// ### To ensure correctness
///
/// - The same rows, position and command give the same writes, reply and effects, on every node and release
///   of the same cluster version.
/// - Every command gets a reply. One that does not decode was not written by this project: a fault.
/// - Keys that begin with byte 0 belong to the store; a machine never touches them.
pub trait Machine: Send + Sync + 'static {
    /// Applies `command`, committed at `at`.
    fn apply(&self, txn: &mut Txn<'_>, at: LogPosition, command: &[u8]) -> Result<Applied, Fault>;
}
