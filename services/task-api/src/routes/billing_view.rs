//! Money as the API shows it: every amount in micro-credits, as billing told it.

use anneal_contracts::rpc::{self, AuditReply, BalanceReply, BillReply, LedgerReply, PricesReply};
use anneal_domain::{
    id::TaskId,
    spec::{Pool, TaskKind},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::time;

/// What a workspace has.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "each amount is named with its unit")]
pub(crate) struct Balance {
    /// Free to spend.
    available_microcredits: i64,
    /// Reserved by holds.
    held_microcredits: i64,
    /// Captured so far.
    spent_microcredits: i64,
}

impl From<BalanceReply> for Balance {
    fn from(reply: BalanceReply) -> Self {
        Self {
            available_microcredits: reply.available.0,
            held_microcredits: reply.held.0,
            spent_microcredits: reply.spent.0,
        }
    }
}

/// Every rate.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Prices {
    prices: Vec<Price>,
}

/// What running costs.
#[derive(Debug, Serialize, ToSchema)]
struct Price {
    kind: TaskKind,
    pool: Pool,
    /// For an hour of running time.
    rate_per_hour_microcredits: i64,
}

impl From<PricesReply> for Prices {
    fn from(reply: PricesReply) -> Self {
        let price = |price: rpc::Price| Price {
            kind: price.kind,
            pool: price.pool,
            rate_per_hour_microcredits: price.rate_per_hour.0,
        };
        Self { prices: reply.prices.into_iter().map(price).collect() }
    }
}

/// One line of the double-entry ledger.
#[derive(Debug, Serialize, ToSchema)]
struct Posting {
    /// Its place in the ledger.
    id: i64,
    /// What makes a repeat change nothing.
    operation: String,
    /// `top_up`, `hold`, `extend`, `capture`, `release` or `credit`.
    reason: String,
    /// The account that it is taken from.
    debit: String,
    /// The account that it goes to.
    credit: String,
    /// Never negative.
    amount_microcredits: i64,
    /// The task that it is about.
    task: Option<TaskId>,
    at: String,
}

impl From<rpc::Posting> for Posting {
    fn from(row: rpc::Posting) -> Self {
        Self {
            id: row.id,
            operation: row.operation,
            reason: row.reason,
            debit: row.debit,
            credit: row.credit,
            amount_microcredits: row.amount.0,
            task: row.task,
            at: time(row.at_ms),
        }
    }
}

fn postings(rows: Vec<rpc::Posting>) -> Vec<Posting> {
    rows.into_iter().map(Posting::from).collect()
}

/// A page of the ledger, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LedgerPage {
    data: Vec<Posting>,
    /// Whether there are more.
    has_more: bool,
    /// The last posting of this page: the next one begins after it.
    next_after: Option<i64>,
    /// The sum over all accounts of the whole ledger: zero when the books are right.
    ledger_sum_microcredits: i64,
}

impl From<LedgerReply> for LedgerPage {
    fn from(reply: LedgerReply) -> Self {
        Self {
            next_after: reply.postings.last().map(|row| row.id),
            data: postings(reply.postings),
            has_more: reply.has_more,
            ledger_sum_microcredits: reply.sum.0,
        }
    }
}

/// What one task cost.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Bill {
    task: TaskId,
    /// For an hour of running time.
    rate_per_hour_microcredits: i64,
    /// The highest cost that was expected at launch.
    quoted_microcredits: i64,
    /// The hold and its extensions.
    held_microcredits: i64,
    /// Charged.
    captured_microcredits: i64,
    /// Given back from the hold.
    released_microcredits: i64,
    /// Given back for work that had to be done again.
    credited_microcredits: i64,
    /// Running time that was charged.
    running_seconds: f64,
    /// Whether nothing more comes.
    closed: bool,
    /// Every posting, oldest first.
    postings: Vec<Posting>,
}

impl From<BillReply> for Bill {
    fn from(bill: BillReply) -> Self {
        Self {
            task: bill.task,
            rate_per_hour_microcredits: bill.rate_per_hour.0,
            quoted_microcredits: bill.quoted.0,
            held_microcredits: bill.held.0,
            captured_microcredits: bill.captured.0,
            released_microcredits: bill.released.0,
            credited_microcredits: bill.credited.0,
            running_seconds: bill.running_ms as f64 / 1000.0,
            closed: bill.closed,
            postings: postings(bill.postings),
        }
    }
}

/// Every charge of a workspace beside its recomputation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Audit {
    rows: Vec<AuditedTask>,
    /// The sum of all differences, unsigned: zero when the books are right.
    difference_microcredits: i64,
}

/// One task's charge beside its recomputation.
#[derive(Debug, Serialize, ToSchema)]
struct AuditedTask {
    task: TaskId,
    /// In the ledger: captured less credited.
    charged_microcredits: i64,
    /// From the stream of usage.
    recomputed_microcredits: i64,
}

impl From<AuditReply> for Audit {
    fn from(reply: AuditReply) -> Self {
        let audited = |row: rpc::AuditRow| AuditedTask {
            task: row.task,
            charged_microcredits: row.charged.0,
            recomputed_microcredits: row.recomputed.0,
        };
        Self {
            rows: reply.rows.into_iter().map(audited).collect(),
            difference_microcredits: reply.difference.0,
        }
    }
}
