//! Spans: one for each call of a client, and below it what the call waits for. Contexts of W3C come in from clients
//! and go out to peers. `tracestate` and baggage are not read: callers put anything there.
//!
//! Without a collector, or in a trace that is not sampled, nothing is made: the cost is one load.

use std::sync::OnceLock;

pub(crate) use opentelemetry::Context;
use opentelemetry::trace::{
    FutureExt as _, SpanContext, SpanId, SpanKind, TraceContextExt as _, TraceFlags, TraceId, TraceState,
    Tracer as _, TracerProvider as _,
};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};

use super::Attribute;
use super::attribute::Method;

/// W3C's header for the context of a trace.
pub(super) const TRACEPARENT: &str = "traceparent";

static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// Spans are made from here on.
pub(super) fn begin(provider: &SdkTracerProvider) {
    // Telemetry starts once a process, so there is none before.
    let _first = TRACER.set(provider.tracer("eunoe"));
}

/// What a call waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stage {
    /// A command's reply, on the node that has sealed it.
    Propose,
    /// A command's reply, on the node that leads.
    ProposeForwarded,
    /// The read barriers.
    Barrier,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Propose => "eunoe.propose",
            Self::ProposeForwarded => "eunoe.propose_forwarded",
            Self::Barrier => "eunoe.read_barrier",
        }
    }
}

/// A span for a call that came in, with the trace that its `traceparent` names as the parent.
pub(super) fn of_call(method: &Method, traceparent: Option<&str>) -> Option<Context> {
    let tracer = TRACER.get()?;
    let parent = traceparent.and_then(parse).map_or_else(Context::new, |remote| {
        Context::new().with_remote_span_context(remote)
    });
    let span = tracer
        .span_builder(method.as_str().to_owned())
        .with_kind(SpanKind::Server)
        .start_with_context(tracer, &parent);
    Some(parent.with_span(span)).filter(is_sampled)
}

/// The span that this code runs in, if it is recorded.
pub(crate) fn present() -> Option<Context> {
    TRACER.get()?;
    Some(Context::current()).filter(is_sampled)
}

/// The span of a peer that a request names, if it is recorded.
pub(crate) fn remote(metadata: &MetadataMap) -> Option<Context> {
    TRACER.get()?;
    let remote = parse(metadata.get(TRACEPARENT)?.to_str().ok()?)?;
    Some(Context::new().with_remote_span_context(remote)).filter(is_sampled)
}

/// The header that tells a peer the span that this code runs in.
pub(crate) fn header_of_peer() -> Option<(&'static str, MetadataValue<Ascii>)> {
    let context = present()?;
    let value = format(context.span().span_context());
    Some((TRACEPARENT, value.parse().ok()?))
}

/// Runs `work` in a span below the present one.
pub(crate) async fn within<T>(stage: Stage, attributes: &[Attribute], work: impl Future<Output = T>) -> T {
    under(present(), stage, attributes, work).await
}

/// Runs `work` in a span below `parent`, or as it is if there is none.
pub(crate) async fn under<T>(
    parent: Option<Context>,
    stage: Stage,
    attributes: &[Attribute],
    work: impl Future<Output = T>,
) -> T {
    let (Some(parent), Some(tracer)) = (parent, TRACER.get()) else {
        return work.await;
    };
    let attributes = attributes.iter().cloned().map(Attribute::into_key_value);
    let span = tracer
        .span_builder(stage.name())
        .with_attributes(attributes.collect::<Vec<_>>())
        .start_with_context(tracer, &parent);
    work.with_context(parent.with_span(span)).await
}

/// Says more of the call that this code runs in.
pub(crate) fn of_present(attribute: Attribute) {
    if let Some(context) = present() {
        set(&context, attribute);
    }
}

/// Adds an attribute to a span that was begun here.
pub(super) fn set(context: &Context, attribute: Attribute) {
    context.span().set_attribute(attribute.into_key_value());
}

fn is_sampled(context: &Context) -> bool {
    context.span().span_context().is_sampled()
}

fn format(span: &SpanContext) -> String {
    format!(
        "00-{}-{}-{:02x}",
        span.trace_id(),
        span.span_id(),
        span.trace_flags().to_u8()
    )
}

/// Reads a `traceparent` of version 00; anything else is as if there were none.
fn parse(header: &str) -> Option<SpanContext> {
    let mut fields = header.split('-');
    let (version, trace, span, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let is_hex = |text: &str, digits| {
        text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let well_formed = version == "00" && is_hex(trace, 32) && is_hex(span, 16) && is_hex(flags, 2);
    if !well_formed || fields.next().is_some() {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let span = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        flags,
        true,
        TraceState::NONE,
    );
    span.is_valid().then_some(span)
}

/// Whether a header is read; what is read is written the same, its flags but for one left out.
#[cfg(feature = "fuzzing")]
pub(crate) fn is_traceparent(header: &str) -> bool {
    parse(header).is_some_and(|span| {
        assert_eq!(
            header.get(..53),
            format(&span).get(..53),
            "a header has two forms"
        );
        true
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_survives_its_header() {
        let header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let context = parse(header).unwrap();
        assert!(context.is_sampled() && context.is_remote());
        assert_eq!(format(&context), header);
        assert!(!parse(&header.replace("-01", "-00")).unwrap().is_sampled());
    }

    #[test]
    fn what_is_no_context_is_none() {
        let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        for header in [
            String::new(),
            "00".into(),
            format!("01-{trace}-{span}-01"),
            format!("00-{trace}-{span}"),
            format!("00-{trace}-{span}-01-more"),
            format!("00-{trace}-{span}-1"),
            format!("00-{trace}-{span}-+1"),
            format!("00-{}-{span}-01", trace.to_uppercase()),
            format!("00-{}-{span}-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("00-anna{}-{span}-01", &trace[4..]),
        ] {
            assert!(parse(&header).is_none(), "{header}");
        }
    }
}
