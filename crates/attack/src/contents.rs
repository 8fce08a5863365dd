//! Everything sealed that people wrote or are named by, and which keys it needs.

use std::collections::{BTreeMap, BTreeSet};

use eunoe_core::data::{Append, CreateConversation, KeySetRef, NewParticipant, ParticipantRef};
use eunoe_core::{StateView, data};
use eunoe_types::{ConversationId, Day, Fault, MessageId, Seq};

/// A day and the stored form of key refs.
pub(crate) type KeySet = (Day, Vec<u8>);

/// The keys of a section, as far as it says them itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Keys {
    /// By number among the conversation's.
    Numbered(u32),
    /// In full.
    Given(KeySet),
}

/// A sealed section of a message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Section {
    pub(crate) keys: Keys,
    pub(crate) envelope: Vec<u8>,
}

/// The sealed forms of each section of a message: a repeated request may have been sealed twice.
pub(crate) type Message = BTreeMap<u8, BTreeSet<Section>>;

/// What was found of a conversation.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    pub(crate) numbered: BTreeMap<u32, KeySet>,
    pub(crate) key_sets: BTreeSet<KeySet>,
    /// Title and reference, each sealed form.
    pub(crate) namings: BTreeSet<Vec<u8>>,
    /// References of participants.
    pub(crate) participants: BTreeSet<Vec<u8>>,
    pub(crate) messages: BTreeMap<MessageId, Message>,
}

/// All conversations that were found.
#[derive(Debug, Default)]
pub struct Contents {
    pub(crate) conversations: BTreeMap<ConversationId, Conversation>,
}

impl Conversation {
    /// The key sets that a section may have been sealed under: its own if it is known, else all that are.
    pub(crate) fn key_sets_of(&self, section: &Section) -> Vec<&KeySet> {
        let own = match &section.keys {
            Keys::Given(set) => self.key_sets.get(set),
            Keys::Numbered(number) => self.numbered.get(number),
        };
        own.map_or_else(|| self.key_sets.iter().collect(), |set| vec![set])
    }
}

impl Contents {
    /// How many messages there are.
    pub fn messages(&self) -> usize {
        let messages = |conversation: &Conversation| conversation.messages.len();
        self.conversations.values().map(messages).sum()
    }

    fn conversation(&mut self, id: ConversationId) -> &mut Conversation {
        self.conversations.entry(id).or_default()
    }

    pub(crate) fn take_create(&mut self, create: &CreateConversation<'_>) {
        let conversation = self.conversation(create.id);
        conversation.namings.insert(create.sealed.to_vec());
        for participant in &create.participants {
            conversation.take_participant(participant);
        }
    }

    pub(crate) fn take_append(&mut self, append: &Append<'_>) {
        let conversation = self.conversation(append.conversation);
        if let ParticipantRef::New(participant) = &append.author {
            conversation.take_participant(participant);
        }
        for (place, section) in (0..).zip(&append.sections) {
            let keys = match &section.keys {
                KeySetRef::Number(number) => Keys::Numbered(*number),
                KeySetRef::Inline { day, refs, .. } => {
                    let set = (*day, refs.to_vec());
                    conversation.key_sets.insert(set.clone());
                    Keys::Given(set)
                }
            };
            let section = Section {
                keys,
                envelope: section.envelope.to_vec(),
            };
            let message = conversation.messages.entry(append.id).or_default();
            message.entry(place).or_default().insert(section);
        }
    }

    /// Takes all that a data group's state has of a conversation.
    pub(crate) fn take_state(&mut self, view: &dyn StateView, id: ConversationId) -> Result<(), Fault> {
        let conversation = self.conversation(id);
        if let Some(row) = data::conversation(view, &id)? {
            conversation.namings.insert(row.sealed);
        }
        for participant in data::participants(view, &id)? {
            conversation.participants.insert(participant.sealed);
        }
        let key_sets = data::head(view, &id)?.map_or(0, |head| head.key_sets);
        for number in 0..key_sets {
            if let Some(row) = data::key_set(view, &id, number)? {
                let set = (row.day, row.refs);
                conversation.key_sets.insert(set.clone());
                conversation.numbered.insert(number, set);
            }
        }
        let all = (Seq(1), Seq(u64::MAX));
        for (_, row) in data::messages(view, &id, all, false, usize::MAX, usize::MAX)? {
            let message = conversation.messages.entry(row.id).or_default();
            for (place, section) in (0..).zip(row.sections) {
                let section = Section {
                    keys: Keys::Numbered(section.key_set),
                    envelope: section.envelope,
                };
                message.entry(place).or_default().insert(section);
            }
        }
        Ok(())
    }
}

impl Conversation {
    fn take_participant(&mut self, participant: &NewParticipant<'_>) {
        self.participants.insert(participant.sealed.to_vec());
    }
}
