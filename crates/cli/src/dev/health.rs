//! Asks a node's admin port whether it serves.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
const STATUS_OK: &[u8] = b" 200";
/// `HTTP/1.1 200` and what may follow.
const STATUS_LINE_BYTES: usize = 12;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Probe {
    /// The process runs and answers.
    Live,
    /// It serves clients.
    Ready,
}

/// Whether the answer is 200; an unreachable node's is not.
pub(super) async fn passes(admin: &str, probe: Probe) -> bool {
    let path = match probe {
        Probe::Live => "/livez",
        Probe::Ready => "/readyz",
    };
    let asked = tokio::time::timeout(ANSWER_TIMEOUT, ask(admin, path)).await;
    matches!(asked, Ok(Ok(true)))
}

async fn ask(admin: &str, path: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(admin).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut status_line = [0; STATUS_LINE_BYTES];
    stream.read_exact(&mut status_line).await?;
    Ok(status_line.starts_with(b"HTTP/1.") && status_line.ends_with(STATUS_OK))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Answers one request with this.
    async fn server(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 256];
            let read = stream.read(&mut request).await.unwrap();
            assert!(request[..read].starts_with(b"GET /readyz HTTP/1.1\r\n"));
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        address
    }

    #[tokio::test]
    async fn only_200_passes() {
        let ok = server("HTTP/1.1 200 OK\r\n\r\nok").await;
        assert!(passes(&ok, Probe::Ready).await);
        let starting = server("HTTP/1.1 503 Service Unavailable\r\n\r\n").await;
        assert!(!passes(&starting, Probe::Ready).await);
        let cut = server("HTTP").await;
        assert!(!passes(&cut, Probe::Ready).await);
    }
}
