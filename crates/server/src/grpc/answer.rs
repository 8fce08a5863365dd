//! What the library that speaks gRPC would answer by itself, said in the words of this API: a request that it cannot
//! read, and a deadline that passes.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use eunoe_types::{ErrorCode, Outcome, Retry};
use tokio::time::{Instant, sleep_until};
use tonic::body::Body;
use tonic::codegen::http::{HeaderMap, Response};
use tonic::{Code, Status};

use super::status::{Faults, to_status};
use crate::edge::ApiError;

/// What says how long a caller waits.
const TIMEOUT: &str = "grpc-timeout";
/// Digits that it may have.
const DIGITS_MAX: usize = 8;

/// When the caller stops waiting, if it said so in a form that the protocol knows.
pub(super) fn deadline(headers: &HeaderMap) -> Option<Instant> {
    Instant::now().checked_add(timeout(headers.get(TIMEOUT)?.to_str().ok()?)?)
}

pub(super) fn timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let is_number = (1..=DIGITS_MAX).contains(&digits.len()) && digits.bytes().all(|d| d.is_ascii_digit());
    let number: u64 = is_number.then(|| digits.parse().ok())??;
    match unit {
        "H" => Some(Duration::from_secs(number * 3_600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// The answer of a service, unless the deadline passes before.
pub(super) async fn answer<E>(
    answer: impl Future<Output = Result<Response<Body>, E>>,
    deadline: Option<Instant>,
    faults: Faults,
) -> Result<Response<Body>, E> {
    let Some(deadline) = deadline else {
        return answer.await.map(|response| readable(response, &faults));
    };
    let (mut answer, mut over) = (pin!(answer), pin!(sleep_until(deadline)));
    let answered = poll_fn(|cx| match answer.as_mut().poll(cx) {
        Poll::Ready(answered) => Poll::Ready(Some(answered)),
        // The library has a timer for the same moment, which began later: by the clock this one is never behind.
        Poll::Pending if over.as_mut().poll(cx).is_ready() || Instant::now() >= deadline => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    match answered.await {
        Some(answered) => answered.map(|response| readable(response, &faults)),
        None => Ok(to_status(&past_deadline(), &faults).into_http()),
    }
}

fn past_deadline() -> ApiError {
    ApiError {
        retry: Retry::SameRequestId,
        outcome: Outcome::Unknown,
        ..ApiError::new(
            ErrorCode::DeadlineExceeded,
            "DEADLINE_EXCEEDED",
            "the caller's deadline passed before there was an answer",
        )
    }
}

/// Gives a refusal of the library its reason. Services give theirs themselves.
fn readable(response: Response<Body>, faults: &Faults) -> Response<Body> {
    let refused = Status::from_header_map(response.headers()).filter(|status| status.details().is_empty());
    match refused.and_then(|status| unreadable(&status)) {
        Some(error) => to_status(&error, faults).into_http(),
        None => response,
    }
}

/// Why the library could not read a request, if that is what a status without details says.
pub(super) fn unreadable(status: &Status) -> Option<ApiError> {
    match status.code() {
        Code::OutOfRange => Some(ApiError::new(
            ErrorCode::ResourceExhausted,
            "REQUEST_TOO_LARGE",
            "a request must not exceed 5 MiB",
        )),
        Code::Internal => Some(ApiError::new(
            ErrorCode::InvalidArgument,
            "REQUEST_MALFORMED",
            "the request is not a message of this method",
        )),
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::InvalidArgument
        | Code::DeadlineExceeded
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::Unimplemented
        | Code::Unavailable
        | Code::DataLoss
        | Code::Unauthenticated => None,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tonic_types::StatusExt as _;

    use super::*;

    fn reason(response: &Response<Body>) -> (Code, Option<String>) {
        let status = Status::from_header_map(response.headers()).unwrap();
        (
            status.code(),
            status.get_details_error_info().map(|info| info.reason),
        )
    }

    #[test]
    fn a_timeout_has_digits_and_a_unit() {
        for (text, ms) in [
            ("1H", 3_600_000),
            ("2M", 120_000),
            ("3S", 3_000),
            ("99999999m", 99_999_999),
            ("7000u", 7),
            ("8000000n", 8),
            ("0m", 0),
        ] {
            assert_eq!(timeout(text), Some(Duration::from_millis(ms)), "{text}");
        }
        for wrong in ["", "1", "m", "1s", "-1m", "+1m", "1 m", "999999999m", "1µ"] {
            assert_eq!(timeout(wrong), None, "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_deadline_ends_what_has_no_answer_and_nothing_else() {
        let never = std::future::pending::<Result<Response<Body>, Infallible>>();
        let over = answer(never, Some(Instant::now()), Faults::default())
            .await
            .unwrap();
        assert_eq!(
            reason(&over),
            (Code::DeadlineExceeded, Some("DEADLINE_EXCEEDED".into()))
        );
        let there = std::future::ready(Ok::<_, Infallible>(Response::new(Body::empty())));
        let there = answer(there, Some(Instant::now()), Faults::default())
            .await
            .unwrap();
        assert!(Status::from_header_map(there.headers()).is_none());
    }

    #[tokio::test]
    async fn refusals_of_the_library_have_a_reason_and_those_of_services_stay() {
        let faults = Faults::default();
        for (status, expected) in [
            (
                Status::out_of_range("6 MiB"),
                (Code::ResourceExhausted, Some("REQUEST_TOO_LARGE")),
            ),
            (
                Status::internal("no varint"),
                (Code::InvalidArgument, Some("REQUEST_MALFORMED")),
            ),
            (
                Status::unimplemented("no such method"),
                (Code::Unimplemented, None),
            ),
            (
                to_status(&ApiError::internal("a bug"), &faults),
                (Code::Internal, Some("INTERNAL")),
            ),
        ] {
            let response = std::future::ready(Ok::<_, Infallible>(status.into_http()));
            let answered = answer(response, None, faults.clone()).await.unwrap();
            let (code, text) = reason(&answered);
            assert_eq!((code, text.as_deref()), expected);
        }
    }
}
