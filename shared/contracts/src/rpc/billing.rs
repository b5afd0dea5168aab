//! Prices, quotes, holds, balances and bills.

use anneal_domain::{
    Microcredits,
    id::{HoldId, TaskId, WorkspaceId},
    spec::{Pool, TaskKind},
};
use serde::{Deserialize, Serialize};

/// The rate of one kind in one pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Kind of task.
    pub kind: TaskKind,
    /// Pool.
    pub pool: Pool,
    /// Micro-credits per hour of running time.
    pub rate_per_hour: Microcredits,
}

/// All prices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PricesReply {
    /// One row a kind and pool.
    pub prices: Vec<Price>,
}

/// What would this cost?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuoteRequest {
    /// The workspace that would pay.
    pub workspace: WorkspaceId,
    /// Kind of task.
    pub kind: TaskKind,
    /// Pool.
    pub pool: Pool,
    /// Expected running time: least and most, in milliseconds.
    pub expected_ms: [i64; 2],
    /// Free by the manual's rule (an evaluation of at most two datasets).
    pub free: bool,
    /// Charged its estimate instead of its running time (an evaluation of more than two datasets).
    pub by_estimate: bool,
}

/// What it would cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuoteReply {
    /// Rate per hour.
    pub rate_per_hour: Microcredits,
    /// Cost of the shortest and the longest expected running time.
    pub range: [Microcredits; 2],
    /// What would be held at launch.
    pub hold: Microcredits,
    /// Balance that is free to hold now.
    pub available: Microcredits,
}

/// Reserve an amount for a task before it is committed. The task's id is the operation key: a repeat changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceHold {
    /// The task it is for.
    pub task: TaskId,
    /// What was quoted.
    pub quote: QuoteRequest,
}

/// The hold, or (`insufficient_balance`) a refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceHoldReply {
    /// The hold; none when the task is free.
    pub hold: Option<HoldId>,
    /// The held amount.
    pub held: Microcredits,
    /// Rate per hour, frozen here: a task costs what it was quoted, whatever prices become before its claims.
    pub rate_per_hour: Microcredits,
}

/// Give a hold back whose task was never committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseHold {
    /// The task it was for.
    pub task: TaskId,
}

/// Put credits into a workspace. `key` makes a repeat change nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopUp {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// How much.
    pub amount: Microcredits,
    /// Operation key.
    pub key: String,
}

/// Which workspace's balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceRequest {
    /// The workspace.
    pub workspace: WorkspaceId,
}

/// What a workspace has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceReply {
    /// Free to spend.
    pub available: Microcredits,
    /// Reserved by holds.
    pub held: Microcredits,
    /// Captured so far.
    pub spent: Microcredits,
}

/// Which task's bill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillRequest {
    /// The workspace that asks (a task of another one is `not_found`).
    pub workspace: WorkspaceId,
    /// The task.
    pub task: TaskId,
}

/// What one task cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillReply {
    /// The task.
    pub task: TaskId,
    /// Rate per hour.
    pub rate_per_hour: Microcredits,
    /// Highest expected cost at launch.
    pub quoted: Microcredits,
    /// Sum of holds and extensions.
    pub held: Microcredits,
    /// Charged.
    pub captured: Microcredits,
    /// Given back from the hold.
    pub released: Microcredits,
    /// Credited for work that had to be done again.
    pub credited: Microcredits,
    /// Charged running time.
    pub running_ms: i64,
    /// Whether the bill is closed.
    pub closed: bool,
    /// Every posting, in order.
    pub postings: Vec<Posting>,
}

/// One line of the double-entry ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// Place in the ledger.
    pub id: i64,
    /// Operation key: what makes a repeat change nothing.
    pub operation: String,
    /// What it is for: `top_up`, `hold`, `extend`, `capture`, `release`, `credit`.
    pub reason: String,
    /// Account debited.
    pub debit: String,
    /// Account credited.
    pub credit: String,
    /// Amount, never negative.
    pub amount: Microcredits,
    /// The task it is about.
    pub task: Option<TaskId>,
    /// When, in Unix milliseconds.
    pub at_ms: i64,
}

/// A page of a workspace's postings, newest last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRequest {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// After this posting id.
    pub after: i64,
    /// At most this many.
    pub limit: u32,
}

/// A page of postings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerReply {
    /// The postings.
    pub postings: Vec<Posting>,
    /// Whether there are more.
    pub has_more: bool,
    /// Sum over all accounts of the whole ledger: always zero.
    pub sum: Microcredits,
}

/// Which workspace's charges are recomputed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRequest {
    /// The workspace.
    pub workspace: WorkspaceId,
}

/// Every charge of a workspace recomputed from the usage stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditReply {
    /// One row a task.
    pub rows: Vec<AuditRow>,
    /// Sum of all differences, unsigned: zero when the books are right.
    pub difference: Microcredits,
}

/// One task's charge beside its recomputation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// The task.
    pub task: TaskId,
    /// In the ledger (captured minus credited).
    pub charged: Microcredits,
    /// From the usage stream.
    pub recomputed: Microcredits,
}
