//! A TLS connection, with the identity that its handshake proved.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

/// A TLS connection of somebody known. On a listener, `I` is in the extensions of each of its requests.
///
/// It breaks when it is told to close: a graceful shutdown ends some time, even with streams that do not, and a
/// certificate that is good no longer ends what it opened.
pub struct TlsConnection<I, S = TlsStream<TcpStream>> {
    stream: S,
    identity: I,
    close: BoxFuture<'static, ()>,
    is_closed: bool,
    /// The place among the listener's connections.
    _place: Option<OwnedSemaphorePermit>,
}

impl<I, S> TlsConnection<I, S> {
    /// A connection that breaks when `close` ends.
    pub(super) fn new(
        stream: S,
        identity: I,
        close: BoxFuture<'static, ()>,
        place: Option<OwnedSemaphorePermit>,
    ) -> Self {
        Self {
            stream,
            identity,
            close,
            is_closed: false,
            _place: place,
        }
    }

    /// Whom the handshake proved.
    pub fn identity(&self) -> &I {
        &self.identity
    }
}

impl<I: Clone + Send + Sync + 'static> Connected for TlsConnection<I> {
    type ConnectInfo = I;

    fn connect_info(&self) -> I {
        self.identity.clone()
    }
}

impl<I: Unpin, S: AsyncRead + Unpin> AsyncRead for TlsConnection<I, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        // Reading is what an idle connection waits in, so here it is woken; busy ones come by as well.
        if read.is_pending() {
            self.is_closed = self.is_closed || self.close.as_mut().poll(cx).is_ready();
            if self.is_closed {
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
        }
        read
    }
}

impl<I: Unpin, S: AsyncWrite + Unpin> AsyncWrite for TlsConnection<I, S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
