//! The metrics as Prometheus reads them.

use std::sync::LazyLock;

use opentelemetry_prometheus::PrometheusExporter;
use prometheus::{Registry, TextEncoder};

use super::TelemetryError;

static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::new);

pub(super) fn reader() -> Result<PrometheusExporter, TelemetryError> {
    opentelemetry_prometheus::exporter()
        .with_registry(REGISTRY.clone())
        // The names have their units already, and are the same over OTLP.
        .without_units()
        .without_counter_suffixes()
        .scope_info_enabled(false)
        .build()
        .map_err(|error| TelemetryError::Exporter(error.to_string()))
}

/// All metrics in Prometheus' text format, version 0.0.4; nothing if they cannot be written so.
pub(crate) fn text() -> Option<String> {
    TextEncoder::new().encode_to_string(&REGISTRY.gather()).ok()
}
