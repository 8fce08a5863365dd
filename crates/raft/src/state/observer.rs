//! Who is told about changes of state on this node.

use eunoe_core::Effect;
use eunoe_types::GroupId;

/// Told what the machines did on this node.
///
/// All of it is hints (erasure.md R4): whoever acts on them reconciles with applied state. The calls come from the
/// group's task, in order, and must not block.
pub trait StateObserver: Send + Sync + 'static {
    /// The commands of a batch were applied and committed, and gave these effects. Nobody who waits for their position
    /// goes on, and no reply is sent, before this returns.
    fn applied(&self, group: GroupId, effects: &[Effect]);

    /// The state is about to be replaced by a snapshot: what was derived from it must be dropped now, before
    /// anybody can see the new state.
    fn replacing(&self, group: GroupId);

    /// The state was replaced by a snapshot. No effects will come for what it holds.
    fn replaced(&self, group: GroupId);
}

/// Effects without the rest: for those who derive nothing that a snapshot could make wrong.
impl<F: Fn(GroupId, &[Effect]) + Send + Sync + 'static> StateObserver for F {
    fn applied(&self, group: GroupId, effects: &[Effect]) {
        self(group, effects);
    }

    fn replacing(&self, _group: GroupId) {}

    fn replaced(&self, _group: GroupId) {}
}
