//! Calls between hosts, over the network.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use eunoe_raft::TransportError;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, Stream, StreamExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use super::net::{Host, Micros, Net, Process};

/// Items of a stream that wait for the one who takes them.
const STREAM_ITEMS: usize = 4_096;

type Answer<T> = oneshot::Sender<Result<T, TransportError>>;

/// Asks a process on `to`; `serve` runs there. Nobody there: unreachable. The process ends meanwhile: broken.
pub(super) async fn call<T, S>(
    net: &Net,
    (from, to): (Host, Host),
    timeout: Duration,
    serve: S,
) -> Result<T, TransportError>
where
    T: Send + 'static,
    S: FnOnce(&Process) -> BoxFuture<'static, T> + Send + 'static,
{
    let (answer, answered) = oneshot::channel();
    let back = net.clone();
    net.send(from, to, move |process| match process {
        Some(process) => {
            let serving = serve(process);
            process.runtime.spawn(async move {
                let said = serving.await;
                reply(&back, (to, from), answer, Ok(said));
            });
        }
        None => reply(&back, (to, from), answer, Err(TransportError::Unreachable)),
    });
    match tokio::time::timeout(timeout, answered).await {
        Ok(Ok(said)) => said,
        Ok(Err(_)) => Err(TransportError::Broken),
        Err(_) => Err(TransportError::Timeout),
    }
}

fn reply<T: Send + 'static>(
    net: &Net,
    (from, to): (Host, Host),
    answer: Answer<T>,
    said: Result<T, TransportError>,
) {
    net.send(from, to, move |_| {
        // Whoever asked may have given up.
        let _gone = answer.send(said);
    });
}

/// The end of a stream where items arrive. Shared with the parcels, and cleared when the other end goes.
type Inlet<T> = Arc<Mutex<Option<mpsc::Sender<T>>>>;

/// Whether the items came to their end, rather than the process that sent them.
type Ended = Arc<AtomicBool>;

fn inlet<T>() -> (Inlet<T>, mpsc::Receiver<T>) {
    let (sender, receiver) = mpsc::channel(STREAM_ITEMS);
    (Arc::new(Mutex::new(Some(sender))), receiver)
}

/// Clears an inlet, so that the stream behind it ends.
struct Closes<T>(Inlet<T>);

impl<T> Drop for Closes<T> {
    fn drop(&mut self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Moves the items of a stream to another host, in their order, for as long as both ends live.
pub(super) async fn carry<T: Send + 'static>(
    net: Net,
    (from, to): (Host, Host),
    mut items: impl Stream<Item = T> + Send + Unpin + 'static,
    into: Inlet<T>,
    ended: Ended,
) {
    let closes = Closes(Arc::clone(&into));
    let mut last = Micros::default();
    while let Some(item) = items.next().await {
        if into.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            return;
        }
        let into = Arc::clone(&into);
        net.send_after(from, to, &mut last, move |_| {
            let mut end = into.lock().unwrap_or_else(PoisonError::into_inner);
            // Who takes too little or is gone gets no more: a stream has no holes.
            if end.as_ref().is_some_and(|end| end.try_send(item).is_err()) {
                *end = None;
            }
        });
    }
    // The end of the items travels behind them.
    net.send_after(from, to, &mut last, move |_| {
        ended.store(true, Ordering::Relaxed);
        drop(closes);
    });
}

/// A stream of answers that may break.
type Answers<A> = BoxStream<'static, Result<A, TransportError>>;

/// Opens a stream to a process on `to`: its answers come back as they are given. The process may refuse it, and say why.
pub(super) async fn open<Q, A, E, S>(
    net: &Net,
    (from, to): (Host, Host),
    timeout: Duration,
    requests: BoxStream<'static, Q>,
    serve: S,
) -> Result<Result<Answers<A>, E>, TransportError>
where
    Q: Send + 'static,
    A: Send + 'static,
    E: Send + 'static,
    S: FnOnce(&Process, BoxStream<'static, Q>) -> BoxFuture<'static, Result<BoxStream<'static, A>, E>>
        + Send
        + 'static,
{
    let (asks, asked) = inlet();
    let (says, said) = inlet();
    let (asked, back) = (receiving(asked), net.clone());
    let opened = Arc::clone(&says);
    let whole = Ended::default();
    let ended = Arc::clone(&whole);
    let accepted = call(net, (from, to), timeout, move |process| {
        let (runtime, serving) = (process.runtime.clone(), serve(process, asked));
        boxed(async move {
            let answers = serving.await?;
            runtime.spawn(carry(back, (to, from), answers, opened, ended));
            Ok(())
        })
    })
    .await?;
    if let Err(why) = accepted {
        return Ok(Err(why));
    }
    let pump = pump(net, (from, to), requests, asks);
    let open = (Closes(says), pump);
    let answers = receiving(said).map(move |answer| {
        let _held = &open;
        Ok(answer)
    });
    let broken = futures::stream::once(async move { !whole.load(Ordering::Relaxed) });
    let broken =
        broken.filter_map(|broken| std::future::ready(broken.then_some(Err(TransportError::Broken))));
    Ok(Ok(answers.chain(broken).boxed()))
}

/// Moves items for as long as the handle is held; who takes them does not ask whether they came to their end.
fn pump<T: Send + 'static>(
    net: &Net,
    way: (Host, Host),
    items: BoxStream<'static, T>,
    into: Inlet<T>,
) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(carry(
        net.clone(),
        way,
        items,
        into,
        Ended::default(),
    )))
}

fn receiving<T: Send + 'static>(mut receiver: mpsc::Receiver<T>) -> BoxStream<'static, T> {
    futures::stream::poll_fn(move |context| receiver.poll_recv(context)).boxed()
}

/// Sends a stream to a process on `to`, and awaits what it makes of it.
pub(super) async fn upload<Q, T, S>(
    net: &Net,
    (from, to): (Host, Host),
    timeout: Duration,
    items: BoxStream<'static, Q>,
    serve: S,
) -> Result<T, TransportError>
where
    Q: Send + 'static,
    T: Send + 'static,
    S: FnOnce(&Process, BoxStream<'static, Q>) -> BoxFuture<'static, T> + Send + 'static,
{
    let (sends, sent) = inlet();
    let sent = receiving(sent);
    let _pump = pump(net, (from, to), items, sends);
    call(net, (from, to), timeout, move |process| serve(process, sent)).await
}

/// Something to be awaited by whoever asked.
pub(super) fn ready<T: Send + 'static>(value: T) -> BoxFuture<'static, T> {
    Box::pin(std::future::ready(value))
}

/// Boxes a future; shorter where closures must name their type.
pub(super) fn boxed<T>(future: impl Future<Output = T> + Send + 'static) -> BoxFuture<'static, T> {
    Box::pin(future)
}
