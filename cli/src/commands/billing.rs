//! What things cost.

use anneal_domain::id::{TaskId, WorkspaceId};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::{
    client::Api,
    failure::Failure,
    output::{Output, csv, rows},
};

/// A task's bill, or one of the books.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub(crate) struct BillArguments {
    /// The task whose bill to show.
    task: Option<TaskId>,
    #[command(subcommand)]
    command: Option<BillCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BillCommand {
    /// What the workspace has.
    Balance,
    /// Every posting.
    Ledger {
        /// As CSV.
        #[arg(long)]
        csv: bool,
        /// After this posting.
        #[arg(long, default_value_t = 0)]
        after: i64,
    },
    /// Recompute every charge from the usage that was reported, and show the difference.
    Audit,
    /// Prices by kind and pool.
    Prices,
    /// Put credits into a workspace (admins of the first workspace).
    TopUp {
        /// Credits, with up to six decimals.
        #[arg(value_parser = credits)]
        amount: i64,
        /// Which workspace; the key's own when absent.
        #[arg(long)]
        workspace: Option<WorkspaceId>,
    },
}

const POSTING: [&str; 8] =
    ["id", "at", "reason", "amount_microcredits", "debit", "credit", "task", "operation"];

pub(crate) async fn run(arguments: BillArguments, api: &Api, output: &Output) -> Result<(), Failure> {
    let Some(command) = arguments.command else {
        let Some(task) = arguments.task else {
            return Err(Failure::Invalid("name a task".to_owned()));
        };
        return bill(api, output, task).await;
    };
    match command {
        BillCommand::Balance => output.show(&api.get("billing/balance", &[]).await?),
        BillCommand::Ledger { csv, after } => ledger(api, output, csv, after).await,
        BillCommand::Prices => {
            let prices = api.get("billing/prices", &[]).await?;
            output.list(&prices, &["kind", "pool", "rate_per_hour_microcredits"])
        }
        BillCommand::Audit => audit(api, output).await,
        BillCommand::TopUp { amount, workspace } => {
            let mut body = json!({ "amount_microcredits": amount });
            if let Some(workspace) = workspace {
                body["workspace"] = json!(workspace);
            }
            output.show(&api.post("billing/top-up", &body).await?)
        }
    }
}

async fn bill(api: &Api, output: &Output, task: TaskId) -> Result<(), Failure> {
    let mut bill = api.get(&format!("billing/tasks/{task}"), &[]).await?;
    if output.is_json() {
        return output.value(&bill);
    }
    let postings = bill.as_object_mut().and_then(|fields| fields.remove("postings")).unwrap_or_default();
    output.show(&bill)?;
    output.list(&postings, &POSTING[..6])
}

async fn ledger(api: &Api, output: &Output, as_csv: bool, after: i64) -> Result<(), Failure> {
    let mut after = after;
    let mut all = Vec::new();
    loop {
        let query = [("after", after.to_string()), ("limit", "100".to_owned())];
        let page = api.get("billing/ledger", &query).await?;
        let postings = rows(&page);
        let last = postings.last().and_then(|posting| posting["id"].as_i64());
        all.extend_from_slice(postings);
        match last {
            Some(last) if last > after && page["has_more"] == true => after = last,
            _ => break,
        }
    }
    if as_csv {
        return output.text(&csv(&all, &POSTING));
    }
    output.list(&Value::Array(all), &POSTING)
}

async fn audit(api: &Api, output: &Output) -> Result<(), Failure> {
    let report = api.post("billing/audit", &json!({})).await?;
    output.list(&report, &["task", "charged_microcredits", "recomputed_microcredits"])?;
    let difference = report["difference_microcredits"].as_i64().or(report["difference"].as_i64());
    match difference {
        Some(0) if output.is_json() => Ok(()),
        Some(0) => output.text("difference: 0\n"),
        Some(off) => Err(Failure::Failed(format!("the books are off by {off} micro-credits"))),
        None => Err(Failure::Failed("the server told no difference".to_owned())),
    }
}

/// Credits with up to six decimals as micro-credits, exactly.
fn credits(text: &str) -> Result<i64, String> {
    let wrong = || "a positive amount of credits with up to six decimals, such as 12.5".to_owned();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || part.len() > 6 || !digits(whole) || !digits(part) {
        return Err(wrong());
    }
    let amount = format!("{whole}{part:0<6}").parse::<i64>().map_err(|_| wrong())?;
    if amount > 0 { Ok(amount) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credits_are_exact() {
        assert_eq!(credits("12.5"), Ok(12_500_000));
        assert_eq!(credits("0.000001"), Ok(1));
        assert_eq!(credits("3"), Ok(3_000_000));
        for bad in ["", "0", "-1", "1e3", ".5", "1.2345678", "99999999999999999"] {
            assert!(credits(bad).is_err(), "{bad}");
        }
    }
}
