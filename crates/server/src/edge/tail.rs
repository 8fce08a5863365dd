//! Tails: what comes after a position, each message once and in order, from this node's applied state. A tail that
//! ends is resumed from its last position, on any node.

use std::time::Duration;

use eunoe_core::data::{self, ConversationState};
use eunoe_types::{ConversationId, Fault, Seq, TenantId, TimeMs};
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use futures::stream::BoxStream;

use super::guard::ErasureGuard;
use super::hub::Listener;
use super::opening::{ParticipantView, SealedPage};
use super::read::read_page;
use super::{ApiError, ApiResult, ConversationName, Edge, MessageView, Position, Reader, TypingNotice};

/// Messages read at a time.
const PAGE: usize = 128;
/// Events that wait for a slow caller; then the tail waits as well.
const BUFFER: usize = 64;
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
    out: mpsc::Sender<TailItem>,
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
        let (out, events) = mpsc::channel(BUFFER);
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
            out,
        };
        tokio::spawn(tail.run());
        Ok(guard.watch_over(ReceiverStream::new(events)))
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
        let out = self.out.clone();
        let ended = tokio::select! {
            biased;
            ended = self.follow() => ended,
            () = stopping.cancelled() => Err(ApiError::unavailable("STOPPING", "this node is stopping; resume elsewhere")),
        };
        if let Err(error) = ended {
            // A caller that is gone needs no reason.
            let _gone = out.send(Err(error)).await;
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
                    true => read_page(view, &id, (from, head.last_seq), false, PAGE)?,
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
            for message in self.edge.open_page(&id, page)? {
                self.last = message.seq;
                if let Some(ended) = self.send(TailEvent::Message(Box::new(message))).await? {
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
        let position = self.edge.position(self.last)?;
        Ok(self.out.send(Ok((event, position))).await.err().map(|_| Ended))
    }
}

fn closed_since(state: ConversationState) -> Option<TimeMs> {
    match state {
        ConversationState::Open => None,
        ConversationState::Closed(time) => Some(time),
    }
}
