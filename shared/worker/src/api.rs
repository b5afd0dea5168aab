//! The worker's questions to task-api.

use std::time::Duration;

use anneal_bus::{Bus, RequestError};
use anneal_contracts::{
    Trace,
    rpc::{
        ClaimReply, ClaimTask, CommitCheckpoint, Done, FinishTask, RejectCheckpoint, RenewLease, RenewReply,
        ReportStage,
    },
    subject::rpc,
};
use anneal_domain::id::{RequestId, TaskId, WorkerId};
use serde::Serialize;

use crate::WorkerError;

/// A claim that nobody answered for this long is given back to the queue; well under the queue's `ack_wait`.
const CLAIM_PATIENCE: Duration = Duration::from_secs(20);
/// How long one request waits for its answer.
const ANSWER_WAIT: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// task-api, as one worker sees it.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    bus: Bus,
    pub(crate) worker: WorkerId,
    pub(crate) trace: Trace,
}

impl Api {
    pub(crate) fn new(bus: Bus, worker: WorkerId) -> Self {
        Self { bus, worker, trace: Trace::fresh() }
    }

    pub(crate) fn traced(&self, trace: Trace) -> Self {
        Self { trace, ..self.clone() }
    }

    /// One request id over all tries: a claim answered twice is one claim.
    pub(crate) async fn claim(&self, task: TaskId) -> Result<ClaimReply, RequestError> {
        let request = ClaimTask { task, worker: self.worker, request: RequestId::new() };
        let tries = self.insist(rpc::CLAIM_TASK, &request);
        tokio::time::timeout(CLAIM_PATIENCE, tries)
            .await
            .unwrap_or_else(|_| Err(RequestError::TimedOut(rpc::CLAIM_TASK.to_owned())))
    }

    /// Asked once; the keeper decides what an error means.
    pub(crate) async fn renew(
        &self,
        wait: Duration,
        renewal: &RenewLease,
    ) -> Result<RenewReply, RequestError> {
        self.bus.request_within(wait, rpc::RENEW_LEASE, self.trace.child(), renewal).await
    }

    pub(crate) async fn report_stage(&self, report: &ReportStage) -> Result<(), WorkerError> {
        self.effect(rpc::REPORT_STAGE, report).await
    }

    pub(crate) async fn commit_checkpoint(&self, commit: &CommitCheckpoint) -> Result<(), WorkerError> {
        self.effect(rpc::COMMIT_CHECKPOINT, commit).await
    }

    /// Asked once: the work goes on without that checkpoint all the same.
    pub(crate) async fn reject_checkpoint(&self, reject: &RejectCheckpoint) -> Result<Done, RequestError> {
        self.bus.request_within(ANSWER_WAIT, rpc::REJECT_CHECKPOINT, self.trace.child(), reject).await
    }

    pub(crate) async fn finish(&self, finish: &FinishTask) -> Result<(), WorkerError> {
        self.effect(rpc::FINISH_TASK, finish).await
    }

    /// An effect under the lease: tried until it is answered; the caller stops trying when the lease is lost.
    async fn effect<T: Serialize>(&self, subject: &str, body: &T) -> Result<(), WorkerError> {
        match self.insist(subject, body).await {
            Ok(Done {}) => Ok(()),
            Err(RequestError::Refused(refusal)) if refusal.is_fenced() => Err(WorkerError::LeaseLost),
            Err(error) => Err(error.into()),
        }
    }

    async fn insist<T: Serialize, R: serde::de::DeserializeOwned>(
        &self,
        subject: &str,
        body: &T,
    ) -> Result<R, RequestError> {
        let mut pause = Duration::from_millis(50);
        loop {
            match self.bus.request_within(ANSWER_WAIT, subject, self.trace.child(), body).await {
                Err(error) if error.is_retryable() => {
                    tracing::warn!(%error, subject, "asking again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                answered => return answered,
            }
        }
    }
}
