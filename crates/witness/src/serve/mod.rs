//! A witness over plain HTTP: `POST /add-checkpoint` as tlog-witness has it, and `GET /key`.

mod bounded;

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use eunoe_evidence::{
    ADD_CHECKPOINT_BYTES_MAX, AddCheckpoint, Refusal, SIZE_CONTENT_TYPE, SignatureLine, WitnessAnswer,
};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, watch};
use tokio::time::sleep;

use crate::keeper::{Fork, Keeper, KeeperError, Outcome};
use bounded::Bounded;

const TEXT: &str = "text/plain; charset=utf-8";
/// After the end was announced, requests in flight have so long.
const GRACE: Duration = Duration::from_secs(5);

/// Why a witness ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Its memory.
    #[error(transparent)]
    Keeper(#[from] KeeperError),
    /// Its socket.
    #[error("the listener: {0}")]
    Listener(#[from] io::Error),
}

type Told = Arc<dyn Fn(&Fork) + Send + Sync>;

#[derive(Clone)]
struct Shared {
    /// One lock for all logs: reading a head, deciding and writing the next one are one step.
    keeper: Arc<Mutex<Keeper>>,
    key: Arc<str>,
    told: Told,
    failed: Arc<watch::Sender<Option<KeeperError>>>,
}

/// Serves a witness until `shutdown` ends or its memory fails. `told` hears of each log that forks, once.
pub async fn serve(
    listener: TcpListener,
    keeper: Keeper,
    told: impl Fn(&Fork) + Send + Sync + 'static,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let (failed, mut failure) = watch::channel(None);
    let shared = Shared {
        key: format!("{}\n", keeper.verifier()).into(),
        keeper: Arc::new(Mutex::new(keeper)),
        told: Arc::new(told),
        failed: Arc::new(failed),
    };
    let router = Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/key", get(key))
        .layer(DefaultBodyLimit::max(ADD_CHECKPOINT_BYTES_MAX))
        .with_state(shared.clone());
    let (announce, announced) = tokio::sync::oneshot::channel();
    let signal = async move {
        tokio::select! {
            () = shutdown => {}
            _ = failure.changed() => {}
        }
        let _ = announce.send(());
    };
    let served = axum::serve(Bounded::new(listener), router).with_graceful_shutdown(signal);
    tokio::select! {
        result = served.into_future() => result?,
        () = async { let _ = announced.await; sleep(GRACE).await } => {}
    }
    // What is being written is written to its end.
    drop(shared.keeper.lock().await);
    match shared.failed.send_replace(None) {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

async fn key(State(shared): State<Shared>) -> Response {
    ([(CONTENT_TYPE, TEXT)], shared.key.to_string()).into_response()
}

async fn add_checkpoint(State(shared): State<Shared>, body: Bytes) -> Response {
    let request = match AddCheckpoint::parse(&body) {
        Ok(request) => request,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    let mut keeper = Arc::clone(&shared.keeper).lock_owned().await;
    // It goes on to its end when the caller goes away, and keeps the lock until then.
    let decided = tokio::task::spawn_blocking(move || keeper.decide(&request, now_s())).await;
    match decided {
        Ok(Ok(Outcome::Cosigned(line))) => cosigned(line),
        Ok(Ok(Outcome::TooLarge)) => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Ok(Ok(Outcome::Refused { refusal, fork })) => {
            if let Some(fork) = fork {
                (shared.told)(&fork);
            }
            refused(&refusal)
        }
        Ok(Err(error)) => failed(&shared, error),
        // It did not end as it should, so what it left behind is not known.
        Err(_) => failed(&shared, KeeperError::Stopped),
    }
}

/// Ends the witness. The first failure says why; those behind it say only that there was one.
fn failed(shared: &Shared, error: KeeperError) -> Response {
    shared.failed.send_if_modified(|failed| {
        let is_first = failed.is_none();
        if is_first {
            *failed = Some(error);
        }
        is_first
    });
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

fn cosigned(line: SignatureLine) -> Response {
    let answer = WitnessAnswer::Cosigned(vec![line]);
    ([(CONTENT_TYPE, TEXT)], answer.body()).into_response()
}

fn refused(refusal: &Refusal) -> Response {
    let Some(answer) = refusal.answer() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let status = StatusCode::from_u16(answer.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match answer {
        WitnessAnswer::Conflict { .. } => {
            (status, [(CONTENT_TYPE, SIZE_CONTENT_TYPE)], answer.body()).into_response()
        }
        // People read it; programs need the status alone.
        WitnessAnswer::Cosigned(_)
        | WitnessAnswer::BadRequest
        | WitnessAnswer::Forbidden
        | WitnessAnswer::NotFound
        | WitnessAnswer::Unprocessable => (status, format!("{refusal}\n")).into_response(),
    }
}

/// Seconds since the Epoch. A clock before it gives a time that no witness signs.
fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(u64::MAX, |time| time.as_secs())
}
