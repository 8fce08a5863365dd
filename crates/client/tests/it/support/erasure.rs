//! An `ErasureService` with one ladder, climbed as the test says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use eunoe_client::types::Timestamp;
use eunoe_proto::erasure::erasure_service_server::ErasureService;
use eunoe_proto::erasure::request_erasure_request::Target;
use eunoe_proto::erasure::*;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

/// What a watch does after it has sent the erasure as it is.
#[derive(Clone)]
pub(crate) enum Step {
    /// The newest erasure becomes this one, and the watch sends it.
    To(Box<Erasure>),
    /// The stream breaks.
    Break,
    /// The stream ends, though nothing is at its end.
    End,
}

/// The step to `erasure`.
pub(crate) fn to(erasure: Erasure) -> Step {
    Step::To(Box::new(erasure))
}

/// What the nodes share.
#[derive(Default)]
pub(crate) struct Ladder {
    /// Oldest first.
    pub(crate) erasures: Mutex<Vec<(String, Erasure)>>,
    /// In the order of arrival.
    pub(crate) requests: Mutex<Vec<RequestErasureRequest>>,
    /// After these the watches stay silent.
    pub(crate) steps: Mutex<VecDeque<Step>>,
    /// Answers to the next requests in place of the erasure, which is recorded all the same.
    pub(crate) lost: Mutex<VecDeque<Status>>,
    pub(crate) watches: Mutex<usize>,
}

impl Ladder {
    pub(crate) fn climb(&self, steps: impl IntoIterator<Item = Step>) {
        self.steps.lock().unwrap().extend(steps);
    }

    /// Records an erasure, as an earlier call would have.
    pub(crate) fn put(&self, erasure: Erasure) {
        let request_id = format!("earlier {}", erasure.id);
        self.erasures.lock().unwrap().push((request_id, erasure));
    }

    /// Moves an erasure on without telling the watches.
    pub(crate) fn replace(&self, erasure: Erasure) {
        let mut erasures = self.erasures.lock().unwrap();
        let known = erasures.iter_mut().find(|(_, known)| known.id == erasure.id);
        known.unwrap().1 = erasure;
    }

    fn find(&self, id: &str) -> Result<Erasure, Status> {
        let erasures = self.erasures.lock().unwrap();
        let known = erasures.iter().find(|(_, erasure)| erasure.id == id);
        known
            .map(|(_, erasure)| erasure.clone())
            .ok_or_else(|| Status::not_found(""))
    }

    fn record(&self, request: &RequestErasureRequest) -> RequestErasureResponse {
        let whole_tenant = matches!(request.target, Some(Target::WholeTenant(true)));
        let mut erasures = self.erasures.lock().unwrap();
        let known = erasures.iter_mut().find(|(id, _)| *id == request.request_id);
        if let Some((_, erasure)) = known {
            // The second person has come.
            if whole_tenant {
                *erasure = at(&erasure.id, ErasureState::Fenced, ErasureKind::Tenant);
            }
            let erasure = Some(erasure.clone());
            let created = false;
            let ticket = "a ticket".to_owned();
            return RequestErasureResponse {
                erasure,
                created,
                ticket,
            };
        }
        let id = format!("{:032x}", erasures.len() + 1);
        let (state, kind) = match request.target {
            Some(Target::WholeTenant(_)) => (ErasureState::Requested, ErasureKind::Tenant),
            Some(Target::Subject(_)) => (ErasureState::Fenced, ErasureKind::Subject),
            Some(Target::ConversationId(_) | Target::ConversationExternalRef(_)) | None => {
                (ErasureState::Fenced, ErasureKind::Conversation)
            }
        };
        let erasure = at(&id, state, kind);
        erasures.push((request.request_id.clone(), erasure.clone()));
        RequestErasureResponse {
            erasure: Some(erasure),
            created: true,
            ticket: "a ticket".to_owned(),
        }
    }
}

/// An erasure that has come so far, with the times and figures that a node gives then. Requested at 1,000 s, each
/// state 1 s after the one before; `FULL` once it is destroyed.
pub(crate) fn at(id: &str, state: ErasureState, kind: ErasureKind) -> Erasure {
    let since = |reached: ErasureState| {
        let seconds = 999 + i64::from(i32::from(reached));
        (state >= reached).then_some(Timestamp { seconds, nanos: 0 })
    };
    let rekeyed = state >= ErasureState::Rekeyed;
    let (missing_nodes, grade) = match state {
        ErasureState::Rekeyed => (vec![2, 3], ErasureGrade::Unspecified),
        ErasureState::Destroyed => (Vec::new(), ErasureGrade::Full),
        ErasureState::Unspecified
        | ErasureState::Requested
        | ErasureState::Fenced
        | ErasureState::Cancelling
        | ErasureState::Cancelled => (Vec::new(), ErasureGrade::Unspecified),
    };
    Erasure {
        id: id.to_owned(),
        kind: kind.into(),
        state: state.into(),
        grade: grade.into(),
        reason: ErasureReason::SubjectRequest.into(),
        request_time: since(ErasureState::Requested),
        fence_time: since(ErasureState::Fenced),
        rekey_time: since(ErasureState::Rekeyed),
        destroy_time: since(ErasureState::Destroyed),
        fence_index: if state >= ErasureState::Fenced { 40 } else { 0 },
        epoch: rekeyed.then_some(7),
        missing_nodes,
        keys: 5,
        keys_left: if rekeyed { 0 } else { 5 },
        commitment: vec![0xc0; 32].into(),
        hold_end_time: None,
        cancel_time: None,
    }
}

