//! Reading messages: linearizable, opened after the control barrier.

use std::collections::HashSet;
use std::sync::Arc;

use eunoe_core::StateView;
use eunoe_core::data::{self, ParticipantKind};
use eunoe_custody::Tenant;
use eunoe_types::{ConversationId, Fault, MessageId, Seq, TenantId, TimeMs, limits};

use super::cache::{Known, absent};
use super::opening::SealedPage;
use super::tokens::MessagesPage;
use super::{ApiError, ApiResult, ConversationName, Edge, MessageView, Position, Reader};

/// How a caller names a message.
pub enum MessageRef {
    /// By its id.
    Id(MessageId),
    /// By its place.
    Seq(Seq),
}

/// Where the first page starts.
pub enum PageStart {
    /// At the first message, backward at the last.
    End,
    /// At this message.
    Seq(Seq),
    /// Forward at the first message at or after this time, backward at the last one at or before it.
    Time(TimeMs),
    /// Where the page before said.
    Token(String),
}

/// What page is asked for.
pub struct PageRequest {
    /// Newest first.
    pub backward: bool,
    /// Where.
    pub start: PageStart,
    /// Messages at most.
    pub size: usize,
}

/// A page of messages.
pub struct MessagePage {
    /// In the order asked for.
    pub messages: Vec<MessageView>,
    /// Token of the next page; none on the last.
    pub next: Option<String>,
    /// The last message of the conversation.
    pub head: Seq,
    /// Resume point for a tail after the newest message of this page.
    pub position: Position,
}

impl Edge {
    /// One message.
    pub async fn message(
        &self,
        tenant: &TenantId,
        reader: &Reader,
        name: &ConversationName,
        message: &MessageRef,
        purpose: &str,
    ) -> ApiResult<MessageView> {
        let known = self.readable(tenant, reader, name, purpose).await?;
        let id = known.id;
        let page = self.inner.groups.of(&id).with_view(|view| {
            let seq = match message {
                MessageRef::Seq(seq) => Some(*seq),
                MessageRef::Id(message) => data::message_seq(view, &id, message)?,
            };
            seq.map_or(Ok(SealedPage::default()), |seq| {
                read_page(view, &id, (seq, seq), false, Size::page(1))
            })
        })??;
        let message = self.open_page(&id, page)?.pop();
        message.ok_or_else(|| ApiError::not_found("message", "no such message in this conversation"))
    }

    /// A page of messages.
    pub async fn messages(
        &self,
        tenant: &TenantId,
        reader: &Reader,
        name: &ConversationName,
        purpose: &str,
        request: PageRequest,
    ) -> ApiResult<MessagePage> {
        let token = match &request.start {
            PageStart::Token(token) => Some(MessagesPage::decode(token)?),
            PageStart::End | PageStart::Seq(_) | PageStart::Time(_) => None,
        };
        let known = self.readable(tenant, reader, name, purpose).await?;
        let id = known.id;
        if token.is_some_and(|token| (token.conversation, token.backward) != (id, request.backward)) {
            return Err(ApiError::invalid(
                "page_token",
                "must come with the fields of the request it answers",
            ));
        }
        let (head, sealed) = self.inner.groups.of(&id).with_view(|view| {
            let head = data::head(view, &id)?.map_or(Seq(0), |head| head.last_seq);
            let start = match (&request.start, token) {
                (_, Some(token)) => token.from,
                (PageStart::Seq(seq), None) => *seq,
                (PageStart::Time(time), None) => start_at(view, &id, *time, head, request.backward)?,
                (PageStart::End | PageStart::Token(_), None) if request.backward => head,
                (PageStart::End | PageStart::Token(_), None) => Seq(1),
            };
            let range = if request.backward {
                (Seq(1), start.min(head))
            } else {
                (start.max(Seq(1)), head)
            };
            let page = if range.0 > range.1 {
                SealedPage::default()
            } else {
                read_page(view, &id, range, request.backward, Size::page(request.size))?
            };
            Ok::<_, Fault>((head, page))
        })??;
        self.page(&id, head, sealed, request.backward)
    }

    fn page(
        &self,
        id: &ConversationId,
        head: Seq,
        sealed: SealedPage,
        backward: bool,
    ) -> ApiResult<MessagePage> {
        let seqs = || sealed.messages.iter().map(|(seq, _)| *seq);
        let newest = seqs().max().unwrap_or(Seq(0));
        let next = match seqs().next_back() {
            Some(last) if backward && last > Seq(1) => Some(Seq(last.0 - 1)),
            Some(last) if !backward && last < head => Some(Seq(last.0 + 1)),
            Some(_) | None => None,
        };
        let next = next.map(|from| {
            MessagesPage {
                conversation: *id,
                backward,
                from,
            }
            .encode()
        });
        let position = self.position(newest)?;
        Ok(MessagePage {
            messages: self.open_page(id, sealed)?,
            next,
            head,
            position,
        })
    }

