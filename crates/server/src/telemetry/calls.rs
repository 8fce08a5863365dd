//! Every call on the client listener: one span, one value of the histogram. It looks at the path, the status and
//! `traceparent`, never at a message.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use futures::future::BoxFuture;
use opentelemetry::Context;
use opentelemetry::trace::{FutureExt as _, TraceContextExt as _};
use tonic::codegen::Body;
use tonic::codegen::http::{HeaderMap, Request, Response};
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::attribute::{Attribute, Method};
use super::{metrics, took, trace};

/// Wraps the services of the client listener.
#[derive(Clone, Copy, Debug)]
pub struct Calls;

impl<Inner> Layer<Inner> for Calls {
    type Service = CallService<Inner>;

    fn layer(&self, inner: Inner) -> CallService<Inner> {
        CallService { inner }
    }
}

/// Services whose calls are counted.
#[derive(Clone, Debug)]
pub struct CallService<Inner> {
    inner: Inner,
}

impl<Inner, In, Out> Service<Request<In>> for CallService<Inner>
where
    Inner: Service<Request<In>, Response = Response<Out>>,
    Inner::Future: Send + 'static,
    Inner::Error: Send + 'static,
    Out: Send + 'static,
{
    type Response = Response<CallBody<Out>>;
    type Error = Inner::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Inner::Error>>;

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), Inner::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<In>) -> Self::Future {
        let mut call = Call::begin(&request);
        let span = call.span.clone();
        let answer = {
            // The gate looks at the request before there is a future, and says in which role the caller came.
            let _attached = span.clone().map(Context::attach);
            self.inner.call(request)
        };
        Box::pin(async move {
            let answer = match span {
                Some(span) => answer.with_context(span).await,
                None => answer.await,
            }?;
            // An error without an answer has its status here; others have it behind their last message.
            call.see(answer.headers());
            Ok(answer.map(|body| CallBody { body, call }))
        })
    }
}

/// A call under way. Whatever becomes of it, it ends when this is dropped.
struct Call {
    method: Method,
    begun: Instant,
    code: Option<Code>,
    span: Option<Context>,
}

impl Call {
    fn begin<In>(request: &Request<In>) -> Self {
        let method = Method::of_path(request.uri().path());
        let traceparent = request.headers().get(trace::TRACEPARENT);
        let traceparent = traceparent.and_then(|header| header.to_str().ok());
        Self {
            span: trace::of_call(&method, traceparent),
            method,
            begun: Instant::now(),
            code: None,
        }
    }

    fn see(&mut self, headers: &HeaderMap) {
        if let Some(status) = Status::from_header_map(headers) {
            self.code = Some(status.code());
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // Nobody waited for the status.
        let code = Attribute::Code(self.code.unwrap_or(Code::Cancelled));
        if let Some(span) = &self.span {
            trace::set(span, code.clone());
            span.span().end();
        }
        took(
            &metrics::CALLS,
            self.begun.elapsed(),
            &[Attribute::Method(self.method.clone()), code],
        );
    }
}

/// The body of an answer, whose trailers have the status.
pub struct CallBody<Inner> {
    body: Inner,
    call: Call,
}

impl<Inner> Body for CallBody<Inner>
where
    Inner: Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = Inner::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Inner::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(trailers) = frame.trailers_ref()
        {
            self.call.see(trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
