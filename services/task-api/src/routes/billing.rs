//! Money, as billing tells it: every answer comes from there.

use actix_web::{
    HttpResponse, get, post,
    web::{Data, Path},
};
use anneal_contracts::{
    rpc::{
        AuditReply, AuditRequest, BalanceReply, BalanceRequest, BillReply, BillRequest, Done, LedgerReply,
        LedgerRequest, Posting, PricesReply, TopUp,
    },
    subject::rpc,
};
use anneal_domain::{Microcredits, field_error::FieldErrors, id::WorkspaceId};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::billing_view::{Audit, Balance, Bill, LedgerPage, Prices};
use crate::{
    App, Error,
    access::{Role, workspace},
    http::{Caller, Problem, Query, Raw, id, parse, time},
};

/// Postings of one page.
const LARGEST_PAGE: u32 = 1000;

async fn balance_of(app: &App, caller: &Caller, workspace: WorkspaceId) -> Result<HttpResponse, Error> {
    let ask = BalanceRequest { workspace };
    let reply: BalanceReply = app.bus.request(rpc::BALANCE, caller.trace, &ask).await?;
    Ok(HttpResponse::Ok().json(Balance::from(reply)))
}

/// What the workspace has.
#[utoipa::path(tag = "billing", responses((status = 200, body = Balance)))]
#[get("/api/v1/billing/balance")]
pub(crate) async fn balance(app: Data<App>, caller: Caller) -> Result<HttpResponse, Error> {
    balance_of(&app, &caller, caller.workspace).await
}

/// Credits to put in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TopUpForm {
    /// More than 0.
    amount_microcredits: i64,
    /// Whose; the caller's own workspace when absent.
    workspace: Option<WorkspaceId>,
}

/// Puts credits into a workspace; with an `Idempotency-Key`, once. Only admins of the first workspace may.
#[utoipa::path(tag = "billing", request_body = TopUpForm,
    responses((status = 200, body = Balance), (status = 403, body = Problem), (status = 422, body = Problem)))]
#[post("/api/v1/billing/top-up")]
pub(crate) async fn top_up(app: Data<App>, caller: Caller, body: Raw) -> Result<HttpResponse, Error> {
    caller.need_operator()?;
    let form: TopUpForm = parse(&body.0)?;
    let workspace = form.workspace.unwrap_or(caller.workspace);
    let mut wrong = FieldErrors::default();
    wrong.require(form.amount_microcredits > 0, "amount_microcredits", "must be more than 0");
    let known = workspace::find(app.store.read(), workspace).await?;
    wrong.require(known.is_some(), "workspace", "there is no such workspace");
    let wrong = wrong.into_vec();
    if !wrong.is_empty() {
        return Err(Error::Invalid(wrong));
    }
    let key =
        caller.idempotency_key.clone().unwrap_or_else(|| anneal_domain::id::RequestId::new().to_string());
    let ask = TopUp {
        workspace,
        amount: Microcredits(form.amount_microcredits),
        key: format!("{}/{key}", caller.workspace),
    };
    let _: Done = app.bus.request(rpc::TOP_UP, caller.trace, &ask).await?;
    balance_of(&app, &caller, workspace).await
}

/// Rates per kind and pool.
#[utoipa::path(tag = "billing", responses((status = 200, body = Prices)))]
#[get("/api/v1/billing/prices")]
pub(crate) async fn prices(app: Data<App>, caller: Caller) -> Result<HttpResponse, Error> {
    let reply: PricesReply = app.bus.request(rpc::PRICES, caller.trace, &Done {}).await?;
    Ok(HttpResponse::Ok().json(Prices::from(reply)))
}

/// Which postings are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct LedgerFilter {
    /// After this posting.
    after: Option<i64>,
    /// 1 to 1000.
    limit: Option<u32>,
}

async fn ledger_page(app: &App, caller: &Caller, after: i64, limit: u32) -> Result<LedgerReply, Error> {
    let ask = LedgerRequest { workspace: caller.workspace, after, limit };
    Ok(app.bus.request(rpc::LEDGER, caller.trace, &ask).await?)
}

/// Postings, oldest first.
#[utoipa::path(tag = "billing", params(LedgerFilter), responses((status = 200, body = LedgerPage)))]
#[get("/api/v1/billing/ledger")]
pub(crate) async fn ledger(
    app: Data<App>,
    caller: Caller,
    filter: Query<LedgerFilter>,
) -> Result<HttpResponse, Error> {
    let limit = filter.limit.unwrap_or(100);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(Error::field("limit", "must be 1 to 1000"));
    }
    let reply = ledger_page(&app, &caller, filter.after.unwrap_or(0), limit).await?;
    Ok(HttpResponse::Ok().json(LedgerPage::from(reply)))
}

/// Every posting as CSV.
#[utoipa::path(tag = "billing", responses((status = 200, body = String, content_type = "text/csv")))]
#[get("/api/v1/billing/ledger.csv")]
pub(crate) async fn ledger_csv(app: Data<App>, caller: Caller) -> Result<HttpResponse, Error> {
    let mut text = "id,at,operation,reason,debit,credit,amount_microcredits,task\r\n".to_owned();
    let mut after = 0;
    loop {
        let page = ledger_page(&app, &caller, after, LARGEST_PAGE).await?;
        for row in &page.postings {
            text.push_str(&csv_line(row));
        }
        match page.postings.last().filter(|_| page.has_more) {
            Some(last) => after = last.id,
            None => break,
        }
    }
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header(("Content-Disposition", "attachment; filename=\"ledger.csv\""))
        .body(text))
}

fn csv_line(row: &Posting) -> String {
    let task = row.task.map(|task| task.to_string()).unwrap_or_default();
    let [operation, reason, debit, credit] =
        [&row.operation, &row.reason, &row.debit, &row.credit].map(|text| cell(text));
    let (at, amount) = (time(row.at_ms), row.amount.0);
    format!("{},{at},{operation},{reason},{debit},{credit},{amount},{task}\r\n", row.id)
}

/// A quoted cell that no spreadsheet takes for a formula.
fn cell(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

/// What one task cost.
#[utoipa::path(tag = "billing", responses((status = 200, body = Bill), (status = 404, body = Problem)))]
#[get("/api/v1/billing/tasks/{id}")]
pub(crate) async fn task_bill(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
) -> Result<HttpResponse, Error> {
    // Billing knows whose task it was, and keeps its bill when the task is deleted.
    let ask = BillRequest { workspace: caller.workspace, task: id(&path, "task")? };
    let reply: BillReply = app.bus.request(rpc::BILL, caller.trace, &ask).await?;
    Ok(HttpResponse::Ok().json(Bill::from(reply)))
}

/// Recomputes every charge of the workspace from the stream of usage.
#[utoipa::path(tag = "billing", responses((status = 200, body = Audit), (status = 403, body = Problem)))]
#[post("/api/v1/billing/audit")]
pub(crate) async fn audit(app: Data<App>, caller: Caller) -> Result<HttpResponse, Error> {
    caller.need(Role::Admin)?;
    let wait = std::time::Duration::from_secs(120);
    let ask = AuditRequest { workspace: caller.workspace };
    let reply: AuditReply = app.bus.request_within(wait, rpc::AUDIT, caller.trace, &ask).await?;
    Ok(HttpResponse::Ok().json(Audit::from(reply)))
}
