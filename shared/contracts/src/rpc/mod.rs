//! Requests that wait for a reply, over the broker's request/reply.
//!
//! Every reply is a [`Reply`]: the answer, or a [`Refusal`] that says whether to try again.

mod billing;
mod claim_task;
mod commit_checkpoint;
mod deployments;
mod finish_task;
mod pause_task;
mod reject_checkpoint;
mod renew_lease;
mod report_stage;

use serde::{Deserialize, Serialize};

pub use billing::{
    AuditReply, AuditRequest, AuditRow, BalanceReply, BalanceRequest, BillReply, BillRequest, LedgerReply,
    LedgerRequest, PlaceHold, PlaceHoldReply, Posting, Price, PricesReply, QuoteReply, QuoteRequest,
    ReleaseHold, TopUp,
};
pub use claim_task::{ClaimReply, ClaimTask, ClaimedTask, InputFolder, ResumePoint};
pub use commit_checkpoint::CommitCheckpoint;
pub use deployments::{DeploymentTarget, DeploymentsReply, ReportDeployment};
pub use finish_task::FinishTask;
pub use pause_task::PauseTask;
pub use reject_checkpoint::RejectCheckpoint;
pub use renew_lease::{RenewLease, RenewReply};
pub use report_stage::ReportStage;

/// The answer to a request, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply<T> {
    /// The answer.
    Ok(T),
    /// Why there is none.
    Err(Refusal),
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// A stable code such as `fenced`, `not_found`, `insufficient_balance`, `unavailable`.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
}

impl Refusal {
    /// The caller's lease is not the current one: kill the engine, drop everything.
    pub fn fenced() -> Self {
        Self {
            code: "fenced".to_owned(),
            message: "another lease holds this task".to_owned(),
            retryable: false,
        }
    }

    /// Whether this says that the lease is lost.
    pub fn is_fenced(&self) -> bool {
        self.code == "fenced"
    }
}

/// An empty answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {}
