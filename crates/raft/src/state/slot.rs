//! The state engine of a group in its slot: where it is used, and where a snapshot replaces it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use eunoe_core::{Changes, StateView};
use eunoe_store::{StateEngine, StateFactory};
use eunoe_types::{Fault, GroupId};

/// Computes the writes of a batch over a view, and the position that they bring the state to.
pub(crate) type Compute<'a> = &'a mut dyn FnMut(&dyn StateView) -> Result<(Changes, Vec<u8>), Fault>;

/// A group's state, whatever its engine. All calls block.
pub(crate) trait GroupState: Send + Sync + 'static {
    /// Runs `read` once over a consistent view.
    fn with_view(&self, read: &mut dyn FnMut(&dyn StateView)) -> Result<(), Fault>;

    /// Computes a batch over the newest view and commits it. Only one caller at a time.
    fn commit(&self, compute: Compute<'_>) -> Result<(), Fault>;

    /// The position of the last commit, encoded.
    fn applied(&self) -> Result<Option<Vec<u8>>, Fault>;

    /// Makes everything committed durable.
    fn flush(&self) -> Result<(), Fault>;

    /// Writes a durable copy into the new directory `into`.
    fn checkpoint(&self, into: &Path) -> Result<(), Fault>;

    /// Puts the verified directory `from` in the place of the state, and consumes it.
    fn replace(&self, from: &Path) -> Result<(), Fault>;

    /// Where the group's snapshots are kept.
    fn snapshot_dir(&self) -> PathBuf;

    /// Bytes on disk.
    fn disk_bytes(&self) -> Result<u64, Fault>;
}

/// The slot of one group.
pub(crate) struct Slot<F: StateFactory> {
    group: GroupId,
    factory: Arc<F>,
    /// Empty after a replacement failed: the node is unfit then.
    engine: RwLock<Option<F::Engine>>,
}

impl<F: StateFactory> Slot<F> {
    /// Opens the state of `group`.
    pub(crate) fn open(group: GroupId, factory: Arc<F>) -> Result<Self, Fault> {
        let engine = factory.open(group)?;
        Ok(Self {
            group,
            factory,
            engine: RwLock::new(Some(engine)),
        })
    }

    fn with_engine<T>(&self, run: impl FnOnce(&F::Engine) -> Result<T, Fault>) -> Result<T, Fault> {
        // A panic while reading leaves the engine as it was.
        let engine: RwLockReadGuard<'_, _> = self.engine.read().unwrap_or_else(PoisonError::into_inner);
        match engine.as_ref() {
            Some(engine) => run(engine),
            None => Err(Fault::broken("the state could not be replaced and is closed")),
        }
    }
}

impl<F: StateFactory> GroupState for Slot<F> {
    fn with_view(&self, read: &mut dyn FnMut(&dyn StateView)) -> Result<(), Fault> {
        self.with_engine(|engine| {
            read(&engine.view());
            Ok(())
        })
    }

    fn commit(&self, compute: Compute<'_>) -> Result<(), Fault> {
        self.with_engine(|engine| {
            let (changes, applied) = compute(&engine.view())?;
            engine.commit(changes, &applied)
        })
    }

    fn applied(&self) -> Result<Option<Vec<u8>>, Fault> {
        self.with_engine(StateEngine::applied)
    }

    fn flush(&self) -> Result<(), Fault> {
        self.with_engine(StateEngine::flush)
    }

    fn checkpoint(&self, into: &Path) -> Result<(), Fault> {
        self.with_engine(|engine| engine.checkpoint(into))
    }

    fn replace(&self, from: &Path) -> Result<(), Fault> {
        let mut slot = self.engine.write().unwrap_or_else(PoisonError::into_inner);
        let old = slot
            .take()
            .ok_or_else(|| Fault::broken("the state is closed already"))?;
        *slot = Some(self.factory.replace(self.group, old, from)?);
        Ok(())
    }

    fn disk_bytes(&self) -> Result<u64, Fault> {
        self.with_engine(|engine| Ok(engine.disk_bytes()))
    }

    fn snapshot_dir(&self) -> PathBuf {
        self.factory.snapshot_dir(self.group)
    }
}