/// The same, taken back.
pub(crate) fn cancelled(erasure: &Erasure) -> Erasure {
    let mut cancelled = erasure.clone();
    cancelled.set_state(ErasureState::Cancelled);
    (cancelled.keys_left, cancelled.cancel_time) = (
        0,
        Some(Timestamp {
            seconds: 1_010,
            nanos: 0,
        }),
    );
    cancelled
}

pub(crate) struct Erasures(pub(crate) Arc<Ladder>);

#[tonic::async_trait]
impl ErasureService for Erasures {
    async fn request_erasure(
        &self,
        request: Request<RequestErasureRequest>,
    ) -> Result<Response<RequestErasureResponse>, Status> {
        let request = request.into_inner();
        let answer = self.0.record(&request);
        self.0.requests.lock().unwrap().push(request);
        match self.0.lost.lock().unwrap().pop_front() {
            Some(status) => Err(status),
            None => Ok(Response::new(answer)),
        }
    }

    async fn cancel_erasure(
        &self,
        request: Request<CancelErasureRequest>,
    ) -> Result<Response<CancelErasureResponse>, Status> {
        let request = request.into_inner();
        assert_eq!(request.tenant, "acme");
        let known = self.0.find(&request.erasure_id)?;
        let state = known.state();
        if state >= ErasureState::Rekeyed && state != ErasureState::Cancelled {
            return Err(Status::failed_precondition(""));
        }
        let erasure = cancelled(&known);
        self.0.replace(erasure.clone());
        match self.0.lost.lock().unwrap().pop_front() {
            Some(status) => Err(status),
            None => Ok(Response::new(CancelErasureResponse {
                erasure: Some(erasure),
            })),
        }
    }

    async fn get_erasure(
        &self,
        request: Request<GetErasureRequest>,
    ) -> Result<Response<GetErasureResponse>, Status> {
        let request = request.into_inner();
        assert_eq!(request.tenant, "acme");
        let erasure = Some(self.0.find(&request.erasure_id)?);
        Ok(Response::new(GetErasureResponse { erasure }))
    }

    async fn get_receipt(
        &self,
        request: Request<GetReceiptRequest>,
    ) -> Result<Response<GetReceiptResponse>, Status> {
        let request = request.into_inner();
        assert_eq!(request.tenant, "acme");
        let erasure = self.0.find(&request.erasure_id)?;
        if erasure.state() != ErasureState::Destroyed {
            return Err(Status::failed_precondition(""));
        }
        let receipt = format!("a receipt of {}", erasure.id);
        Ok(Response::new(GetReceiptResponse { receipt }))
    }

    async fn list_erasures(
        &self,
        request: Request<ListErasuresRequest>,
    ) -> Result<Response<ListErasuresResponse>, Status> {
        let request = request.into_inner();
        assert_eq!(request.tenant, "acme");
        let first: usize = request.page_token.parse().unwrap_or(0);
        let size = match request.page_size {
            0 => 2,
            size => size as usize,
        };
        let all = self.0.erasures.lock().unwrap();
        let newest_first = all.iter().rev().map(|(_, erasure)| erasure.clone());
        let erasures: Vec<_> = newest_first.skip(first).take(size).collect();
        let next = first + erasures.len();
        let next_page_token = if next < all.len() {
            next.to_string()
        } else {
            String::new()
        };
        Ok(Response::new(ListErasuresResponse {
            erasures,
            next_page_token,
        }))
    }

    type WatchErasureStream = ReceiverStream<Result<WatchErasureResponse, Status>>;

    async fn watch_erasure(
        &self,
        request: Request<WatchErasureRequest>,
    ) -> Result<Response<Self::WatchErasureStream>, Status> {
        let mut now = self.0.find(&request.into_inner().erasure_id)?;
        *self.0.watches.lock().unwrap() += 1;
        let ladder = Arc::clone(&self.0);
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                let last = now.grade() == ErasureGrade::Full || now.state() == ErasureState::Cancelled;
                let erasure = Some(now.clone());
                let sent = sender.send(Ok(WatchErasureResponse { erasure })).await;
                if last || sent.is_err() {
                    return;
                }
                let step = ladder.steps.lock().unwrap().pop_front();
                match step {
                    Some(Step::To(next)) => {
                        now = *next;
                        ladder.replace(now.clone());
                    }
                    Some(Step::Break) => {
                        let _ = sender.send(Err(Status::unavailable("broken"))).await;
                        return;
                    }
                    Some(Step::End) => return,
                    None => return sender.closed().await,
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}
