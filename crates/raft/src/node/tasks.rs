//! Tasks with an owner that ends and joins them.

use std::future::Future;
use std::sync::{Mutex, PoisonError};

use tokio::task::JoinSet;

/// The tasks of a group or of the node. All of them may be dropped at any await.
#[derive(Default)]
pub(crate) struct TaskSet {
    tasks: Mutex<JoinSet<()>>,
}

impl TaskSet {
    /// Runs `task` until it ends or the set is stopped.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .spawn(task);
    }

    /// Ends all tasks and waits until they are gone.
    pub(crate) async fn stop(&self) {
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.shutdown().await;
    }
}
