//! Tails: what comes after a position, each message once and in order, from this node's applied state. A tail that
//! ends is resumed from its last position, on any node.

use std::sync::Arc;
use std::time::Duration;

use eunoe_core::data::{self, ConversationState, MessageRow};
use eunoe_types::{ConversationId, Fault, Seq, TenantId, TimeMs};
use futures::stream::{BoxStream, StreamExt as _};
use tokio::sync::broadcast;

use super::guard::ErasureGuard;
use super::hub::Listener;
use super::opening::{ParticipantView, SealedPage};
use super::outbox::{Gone, Outbox, outbox};
use super::places::TailPlace;
use super::read::{Size, read_page};
use super::{ApiError, ApiResult, ConversationName, Edge, MessageView, Position, Reader, TypingNotice};

/// What is read and opened at a time: a tail that waits for its caller keeps the rest of it.
const RUN: Size = Size {
    rows: 128,
    bytes: 128 * 1024,
};
/// Bytes of a message's frame in memory, beside its content.
const FRAME_BYTES: usize = 256;
/// Silence after which a sign of life is sent.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Where a tail begins.
pub enum TailStart {
    /// After the present last message.
    Now,
    /// After this message.
    After(Seq),
    /// After this position.
    Position(String),
}

/// What a tail tells.
pub enum TailEvent {
    /// The next message.
    Message(Box<MessageView>),
    /// Nothing comes any more.
    Closed(TimeMs),
    /// Something of the conversation was erased since the position that the tail began at.
    Erased,
    /// Somebody types.
    Typing(ParticipantView, bool),
    /// Nothing happened for a while.
    Heartbeat,
}

/// An event and the position after it.
pub(super) type TailItem = ApiResult<(TailEvent, Position)>;

struct Tail {
    edge: Edge,
    id: ConversationId,
    listener: Listener,
    /// The last message that was sent.
    last: Seq,
    /// Something was erased between the position that the tail began at and the tail.
    missed_erasure: bool,
    guard: ErasureGuard,
    out: Arc<Outbox<TailItem>>,
    /// Also held by the stream, which may outlast the tail with what waits in it.
    _place: Arc<TailPlace>,
}

/// Why a tail ended without an error: the caller went, or nothing comes any more.
struct Ended;

impl Edge {
    /// Follows a conversation.
    pub async fn tail(
        &self,
        tenant: &TenantId,
        reader: &Reader,
        name: &ConversationName,
        purpose: &str,
        start: TailStart,
    ) -> ApiResult<BoxStream<'static, TailItem>> {
        let place = Arc::new(self.inner.tails.take(tenant, reader)?);
        let known = self.readable(tenant, reader, name, purpose).await?;
        let id = known.id;
        let listener = self.inner.hub.listen(id);
        let head = self
            .inner
            .groups
            .of(&id)
            .with_view(|view| data::head(view, &id))??;
        let head = head.map_or(Seq(0), |head| head.last_seq);
        let mut position = None;
        let last = match start {
            TailStart::Now => head,
            TailStart::After(seq) if seq > head => {
                return Err(ApiError::invalid(
                    "after_seq",
                    "must not be beyond the last message",
                ));
            }
            TailStart::After(seq) => seq,
            TailStart::Position(token) => {
                let resumed = self.resume(&token, head)?;
                position = Some(resumed);
                resumed.seq
            }
        };
        let (out, events) = outbox();
        let guard = ErasureGuard::new(self.clone(), known)?;
        let missed = match position {
            Some(at) => guard.erased_after(at.control_index)?,
            None => false,
        };
        let tail = Tail {
            edge: self.clone(),
            id,
            listener,
            last,
            missed_erasure: missed,
            guard: guard.clone(),
            out: Arc::new(out),
            _place: Arc::clone(&place),
        };
        tokio::spawn(tail.run());
        let held = events.map(move |event| {
            let _until_the_stream_ends = &place;
            event
        });
        Ok(guard.watch_over(held))
    }

    fn resume(&self, token: &str, head: Seq) -> ApiResult<Position> {
        let position = Position::decode(token, "position")?;
        if position.incarnation != self.incarnation()? {
            let message = "the data was restored since this position was given; read again";
            return Err(ApiError::precondition("OTHER_INCARNATION", message));
        }
        if position.seq > head {
            return Err(ApiError::invalid("position", "must belong to this conversation"));
        }
        Ok(position)
    }
}

