//! Opening what was read. The caller has passed the control barrier; a part whose key is gone keeps its place and
//! shows nothing.

use std::collections::HashMap;

use eunoe_core::data::{KeySetRow, MessageRow, ParticipantKind, ParticipantRow};
use eunoe_crypto::{KeyRefs, MessageAad, SecretBytes, open};
use eunoe_types::{ConversationId, Decoder, Fault, MessageId, Seq, TimeMs};

use super::content::{self, PartContent, ROW_PARTICIPANT};
use super::{ApiResult, Edge};

/// Something that may have been erased.
#[derive(Clone, PartialEq, Eq)]
pub enum Opened<T> {
    /// Readable.
    Ok(T),
    /// A key it needs is gone.
    Erased,
}

impl<T> Opened<T> {
    /// The readable content.
    pub fn ok(self) -> Option<T> {
        match self {
            Self::Ok(content) => Some(content),
            Self::Erased => None,
        }
    }

    fn map<U>(self, map: impl FnOnce(T) -> ApiResult<U>) -> ApiResult<Opened<U>> {
        Ok(match self {
            Self::Ok(content) => Opened::Ok(map(content)?),
            Self::Erased => Opened::Erased,
        })
    }
}

/// Somebody who takes part.
#[derive(Clone)]
pub struct ParticipantView {
    /// The reference.
    pub subject: Opened<String>,
    /// The role.
    pub kind: ParticipantKind,
}

/// A part of a message.
pub struct PartView {
    /// What it says.
    pub content: Opened<PartContent>,
    /// Whom else it is about.
    pub about: Vec<String>,
}

/// A message.
pub struct MessageView {
    /// Its id.
    pub id: MessageId,
    /// Its place.
    pub seq: Seq,
    /// Its time.
    pub time: TimeMs,
    /// Who wrote it.
    pub author: ParticipantView,
    /// Its parts. A message with nothing readable shows none.
    pub parts: Vec<PartView>,
}

/// What was read of a group's state, still sealed.
#[derive(Default)]
pub(super) struct SealedPage {
    pub(super) messages: Vec<(Seq, MessageRow)>,
    pub(super) participants: HashMap<u32, ParticipantRow>,
    pub(super) key_sets: HashMap<u32, KeySetRow>,
}

impl Edge {
    /// Opens a page.
    pub(super) fn open_page(&self, id: &ConversationId, page: SealedPage) -> ApiResult<Vec<MessageView>> {
        let mut authors = HashMap::with_capacity(page.participants.len());
        for (number, row) in &page.participants {
            authors.insert(*number, self.open_participant(id, row)?);
        }
        let sets = page
            .key_sets
            .iter()
            .map(|(number, row)| {
                let refs = KeyRefs::decode(&mut Decoder::new(&row.refs)).map_err(Fault::from)?;
                Ok((*number, (row, refs)))
            })
            .collect::<ApiResult<HashMap<_, _>>>()?;
        let open = |(seq, row): &(Seq, MessageRow)| {
            let author = authors.get(&row.participant).cloned();
            let author = author.ok_or_else(|| Fault::broken("a message's author is missing"))?;
            let parts = self.open_parts(id, row, &sets)?;
            Ok(MessageView {
                id: row.id,
                seq: *seq,
                time: row.time,
                author,
                parts,
            })
        };
        page.messages.iter().map(open).collect()
    }

    fn open_parts(
        &self,
        id: &ConversationId,
        row: &MessageRow,
        sets: &HashMap<u32, (&KeySetRow, KeyRefs)>,
    ) -> ApiResult<Vec<PartView>> {
        let realm = self.inner.keys.unsealed()?.realm();
        let mut parts: Vec<Option<PartView>> = Vec::new();
        let mut some_erased = false;
        for (number, section) in (0u8..).zip(&row.sections) {
            let (set, refs) = sets
                .get(&section.key_set)
                .ok_or_else(|| Fault::broken("a message's key set is missing"))?;
            let place = MessageAad {
                realm,
                conversation: *id,
                message: row.id,
                envelope: number,
                day: set.day,
            };
            let Some(key) = self.inner.keys.content_key(refs)? else {
                some_erased = true;
                continue;
            };
            let content = open(&key, &place, &section.envelope).map_err(unopened)?;
            for (at, part) in content::decode_section(&content).map_err(Fault::from)? {
                let at = usize::from(at);
                if parts.len() <= at {
                    parts.resize_with(at + 1, || None);
                }
                parts[at] = Some(PartView {
                    content: Opened::Ok(part.content),
                    about: part.about,
                });
            }
        }
        let erased = || PartView {
            content: Opened::Erased,
            about: Vec::new(),
        };
        let all_opened = parts.iter().all(Option::is_some);
        let mut parts: Vec<PartView> = parts
            .into_iter()
            .map(|part| part.unwrap_or_else(erased))
            .collect();
        if some_erased && all_opened && !parts.is_empty() {
            // The last parts of the message are erased; how many they were died with them.
            parts.push(erased());
        }
        Ok(parts)
    }

    /// A participant's reference.
    pub(super) fn open_participant(
        &self,
        id: &ConversationId,
        row: &ParticipantRow,
    ) -> ApiResult<ParticipantView> {
        let opened = self.open_row(id, ROW_PARTICIPANT, &row.sealed)?;
        let subject = opened.map(|content| Ok(content::decode_reference(&content).map_err(Fault::from)?))?;
        Ok(ParticipantView {
            subject,
            kind: row.kind,
        })
    }

    /// A sealed row of a conversation.
    pub(super) fn open_row(
        &self,
        id: &ConversationId,
        row: u8,
        sealed: &[u8],
    ) -> ApiResult<Opened<SecretBytes>> {
        let (refs, envelope) = content::split_row(sealed).map_err(Fault::from)?;
        let Some(key) = self.inner.keys.content_key(&refs)? else {
            return Ok(Opened::Erased);
        };
        Ok(Opened::Ok(
            open(&key, &self.row_place(id, row)?, envelope).map_err(unopened)?,
        ))
    }
}

/// The key is there and does not open it: stored bytes are damaged, never a reason to show less in silence.
fn unopened(error: eunoe_crypto::OpenError) -> Fault {
    Fault::broken(format!("a sealed content does not open: {error}"))
}
