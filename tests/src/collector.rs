//! A collector of traces and metrics that keeps what nodes send it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::metadata::KeyAndValueRef;
use tonic::{Request, Response, Status};

/// A collector that listens on this machine, and ends when it is dropped.
pub struct Collector {
    address: SocketAddr,
    kept: Kept,
    /// Its own, so that connections end with it.
    runtime: Option<Runtime>,
}

/// What came.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Everything>>);

#[derive(Default)]
struct Everything {
    spans: Vec<SentSpan>,
    /// Name of a metric, the node, and the labels of a series.
    series: Vec<Series>,
    /// All messages as they were on the wire, and the headers they came with.
    bytes: Vec<u8>,
}

/// A span and the node that sent it.
#[derive(Clone, Debug)]
pub struct SentSpan {
    /// Of which node.
    pub node: String,
    /// As it came.
    pub span: Span,
}

/// A series of a metric that was sent once or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// Of which node.
    pub node: String,
    /// The metric.
    pub name: String,
    /// The labels, in the order that they came in.
    pub labels: Vec<(String, String)>,
}

impl Collector {
    /// Starts to listen.
    ///
    /// # Panics
    ///
    /// If there is no port.
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        listener.set_nonblocking(true).expect("a listener need not block");
        let address = listener.local_addr().expect("a listener has an address");
        let kept = Kept::default();
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(kept.clone()))
            .add_service(MetricsServiceServer::new(kept.clone()));
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime starts");
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("a runtime takes a listener");
            let served = server.serve_with_incoming(TcpListenerStream::new(listener)).await;
            served.expect("the collector serves");
        });
        let runtime = Some(runtime);
        Self {
            address,
            kept,
            runtime,
        }
    }

    /// Lines of a `[telemetry]` table that sends everything here, traces that nodes begin in this ratio.
    pub fn telemetry(&self, ratio: f64) -> String {
        format!(
            "otlp_endpoint = \"http://{}\"\ntrace_sample_ratio = {ratio:?}\nmetrics_interval_s = 1",
            self.address
        )
    }

    /// The spans of a trace, by 32 hex digits, that have come.
    pub fn trace(&self, id: &str) -> Vec<SentSpan> {
        let spans = self.spans().into_iter();
        spans.filter(|sent| hex(&sent.span.trace_id) == id).collect()
    }

    /// All spans that have come.
    pub fn spans(&self) -> Vec<SentSpan> {
        self.kept.all().spans.clone()
    }

    /// All series of metrics that have come.
    pub fn series(&self) -> Vec<Series> {
        self.kept.all().series.clone()
    }

    /// Every byte that has come.
    pub fn bytes(&self) -> Vec<u8> {
        self.kept.all().bytes.clone()
    }

    /// Ends it; connections break.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Kept {
    fn all(&self) -> MutexGuard<'_, Everything> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep<T: Message>(&self, request: Request<T>) -> T {
        let mut all = self.all();
        for header in request.metadata().iter() {
            let (name, value) = match header {
                KeyAndValueRef::Ascii(name, value) => (name.as_str().as_bytes(), value.as_encoded_bytes()),
                KeyAndValueRef::Binary(name, value) => (name.as_str().as_bytes(), value.as_encoded_bytes()),
            };
            all.bytes.extend_from_slice(name);
            all.bytes.push(b'\n');
            all.bytes.extend_from_slice(value);
            all.bytes.push(b'\n');
        }
        let message = request.into_inner();
        all.bytes.extend(message.encode_to_vec());
        message
    }
}

#[tonic::async_trait]
impl TraceService for Kept {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for resource in self.keep(request).resource_spans {
            let node = node_of(resource.resource.as_ref());
            let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            let sent = spans.map(|span| SentSpan {
                node: node.clone(),
                span,
            });
            self.all().spans.extend(sent);
        }
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Kept {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        for resource in self.keep(request).resource_metrics {
            let node = node_of(resource.resource.as_ref());
            let metrics = resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics);
            for metric in metrics {
                for labels in metric.data.iter().flat_map(points) {
                    let (node, name) = (node.clone(), metric.name.clone());
                    let series = Series {
                        node,
                        name,
                        labels: text(&labels),
                    };
                    let mut all = self.all();
                    if !all.series.contains(&series) {
                        all.series.push(series);
                    }
                }
            }
        }
        Ok(Response::new(Default::default()))
    }
}

fn points(data: &Data) -> Vec<Vec<KeyValue>> {
    match data {
        Data::Gauge(gauge) => gauge
            .data_points
            .iter()
            .map(|point| point.attributes.clone())
            .collect(),
        Data::Sum(sum) => sum
            .data_points
            .iter()
            .map(|point| point.attributes.clone())
            .collect(),
        Data::Histogram(histogram) => histogram
            .data_points
            .iter()
            .map(|point| point.attributes.clone())
            .collect(),
        Data::ExponentialHistogram(_) | Data::Summary(_) => panic!("no metric is of this kind: {data:?}"),
    }
}

/// Attributes as text.
///
/// # Panics
///
/// If one is neither text nor a whole number: nothing else is on the allow-list.
pub fn text(attributes: &[KeyValue]) -> Vec<(String, String)> {
    let text = |attribute: &KeyValue| match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("an attribute of another type: {} {other:?}", attribute.key),
    };
    let attributes = attributes.iter();
    attributes
        .map(|attribute| (attribute.key.clone(), text(attribute)))
        .collect()
}

fn node_of(resource: Option<&Resource>) -> String {
    let attributes = text(&resource.expect("a node says what it is").attributes);
    let id = attributes
        .into_iter()
        .find(|(key, _)| key == "service.instance.id");
    id.expect("a node says which one it is").1
}

/// Lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
