//! Ends a stream that carries something of a conversation as soon as a key is fenced here that something of the
//! conversation was sealed under, with everything that was opened for it and not handed on yet (erasure.md R5). The
//! caller resumes behind the fence.

use std::collections::BTreeSet;
use std::sync::Arc;

use eunoe_core::StateView;
use eunoe_core::control::{self, FencedKey, KeyState};
use eunoe_core::data;
use eunoe_crypto::{KeyKind, KeyRefs};
use eunoe_raft::watch;
use eunoe_types::{ConversationId, Decoder, ErrorCode, Fault, Kid, Retry};
use futures::stream::{BoxStream, Stream, StreamExt as _};

use super::cache::Known;
use super::tail::TailItem;
use super::{ApiError, ApiResult, Edge};

/// How long until a stream that was ended should be resumed.
const RESUME_AFTER_MS: u64 = 10;
/// Fences looked at together.
const FENCES: usize = 1_024;
/// Key sets that are searched for a key that is gone. A conversation that has more counts as one that had it.
const KEY_SETS_MAX: u32 = 4_096;

/// Watches the keys of one conversation.
#[derive(Clone)]
pub(super) struct ErasureGuard {
    edge: Edge,
    known: Arc<Known>,
    /// The last fence that was looked at.
    fence: FencedKey,
    /// The epoch at that time: with it, fences go.
    epoch: u64,
    keys: watch::Receiver<u64>,
}

impl ErasureGuard {
    /// From now on. To be made before anything is opened for the stream.
    pub(super) fn new(edge: Edge, known: Arc<Known>) -> ApiResult<Self> {
        let mut keys = edge.inner.hub.watch_keys();
        keys.mark_unchanged();
        // After the watch began: a fence in between is looked at when the next one comes.
        let control = edge.inner.groups.control();
        let index = control.applied().map_or(0, |at| at.index);
        let epoch = control.with_view(epoch_of)??;
        Ok(Self {
            known,
            fence: FencedKey {
                index,
                kid: Kid([u8::MAX; 16]),
            },
            epoch,
            keys,
            edge,
        })
    }

    /// Whether a key was fenced since this was asked last that something of the conversation was sealed under.
    fn is_touched(&mut self) -> ApiResult<bool> {
        let control = self.edge.inner.groups.control();
        loop {
            let fences = control.with_view(|view| control::fenced(view, Some(&self.fence), FENCES))??;
            let Some(last) = fences.last() else { break };
            self.fence = *last;
            if self.is_any_of_it(&fences)? {
                return Ok(true);
            }
        }
        let (before, epoch) = (self.epoch, control.with_view(epoch_of)??);
        self.epoch = epoch;
        // Fences of an epoch that ended may have been missed: its keys are known by their states.
        Ok(epoch != before
            && self.has(
                |state| matches!(state, KeyState::Erased { epoch: erased_after } if erased_after >= before),
            )?)
    }

    fn is_any_of_it(&self, fences: &[FencedKey]) -> ApiResult<bool> {
        let (id, own) = (self.known.id, self.own());
        if fences.iter().any(|fence| own.contains(&fence.kid)) {
            return Ok(true);
        }
        let group = self.edge.inner.groups.of(&id);
        Ok(group.with_view(|view| {
            for fence in fences {
                if data::is_of(view, &id, &fence.kid)? {
                    return Ok(true);
                }
            }
            Ok::<_, Fault>(false)
        })??)
    }

    /// Keys that all of the conversation needs, whoever speaks.
    fn own(&self) -> [Kid; 3] {
        [self.known.id.kid(), self.known.principal, self.known.tenant()]
    }

    /// Whether something of the conversation was sealed under a key in such a state, or may have been.
    fn has(&self, is_such: impl Fn(KeyState) -> bool) -> ApiResult<bool> {
        let id = self.known.id;
        let group = self.edge.inner.groups.of(&id);
        let Some(mut kids) = group.with_view(|view| people(view, &id))?? else {
            return Ok(true);
        };
        kids.extend(self.own());
        let control = self.edge.inner.groups.control();
        Ok(control.with_view(|view| {
            for kid in &kids {
                // One that is not known here yet is none that was erased.
                if control::key_state(view, kid)?.is_some_and(|row| is_such(row.state)) {
                    return Ok(true);
                }
            }
            Ok::<_, Fault>(false)
        })??)
    }

    /// Whether a key of the conversation was fenced after a position of the control group, or may have been.
    pub(super) fn erased_after(&self, control_index: u64) -> ApiResult<bool> {
        self.has(|state| match state {
            KeyState::Active => false,
            KeyState::Fenced { index, .. } => index > control_index,
            KeyState::Erased { .. } => true,
        })
    }

    /// Ends when a key of the conversation was fenced, or nobody can tell any more; says which of the two.
    pub(super) async fn reset(&mut self) -> ApiError {
        loop {
            if self.keys.changed().await.is_err() {
                return ApiError::stopping();
            }
            match self.is_touched() {
                Ok(true) => return reset(),
                Ok(false) => {}
                Err(error) => return error,
            }
        }
    }

    /// Why what was opened before must not be handed on, if there is a reason.
    fn withheld(&mut self) -> Option<ApiError> {
        let Ok(changed) = self.keys.has_changed() else {
            return Some(ApiError::stopping());
        };
        self.keys.mark_unchanged();
        let touched = if changed { self.is_touched() } else { Ok(false) };
        match touched {
            Ok(true) => Some(reset()),
            Ok(false) => None,
            Err(error) => Some(error),
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
            let withheld = guard.withheld();
            *ended = withheld.is_some();
            std::future::ready(Some(withheld.map_or(event, Err)))
        });
        guarded.boxed()
    }
}

fn epoch_of(view: &dyn StateView) -> Result<u64, Fault> {
    Ok(control::epoch(view)?.map_or(0, |epoch| epoch.epoch))
}

/// Everybody who takes part in a conversation or owns parts of it; none if there are too many key sets to say.
fn people(view: &dyn StateView, id: &ConversationId) -> Result<Option<BTreeSet<Kid>>, Fault> {
    let participants = data::participants(view, id)?.into_iter();
    let mut kids: BTreeSet<Kid> = participants.map(|row| row.kid).collect();
    let sets = data::head(view, id)?.map_or(0, |head| head.key_sets);
    if sets > KEY_SETS_MAX {
        return Ok(None);
    }
    for number in 0..sets {
        let set = data::key_set(view, id, number)?
            .ok_or_else(|| Fault::broken("a conversation's key set is missing"))?;
        let refs = KeyRefs::decode(&mut Decoder::new(&set.refs))?;
        let subjects = refs.as_slice().iter().filter(|key| key.kind == KeyKind::Subject);
        kids.extend(subjects.map(|key| key.kid));
    }
    Ok(Some(kids))
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
