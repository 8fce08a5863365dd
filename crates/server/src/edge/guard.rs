//! Ends a stream that carries something of a conversation as soon as a key of the conversation is fenced here, with
//! everything that was opened for it and not handed on yet (erasure.md R5). The caller resumes behind the fence.

use std::sync::Arc;

use eunoe_core::control::{self, KeyState};
use eunoe_core::data;
use eunoe_raft::watch;
use eunoe_types::{ErrorCode, Fault, Kid, Retry};
use futures::stream::{BoxStream, Stream, StreamExt as _};

use super::cache::Known;
use super::tail::TailItem;
use super::{ApiError, ApiResult, Edge};

/// How long until a stream that was ended should be resumed.
const RESUME_AFTER_MS: u64 = 10;

/// Watches the keys of one conversation.
#[derive(Clone)]
pub(super) struct ErasureGuard {
    edge: Edge,
    known: Arc<Known>,
    /// Keys of the conversation that were not in use when the stream began.
    dead: usize,
    keys: watch::Receiver<u64>,
}

impl ErasureGuard {
    /// From now on. To be made before anything is opened for the stream.
    pub(super) fn new(edge: Edge, known: Arc<Known>) -> Self {
        let mut keys = edge.inner.hub.watch_keys();
        keys.mark_unchanged();
        let mut guard = Self {
            edge,
            known,
            dead: 0,
            keys,
        };
        // Counted after the watch began; a state that cannot be read ends the stream at the first event.
        guard.dead = guard.count_dead().unwrap_or(usize::MAX);
        guard
    }

    fn kids(&self) -> ApiResult<Vec<Kid>> {
        let id = self.known.id;
        let group = self.edge.inner.groups.of(&id);
        let people = group.with_view(|view| data::participants(view, &id))??;
        let mut kids: Vec<Kid> = people.into_iter().map(|row| row.kid).collect();
        kids.extend([self.known.principal, self.known.tenant(), id.kid()]);
        Ok(kids)
    }

    fn states(&self) -> ApiResult<Vec<Option<KeyState>>> {
        let kids = self.kids()?;
        let control = self.edge.inner.groups.control();
        let states = control.with_view(|view| {
            let state = |kid| Ok(control::key_state(view, kid)?.map(|row| row.state));
            kids.iter().map(state).collect::<Result<Vec<_>, Fault>>()
        });
        Ok(states??)
    }

    fn count_dead(&self) -> ApiResult<usize> {
        let in_use = |state: &Option<KeyState>| *state == Some(KeyState::Active);
        Ok(self.states()?.iter().filter(|state| !in_use(state)).count())
    }

    /// Whether a key of the conversation was fenced after a position of the control group, or may have been.
    pub(super) fn erased_after(&self, control_index: u64) -> ApiResult<bool> {
        Ok(self.states()?.into_iter().any(|state| match state {
            Some(KeyState::Active) => false,
            Some(KeyState::Fenced { index, .. }) => index > control_index,
            Some(KeyState::Erased { .. }) | None => true,
        }))
    }

    fn has_more_dead(&self) -> bool {
        self.count_dead().map_or(true, |dead| dead > self.dead)
    }

    /// Ends when a key of the conversation was fenced.
    pub(super) async fn reset(&mut self) -> ApiError {
        loop {
            if self.keys.changed().await.is_err() || self.has_more_dead() {
                return reset();
            }
        }
    }

    /// The stream without what was opened before a fence.
    pub(super) fn watch_over(
        self,
        events: impl Stream<Item = TailItem> + Send + 'static,
    ) -> BoxStream<'static, TailItem> {
        let guarded = events.scan((self, false), |(guard, ended), event| {
            if *ended {
                return std::future::ready(None);
            }
            let changed = guard.keys.has_changed().unwrap_or(true);
            guard.keys.mark_unchanged();
            if changed && guard.has_more_dead() {
                *ended = true;
                return std::future::ready(Some(Err(reset())));
            }
            std::future::ready(Some(event))
        });
        guarded.boxed()
    }
}

fn reset() -> ApiError {
    ApiError {
        retry: Retry::AfterMs(RESUME_AFTER_MS),
        ..ApiError::new(
            ErrorCode::Aborted,
            "ERASED_MEANWHILE",
            "something of the conversation was erased; resume from the last position",
        )
    }
}
