//! The connection to a collector: OTLP over gRPC, with TLS unless the collector is on this machine.

use std::time::Duration;

use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig as _, WithTonicConfig as _};
use tonic::transport::{Channel, Endpoint};

use super::TelemetryError;
use crate::config::Collector;
use crate::tls::{CollectorConnector, TlsMaterial};

/// A collector that takes longer loses the batch.
pub(super) const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A channel that connects when it is first used, and again after a failure.
pub(super) fn channel(collector: &Collector, material: &TlsMaterial) -> Result<Channel, TelemetryError> {
    let authority = format!("{}:{}", collector.host_in_uri(), collector.port);
    // TLS is the connector's: for tonic, the URI is only what the requests are addressed to.
    let endpoint = Endpoint::from_shared(format!("http://{authority}"))
        .map_err(|error| TelemetryError::Exporter(error.to_string()))?
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(EXPORT_TIMEOUT)
        .buffer_size(16);
    if collector.tls {
        let connector = CollectorConnector::new(material, collector)?;
        Ok(endpoint.connect_with_connector_lazy(connector))
    } else {
        Ok(endpoint.connect_lazy())
    }
}

pub(super) fn spans(channel: Channel) -> Result<SpanExporter, TelemetryError> {
    SpanExporter::builder()
        .with_tonic()
        .with_channel(channel)
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .map_err(|error| TelemetryError::Exporter(error.to_string()))
}

pub(super) fn metrics(channel: Channel) -> Result<MetricExporter, TelemetryError> {
    MetricExporter::builder()
        .with_tonic()
        .with_channel(channel)
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .map_err(|error| TelemetryError::Exporter(error.to_string()))
}
