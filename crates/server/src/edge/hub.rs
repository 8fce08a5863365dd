//! Tells waiting tails on this node that a conversation changed. Only hints: a tail reads what is there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eunoe_core::Effect;
use eunoe_raft::watch;
use eunoe_types::{ConversationId, GroupId};
use tokio::sync::broadcast;

use eunoe_raft::StateObserver;

/// Typing notices that a slow tail may lag behind before it misses some.
const TYPING_BUFFER: usize = 16;

/// That somebody types: a participant's number, no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypingNotice {
    /// Number of the participant.
    pub participant: u32,
    /// Whether they type, or stopped.
    pub active: bool,
}

struct Channels {
    changed: watch::Sender<()>,
    typing: broadcast::Sender<TypingNotice>,
    listeners: usize,
}

/// The tails of this node.
#[derive(Default)]
pub struct Hub {
    conversations: Mutex<HashMap<ConversationId, Channels>>,
    /// Counts changes of what keys open.
    keys: watch::Sender<u64>,
}

/// What one tail listens to.
pub(super) struct Listener {
    hub: Arc<Hub>,
    id: ConversationId,
    /// Changes when the conversation may have.
    pub(super) changed: watch::Receiver<()>,
    /// Who types.
    pub(super) typing: broadcast::Receiver<TypingNotice>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut conversations = self.hub.lock();
        if let Some(channels) = conversations.get_mut(&self.id) {
            channels.listeners -= 1;
            if channels.listeners == 0 {
                conversations.remove(&self.id);
            }
        }
    }
}

impl Hub {
    fn lock(&self) -> MutexGuard<'_, HashMap<ConversationId, Channels>> {
        self.conversations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens from now on. Read the state after this call, or a change is missed.
    pub(super) fn listen(self: &Arc<Self>, id: ConversationId) -> Listener {
        let mut conversations = self.lock();
        let channels = conversations.entry(id).or_insert_with(|| Channels {
            changed: watch::Sender::new(()),
            typing: broadcast::Sender::new(TYPING_BUFFER),
            listeners: 0,
        });
        channels.listeners += 1;
        Listener {
            hub: Arc::clone(self),
            id,
            changed: channels.changed.subscribe(),
            typing: channels.typing.subscribe(),
        }
    }

    /// Passes a typing notice to the tails of a conversation.
    pub fn typing(&self, id: &ConversationId, notice: TypingNotice) {
        if let Some(channels) = self.lock().get(id) {
            // Nobody may be listening any more.
            let _listeners = channels.typing.send(notice);
        }
    }

    /// Says that keys were fenced, changed or forgotten.
    pub fn keys_changed(&self) {
        self.keys.send_modify(|count| *count += 1);
    }

    /// Changes of what keys open.
    pub fn watch_keys(&self) -> watch::Receiver<u64> {
        self.keys.subscribe()
    }

    fn wake(&self, changed: impl IntoIterator<Item = ConversationId>) {
        let conversations = self.lock();
        if conversations.is_empty() {
            return;
        }
        for id in changed {
            if let Some(channels) = conversations.get(&id) {
                channels.changed.send_replace(());
            }
        }
    }

    fn wake_all(&self) {
        self.lock().values().for_each(|channels| {
            channels.changed.send_replace(());
        });
    }
}

impl StateObserver for Hub {
    fn applied(&self, _group: GroupId, effects: &[Effect]) {
        self.wake(effects.iter().filter_map(|effect| match effect {
            Effect::ConversationChanged(id) => Some(*id),
            Effect::ControlChanged => None,
        }));
    }

    fn replacing(&self, _group: GroupId) {}

    fn replaced(&self, _group: GroupId) {
        self.wake_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_hears_its_conversation_and_leaves_nothing_behind() {
        let hub = Arc::new(Hub::default());
        let (one, two) = (ConversationId([1; 16]), ConversationId([2; 16]));
        let mut listener = hub.listen(one);
        let second = hub.listen(one);
        hub.applied(GroupId(1), &[Effect::ConversationChanged(two)]);
        assert!(!listener.changed.has_changed().expect("the hub lives"));
        hub.applied(GroupId(1), &[Effect::ConversationChanged(one)]);
        assert!(listener.changed.has_changed().expect("the hub lives"));
        hub.typing(
            &one,
            TypingNotice {
                participant: 3,
                active: true,
            },
        );
        assert_eq!(listener.typing.try_recv().map(|notice| notice.participant), Ok(3));
        drop(second);
        drop(listener);
        assert!(hub.lock().is_empty());
    }
}