impl Tail {
    async fn run(mut self) {
        let stopping = self.edge.inner.stopping.clone();
        let out = Arc::clone(&self.out);
        let ended = tokio::select! {
            biased;
            ended = self.follow() => ended,
            () = stopping.cancelled() => Err(ApiError::stopping()),
        };
        if let Err(error) = ended {
            // A caller that is gone needs no reason.
            let _gone = out.send(Err(error), 0).await;
        }
    }

    async fn follow(&mut self) -> ApiResult<()> {
        if self.missed_erasure
            && let Some(Ended) = self.send(TailEvent::Erased).await?
        {
            return Ok(());
        }
        loop {
            self.listener.changed.mark_unchanged();
            if let Some(Ended) = self.send_new().await? {
                return Ok(());
            }
            if let Some(Ended) = self.wait().await? {
                return Ok(());
            }
        }
    }

    /// Sends everything that is there, page by page.
    async fn send_new(&mut self) -> ApiResult<Option<Ended>> {
        loop {
            let (id, from) = (self.id, Seq(self.last.0 + 1));
            let (page, closed) = self.edge.inner.groups.of(&id).with_view(|view| {
                let Some(head) = data::head(view, &id)? else {
                    return Ok::<_, Fault>((SealedPage::default(), None));
                };
                let page = match head.last_seq >= from {
                    true => read_page(view, &id, (from, head.last_seq), false, RUN)?,
                    false => SealedPage::default(),
                };
                Ok((page, closed_since(head.state)))
            })??;
            if page.messages.is_empty() {
                return match closed {
                    Some(time) => {
                        self.send(TailEvent::Closed(time)).await?;
                        Ok(Some(Ended))
                    }
                    None => Ok(None),
                };
            }
            // Before anything is opened: rules that are in effect now count for it.
            self.edge.inner.keys.barrier().await?;
            let sizes: Vec<usize> = page.messages.iter().map(|(_, row)| size(row)).collect();
            for (message, bytes) in self.edge.open_page(&id, page)?.into_iter().zip(sizes) {
                self.last = message.seq;
                let event = TailEvent::Message(Box::new(message));
                if let Some(ended) = self.send_sized(event, bytes).await? {
                    return Ok(Some(ended));
                }
            }
        }
    }

    async fn wait(&mut self) -> ApiResult<Option<Ended>> {
        loop {
            let event = tokio::select! {
                biased;
                reset = self.guard.reset() => return Err(reset),
                changed = self.listener.changed.changed() => return Ok(changed.err().map(|_| Ended)),
                () = self.out.closed() => return Ok(Some(Ended)),
                typing = self.listener.typing.recv() => match typing {
                    Ok(notice) => self.typing(notice).await?,
                    Err(broadcast::error::RecvError::Lagged(_)) => None,
                    Err(broadcast::error::RecvError::Closed) => return Ok(Some(Ended)),
                },
                () = tokio::time::sleep(HEARTBEAT) => Some(TailEvent::Heartbeat),
            };
            if let Some(event) = event
                && let Some(ended) = self.send(event).await?
            {
                return Ok(Some(ended));
            }
        }
    }

    async fn typing(&self, notice: TypingNotice) -> ApiResult<Option<TailEvent>> {
        let group = self.edge.inner.groups.of(&self.id);
        let row = group.with_view(|view| data::participant(view, &self.id, notice.participant))??;
        // Somebody whom this node does not know yet: the notice is lost, as notices may be.
        let Some(row) = row else { return Ok(None) };
        self.edge.inner.keys.barrier().await?;
        Ok(Some(TailEvent::Typing(
            self.edge.open_participant(&self.id, &row)?,
            notice.active,
        )))
    }

    async fn send(&self, event: TailEvent) -> ApiResult<Option<Ended>> {
        self.send_sized(event, 0).await
    }

    async fn send_sized(&self, event: TailEvent, bytes: usize) -> ApiResult<Option<Ended>> {
        let position = self.edge.position(self.last)?;
        let sent = self.out.send(Ok((event, position)), bytes).await;
        Ok(sent.err().map(|Gone| Ended))
    }
}

/// Bytes that a message takes when it is opened, at most: its content is not longer than its envelopes.
fn size(row: &MessageRow) -> usize {
    let sections = row.sections.iter().map(|section| section.envelope.len());
    FRAME_BYTES + sections.sum::<usize>()
}

fn closed_since(state: ConversationState) -> Option<TimeMs> {
    match state {
        ConversationState::Open => None,
        ConversationState::Closed(time) => Some(time),
    }
}