    /// A conversation that may be read for `purpose`, with both barriers passed: everything that was acknowledged
    /// before the call is seen, and every rule that was in effect before the call is known.
    pub(super) async fn readable(
        &self,
        tenant: &TenantId,
        reader: &Reader,
        name: &ConversationName,
        purpose: &str,
    ) -> ApiResult<Arc<Known>> {
        let tenant = self.known_tenant(tenant).await?;
        let id = self.resolve(&tenant, name).await.map_err(|error| match reader {
            Reader::Tenant => error,
            // The field must not tell a reference that nobody uses from one that is not for this person.
            Reader::Participant(_) | Reader::Visitor(_) => ApiError {
                field: error.field.as_ref().map(|_| "conversation".into()),
                ..error
            },
        })?;
        self.barriers(&id).await?;
        let known = self.conversation(&tenant, &id, "conversation").await?;
        if !self.may_read(&tenant, reader, &id)? {
            return Err(absent("conversation"));
        }
        known.purpose(purpose)?;
        Ok(known)
    }

    /// Whether `reader` may read a conversation of its tenant, as far as this node's state knows: pass the
    /// barriers before.
    pub(super) fn may_read(&self, tenant: &Tenant, reader: &Reader, id: &ConversationId) -> ApiResult<bool> {
        let (subject, visitors_only) = match reader {
            Reader::Tenant => return Ok(true),
            Reader::Participant(subject) => (subject, false),
            Reader::Visitor(subject) => (subject, true),
        };
        let Some(kid) = self.inner.keys.present_subject(tenant, subject)? else {
            return Ok(false);
        };
        let row = self.inner.groups.of(id).with_view(|view| {
            let number = data::participant_number(view, id, &kid)?;
            number.map_or(Ok(None), |number| data::participant(view, id, number))
        })??;
        Ok(row.is_some_and(|row| !visitors_only || row.kind == ParticipantKind::Visitor))
    }

    /// The id of a conversation.
    pub(super) async fn resolve(
        &self,
        tenant: &Tenant,
        name: &ConversationName,
    ) -> ApiResult<ConversationId> {
        let reference = match name {
            ConversationName::Id(id) => return Ok(*id),
            ConversationName::ExternalRef(reference) => super::conversations::by_external_ref(reference),
        };
        if let Some(id) = self.inner.keys.known_conversation(tenant, &reference)? {
            return Ok(id);
        }
        self.inner.keys.barrier().await?;
        let id = self.inner.keys.known_conversation(tenant, &reference)?;
        id.ok_or_else(|| absent("conversation.external_ref"))
    }
}

fn start_at(
    view: &dyn StateView,
    id: &ConversationId,
    time: TimeMs,
    head: Seq,
    backward: bool,
) -> Result<Seq, Fault> {
    if !backward {
        return data::seq_at_time(view, id, time, head);
    }
    // The last at or before a time stands in front of the first after it.
    let after = data::seq_at_time(view, id, TimeMs(time.0.saturating_add(1)), head)?;
    Ok(Seq(after.0 - 1))
}

/// How much is read at once. One message is, whatever its size.
#[derive(Clone, Copy)]
pub(super) struct Size {
    /// Messages at most.
    pub(super) rows: usize,
    /// Bytes of their rows at most.
    pub(super) bytes: usize,
}

impl Size {
    fn page(rows: usize) -> Self {
        Self {
            rows,
            bytes: limits::PAGE_BYTES_MAX,
        }
    }
}

/// Messages of `[from, to]` with the rows that they refer to.
pub(super) fn read_page(
    view: &dyn StateView,
    id: &ConversationId,
    range: (Seq, Seq),
    backward: bool,
    size: Size,
) -> Result<SealedPage, Fault> {
    let messages = data::messages(view, id, range, backward, size.rows, size.bytes)?;
    let mut page = SealedPage {
        messages,
        ..SealedPage::default()
    };
    let authors: HashSet<u32> = page.messages.iter().map(|(_, row)| row.participant).collect();
    for number in authors {
        if let Some(row) = data::participant(view, id, number)? {
            page.participants.insert(number, row);
        }
    }
    let sections = page.messages.iter().flat_map(|(_, row)| &row.sections);
    let sets: HashSet<u32> = sections.map(|section| section.key_set).collect();
    for number in sets {
        if let Some(row) = data::key_set(view, id, number)? {
            page.key_sets.insert(number, row);
        }
    }
    Ok(page)
}
