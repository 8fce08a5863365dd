//! Where calls that block run.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Where calls that block for long, on disks above all, run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Blocking {
    /// On tokio's pool of threads for it: what a node in production does.
    #[default]
    Pool,
    /// Where they are awaited, at once and without another thread: for nodes that must do the same again every time
    /// they run, with engines that answer at once.
    Inline,
}

/// A call panicked, or the runtime ended before it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a blocking call panicked or was cancelled")]
pub struct Panicked;

impl Blocking {
    /// Runs `call` and awaits what it returns.
    ///
    /// A call that has begun ends, also when this future is dropped meanwhile. It must not wait for anything that
    /// other tasks do: with [`Blocking::Inline`] none of them runs before it has ended.
    pub async fn run<T: Send + 'static>(
        self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Panicked> {
        match self {
            Blocking::Pool => tokio::task::spawn_blocking(call).await.map_err(|_| Panicked),
            // Nothing that the call had can be seen after it panicked, as with a thread that is gone.
            Blocking::Inline => catch_unwind(AssertUnwindSafe(call)).map_err(|_| Panicked),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_answer_and_both_survive_a_panic() {
        for blocking in [Blocking::Pool, Blocking::Inline] {
            assert_eq!(blocking.run(|| 7).await, Ok(7));
            assert_eq!(
                blocking.run(|| panic!("on purpose")).await,
                Err::<(), _>(Panicked)
            );
        }
    }

    #[tokio::test]
    async fn only_the_pool_takes_another_thread() {
        let here = std::thread::current().id();
        let thread = || std::thread::current().id();
        assert_eq!(Blocking::Inline.run(thread).await, Ok(here));
        assert_ne!(Blocking::Pool.run(thread).await, Ok(here));
    }
}
