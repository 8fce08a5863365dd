//! `[telemetry]`: where spans and metrics go.

use std::net::IpAddr;
use std::time::Duration;

use serde::Deserialize;

use super::{ConfigError, require};

const FIELD_ENDPOINT: &str = "telemetry.otlp_endpoint";
const PORT: u16 = 4_317;
const HOST_BYTES_MAX: usize = 253;

/// What leaves the node about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelemetryConfig {
    /// Who takes it; nobody: nothing leaves.
    pub otlp: Option<Collector>,
    /// How many of a million traces that begin at this node are kept. A trace that the caller began is kept if the
    /// caller says so.
    pub trace_sample_millionths: u32,
    /// How often metrics are sent.
    pub metrics_interval: Duration,
}

/// A collector that speaks OTLP over gRPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collector {
    /// A host name or address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether over TLS; without it, the host is this machine.
    pub tls: bool,
}

impl Collector {
    /// The host as a URI writes it.
    pub(crate) fn host_in_uri(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        }
    }

    fn parse(text: &str) -> Result<Self, ConfigError> {
        let wrong = || ConfigError::field(FIELD_ENDPOINT, "must be https://host:port or http://host:port");
        let (tls, authority) = match text.split_once("://") {
            Some(("https", authority)) => (true, authority),
            Some(("http", authority)) => (false, authority),
            Some(_) | None => return Err(wrong()),
        };
        let authority = authority.trim_end_matches('/');
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or_else(wrong)?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| wrong())?;
                (host, port.strip_prefix(':').or(port.is_empty().then_some("")))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, Some("")),
            },
        };
        let port = match port.ok_or_else(wrong)? {
            "" if !authority.ends_with(':') => PORT,
            digits => digits.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?,
        };
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':');
        if !(1..=HOST_BYTES_MAX).contains(&host.len()) || !host.bytes().all(is_host) {
            return Err(wrong());
        }
        let loopback = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        require(
            tls || loopback,
            FIELD_ENDPOINT,
            "must be https unless it is on this machine",
        )?;
        Ok(Self {
            host: host.to_owned(),
            port,
            tls,
        })
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct TelemetryFile {
    otlp_endpoint: Option<String>,
    trace_sample_ratio: Option<f64>,
    metrics_interval_s: Option<u64>,
}

impl TelemetryFile {
    pub(super) fn read(self) -> Result<TelemetryConfig, ConfigError> {
        let ratio = self.trace_sample_ratio.unwrap_or(0.01);
        require(
            (0.0..=1.0).contains(&ratio),
            "telemetry.trace_sample_ratio",
            "must be 0 to 1",
        )?;
        let interval = self.metrics_interval_s.unwrap_or(60);
        require(
            (1..=3_600).contains(&interval),
            "telemetry.metrics_interval_s",
            "must be 1 to 3600",
        )?;
        Ok(TelemetryConfig {
            otlp: self.otlp_endpoint.as_deref().map(Collector::parse).transpose()?,
            trace_sample_millionths: (ratio * 1e6).round() as u32,
            metrics_interval: Duration::from_secs(interval),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_host_and_a_port() {
        let of = |text: &str| {
            let collector = Collector::parse(text).ok()?;
            Some((collector.host, collector.port, collector.tls))
        };
        assert_eq!(of("http://127.0.0.1:1"), Some(("127.0.0.1".into(), 1, false)));
        assert_eq!(of("http://[::1]:65535/"), Some(("::1".into(), 65_535, false)));
        assert_eq!(of("http://localhost"), Some(("localhost".into(), 4_317, false)));
        assert_eq!(
            of("https://otel.example.eu"),
            Some(("otel.example.eu".into(), 4_317, true))
        );
        for text in [
            "",
            "127.0.0.1:4317",
            "ftp://localhost",
            "http://",
            "http://:4317",
            "http://localhost:",
            "http://localhost:0",
            "http://localhost:65536",
            "http://localhost/path",
            "https://a@b:1",
            "https://a?b",
            "https://[::1",
            "https://[a]:1",
            "https://[::1]x",
            "http://10.0.0.1:4317",
            "http://otel.example.eu",
            "http://localhost.example.eu",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
