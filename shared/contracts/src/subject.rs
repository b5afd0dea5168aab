//! Every subject, built from typed parts only: no text of a user's ever becomes a subject.

use anneal_domain::{
    id::{TaskId, WorkspaceId},
    spec::{Pool, TaskKind},
};

/// Where the dispatch of a task of this kind and pool goes.
pub fn dispatch(kind: TaskKind, pool: Pool) -> String {
    format!("task.v1.dispatch.{}.{}", kind.as_str(), pool.as_str())
}

/// Where the facts of a task go.
pub fn event(workspace: WorkspaceId, task: TaskId) -> String {
    format!("event.v1.{workspace}.task.{task}")
}

/// Where the running time of a task goes.
pub fn usage(workspace: WorkspaceId, task: TaskId) -> String {
    format!("usage.v1.{workspace}.{task}")
}

/// Where a task's metrics, log lines or progress go.
pub fn telemetry(workspace: WorkspaceId, task: TaskId, channel: Channel) -> String {
    format!("telemetry.v1.{workspace}.{task}.{}", channel.as_str())
}

/// Where a message that can never be processed is kept; `consumer` is the name of the durable that gave up.
pub fn dead_letter(consumer: &str) -> String {
    let safe: String =
        consumer.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    format!("deadletter.v1.{safe}")
}

/// High-rate channels of a running task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Values measured at steps.
    Metric,
    /// Log lines.
    Log,
    /// How far it is.
    Progress,
}

impl Channel {
    /// The last token of the subject.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Metric => "metric",
            Self::Log => "log",
            Self::Progress => "progress",
        }
    }
}

/// Subjects of requests that wait for a reply; see [`crate::rpc`].
pub mod rpc {
    /// Take the lease of a queued task.
    pub const CLAIM_TASK: &str = "rpc.v1.task.claim";
    /// Keep the lease and report running time.
    pub const RENEW_LEASE: &str = "rpc.v1.task.renew";
    /// Report facts of the running task (stages).
    pub const REPORT_STAGE: &str = "rpc.v1.task.stage";
    /// Make an uploaded checkpoint real.
    pub const COMMIT_CHECKPOINT: &str = "rpc.v1.task.checkpoint";
    /// Say that a committed checkpoint cannot be gone on from.
    pub const REJECT_CHECKPOINT: &str = "rpc.v1.task.reject-checkpoint";
    /// End the lease with an outcome.
    pub const FINISH_TASK: &str = "rpc.v1.task.finish";
    /// Ask a running task to pause because its money ran out.
    pub const PAUSE_TASK: &str = "rpc.v1.task.pause";
    /// What a specification would cost.
    pub const QUOTE: &str = "rpc.v1.billing.quote";
    /// Reserve the quoted amount.
    pub const PLACE_HOLD: &str = "rpc.v1.billing.hold";
    /// Give a hold back that no task stands behind.
    pub const RELEASE_HOLD: &str = "rpc.v1.billing.release";
    /// Balance of a workspace.
    pub const BALANCE: &str = "rpc.v1.billing.balance";
    /// Put credits into a workspace.
    pub const TOP_UP: &str = "rpc.v1.billing.top-up";
    /// What one task cost, posting by posting.
    pub const BILL: &str = "rpc.v1.billing.bill";
    /// Postings of a workspace, paged.
    pub const LEDGER: &str = "rpc.v1.billing.ledger";
    /// Prices.
    pub const PRICES: &str = "rpc.v1.billing.prices";
    /// Recompute every charge from the usage stream.
    pub const AUDIT: &str = "rpc.v1.billing.audit";
    /// The current deployments, for a server that starts.
    pub const LIST_DEPLOYMENTS: &str = "rpc.v1.deployment.list";
    /// A deployment became ready or failed.
    pub const REPORT_DEPLOYMENT: &str = "rpc.v1.deployment.report";
}

/// Core (not stored) notice that the set of deployments changed.
pub const DEPLOYMENTS_CHANGED: &str = "notice.v1.deployments";
