//! What holds in every state of a group, said once: for tests, for the offline check, and for nodes that run.
//!
//! Each rule is checked row by row with a few look-ups around the row, so that a check may stop after any number of rows
//! and go on later in a newer state. What it says names a rule and never a row: it may be logged and counted.

mod digest;
pub(crate) mod pass;

use std::fmt;

pub use digest::digest;
pub use pass::{Pass, Progress};

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// Every row is of a table of its group, and decodes.
    RowsDecode,
    /// A conversation has a head, and a head a conversation.
    ConversationHasHead,
    /// Messages are numbered from 1 to the head's last one, without gaps.
    MessagesWithoutGap,
    /// Times do not go back from creation to the last message, whose time is the head's.
    TimesRise,
    /// A message's id leads to it, and every id to its message.
    MessageIdsLead,
    /// Authors and key sets of messages are among those of the conversation.
    NumbersInRange,
    /// Participants are numbered from 0 to the head's count, and each is found by its kid.
    ParticipantsNumbered,
    /// Key sets are numbered from 0 to the head's count.
    KeySetsNumbered,
    /// One genesis brought epoch, cluster version and placement policy, and nothing precedes it but staged pages.
    GenesisWhole,
    /// A node is filed under its id.
    NodesFiled,
    /// The epoch and its attempts have numbers that could have come about.
    EpochNumbers,
    /// An epoch under preparation has a list of fenced keys, and exactly its pages are frozen or staged.
    EpochUnderPreparation,
    /// Rows of leaf pages are of a generation that is in use, being prepared, or to be swept.
    PageGenerations,
    /// A key's parent exists and knows it; below a key that is not in use, only what is still to be fenced is in use.
    KeyParents,
    /// A fenced key is in the list of fences and has an erasure that is not over; an erased one has neither.
    KeyStates,
    /// A tenant's erasures are numbered from 0, and each is listed once.
    ErasuresListed,
    /// An erasure's counts and times belong to its state.
    ErasureLadder,
    /// A root is shared soundly, the current one is kept by enough, and each attempt under way has one.
    RootsShared,
    /// Of what is destroyed, nobody has enough shares, and no memory a root.
    DestroyedByAll,
    /// Whoever was granted a root is a node, and known to hold it.
    HoldersKnown,
    /// The transparency log has no gaps, and its frontier is that of its leaves.
    TransparencyLog,
}

impl Invariant {
    /// All of them.
    pub const ALL: &[Invariant] = &[
        Self::RowsDecode,
        Self::ConversationHasHead,
        Self::MessagesWithoutGap,
        Self::TimesRise,
        Self::MessageIdsLead,
        Self::NumbersInRange,
        Self::ParticipantsNumbered,
        Self::KeySetsNumbered,
        Self::GenesisWhole,
        Self::NodesFiled,
        Self::EpochNumbers,
        Self::EpochUnderPreparation,
        Self::PageGenerations,
        Self::KeyParents,
        Self::KeyStates,
        Self::ErasuresListed,
        Self::ErasureLadder,
        Self::RootsShared,
        Self::DestroyedByAll,
        Self::HoldersKnown,
        Self::TransparencyLog,
    ];

    /// Its name in metrics, logs and reports. Stable.
    pub fn name(self) -> &'static str {
        match self {
            Self::RowsDecode => "rows_decode",
            Self::ConversationHasHead => "conversation_has_head",
            Self::MessagesWithoutGap => "messages_without_gap",
            Self::TimesRise => "times_rise",
            Self::MessageIdsLead => "message_ids_lead",
            Self::NumbersInRange => "numbers_in_range",
            Self::ParticipantsNumbered => "participants_numbered",
            Self::KeySetsNumbered => "key_sets_numbered",
            Self::GenesisWhole => "genesis_whole",
            Self::NodesFiled => "nodes_filed",
            Self::EpochNumbers => "epoch_numbers",
            Self::EpochUnderPreparation => "epoch_under_preparation",
            Self::PageGenerations => "page_generations",
            Self::KeyParents => "key_parents",
            Self::KeyStates => "key_states",
            Self::ErasuresListed => "erasures_listed",
            Self::ErasureLadder => "erasure_ladder",
            Self::RootsShared => "roots_shared",
            Self::DestroyedByAll => "destroyed_by_all",
            Self::HoldersKnown => "holders_known",
            Self::TransparencyLog => "transparency_log",
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
