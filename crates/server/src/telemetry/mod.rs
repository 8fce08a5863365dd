//! What a node says about itself: log lines, spans, metrics. None of it names a person, a tenant or a key.
//!
//! Metrics are always counted and shown on the admin listener; spans and metrics leave the node only if a collector
//! is configured. Only this module names OpenTelemetry, so that all that leaves passes [`attribute::Attribute`].

mod attribute;
mod calls;
mod log;
pub(crate) mod metrics;
mod otlp;
mod process;
mod prometheus;
mod queue;
mod trace;

use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};

use crate::config::{Config, TelemetryConfig};
use crate::tls::{TlsError, TlsMaterial};

pub use attribute::Attribute;
pub use calls::{CallBody, CallService, Calls};
pub use log::{LogError, init};
pub use metrics::{DEFINITIONS, Definition, Kind, Observed, observe};
pub(crate) use metrics::{count, refused, took, values};
pub(crate) use prometheus::text;
#[cfg(feature = "fuzzing")]
pub(crate) use trace::is_traceparent;
pub(crate) use trace::{Context, Stage, header_of_peer, of_present, present, remote, under, within};

/// What waits for a collector when the node ends may take so long.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

static RUNNING: OnceLock<()> = OnceLock::new();

/// Why there is no telemetry.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// It is of the whole process, and was started before.
    #[error("the process has telemetry already")]
    Twice,
    /// The connection to the collector cannot be set up.
    #[error("the TLS to the collector of telemetry cannot be set up")]
    Tls(#[from] TlsError),
    /// The exporter refuses its configuration.
    #[error("an exporter of telemetry cannot be set up: {0}")]
    Exporter(String),
}

/// Telemetry of this process; ends with [`Telemetry::end`].
pub struct Telemetry {
    metrics: SdkMeterProvider,
    traces: Option<(SdkTracerProvider, queue::Drain)>,
}

impl Telemetry {
    /// Counts from here on, and exports if the configuration says where to. Must be called in a Tokio runtime, once
    /// a process, before anything is counted: what was counted before is lost.
    pub fn start(config: &Config, material: &TlsMaterial) -> Result<Self, TelemetryError> {
        RUNNING.set(()).map_err(|()| TelemetryError::Twice)?;
        let resource = resource(config);
        let mut metrics = SdkMeterProvider::builder()
            .with_resource(resource.clone())
            .with_reader(prometheus::reader()?);
        let traces = match &config.telemetry.otlp {
            Some(collector) => {
                let channel = otlp::channel(collector, material)?;
                let reader = PeriodicReader::builder(otlp::metrics(channel.clone())?)
                    .with_interval(config.telemetry.metrics_interval)
                    .build();
                metrics = metrics.with_reader(reader);
                Some((otlp::spans(channel)?, sampler(&config.telemetry)))
            }
            None => None,
        };
        let provider = metrics.build();
        metrics::begin(provider.meter("eunoe"));
        let traces = traces.map(|(exporter, sampler)| {
            let (queue, drain) = queue::start(exporter, &resource);
            let provider = SdkTracerProvider::builder()
                .with_resource(resource)
                .with_sampler(sampler)
                .with_span_processor(queue)
                .build();
            trace::begin(&provider);
            (provider, drain)
        });
        process::observe_all();
        Ok(Self {
            metrics: provider,
            traces,
        })
    }

    /// Sends what waits, for a moment at most: a collector that is gone must not hold the node.
    pub async fn end(self) {
        if let Some((traces, drain)) = self.traces {
            let _nobody_listens = traces.shutdown_with_timeout(FLUSH_TIMEOUT);
            drain.end(FLUSH_TIMEOUT).await;
        }
        let metrics = self.metrics;
        let flushing = tokio::task::spawn_blocking(move || metrics.shutdown_with_timeout(FLUSH_TIMEOUT));
        let _late_or_not = tokio::time::timeout(FLUSH_TIMEOUT, flushing).await;
    }
}

/// A trace that its caller has begun is followed as the caller asks; others are sampled.
fn sampler(config: &TelemetryConfig) -> Sampler {
    let ratio = f64::from(config.trace_sample_millionths) / 1e6;
    Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio)))
}

fn resource(config: &Config) -> Resource {
    Resource::builder_empty()
        .with_attributes(attribute::of_node(config))
        .build()
}
