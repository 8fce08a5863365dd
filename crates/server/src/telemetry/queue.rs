//! Spans on their way to the collector: a bounded queue that never waits. What does not fit, or does not arrive, is
//! dropped and counted.

use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter as _, SpanProcessor};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::otlp::EXPORT_TIMEOUT;
use super::{count, metrics};

/// Spans that wait; more are dropped.
const WAITING_MAX: usize = 2_048;
/// Spans of one request to the collector.
const BATCH_MAX: usize = 512;
/// Spans gather for so long.
const PAUSE: Duration = Duration::from_millis(500);

/// Takes spans as they end.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: mpsc::Sender<SpanData>,
}

/// The task that sends spans.
pub(super) struct Drain {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Starts the task that sends spans to `exporter`.
pub(super) fn start(mut exporter: SpanExporter, resource: &Resource) -> (Queue, Drain) {
    exporter.set_resource(resource);
    let (waiting, spans) = mpsc::channel(WAITING_MAX);
    let stop = CancellationToken::new();
    let task = tokio::spawn(send(exporter, spans, stop.clone()));
    (Queue { waiting }, Drain { stop, task })
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.waiting.try_send(span).is_err() {
            count(&metrics::SPANS_DROPPED, 1, &[]);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl Drain {
    /// Sends what waits, and gives up after `patience`.
    pub(super) async fn end(mut self, patience: Duration) {
        self.stop.cancel();
        if timeout(patience, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

async fn send(exporter: SpanExporter, mut spans: mpsc::Receiver<SpanData>, stop: CancellationToken) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    loop {
        tokio::select! {
            taken = spans.recv_many(&mut batch, BATCH_MAX) => if taken == 0 { return },
            () = stop.cancelled() => match spans.try_recv() {
                Ok(span) => batch.push(span),
                Err(_) => return,
            },
        }
        if batch.len() < BATCH_MAX && !stop.is_cancelled() {
            tokio::select! {
                () = sleep(PAUSE) => {}
                () = stop.cancelled() => {}
            }
        }
        while batch.len() < BATCH_MAX
            && let Ok(span) = spans.try_recv()
        {
            batch.push(span);
        }
        let sent = batch.len() as u64;
        let exported = timeout(EXPORT_TIMEOUT, exporter.export(std::mem::take(&mut batch))).await;
        match exported {
            Ok(Ok(())) => count(&metrics::SPANS_EXPORTED, sent, &[]),
            Ok(Err(_)) | Err(_) => count(&metrics::SPANS_DROPPED, sent, &[]),
        }
    }
}
