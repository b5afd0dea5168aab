//! Step 6: what each task was quoted, held, charged and given back; the books must balance.

use anyhow::{Result, bail};
use serde_json::{Value, json};

use std::time::Duration;

use super::number;
use crate::{
    api::Api,
    report::Report,
    show::{fact, heading},
};

pub(super) async fn run(api: &Api, tasks: &[String], report: &mut Report) -> Result<()> {
    heading(6, "The bill");
    let mut total = [0.0; 4];
    let mut rows = Vec::new();
    for task in tasks {
        let bill = closed_bill(api, task).await?;
        let keys = ["quoted", "held", "captured", "released"];
        let mut amounts = [0.0; 4];
        for (amount, key) in amounts.iter_mut().zip(keys) {
            *amount = number(&bill, &[&format!("{key}_microcredits")])?;
        }
        for (sum, amount) in total.iter_mut().zip(amounts) {
            *sum += amount;
        }
        let [quoted, held, captured, released] = amounts;
        fact(task, &format!("quoted {quoted}, held {held}, captured {captured}, released {released} µcr"));
        rows.push(bill);
    }
    let ledger = api.get("/api/v1/billing/ledger?limit=1").await?;
    let sum = number(&ledger, &["ledger_sum_microcredits"])?;
    fact("ledger sum", &format!("{sum} µcr"));
    let [quoted, held, captured, released] = total;
    report.set(
        "billing",
        json!({"quoted": quoted, "held": held, "captured": captured, "released": released, "tasks": rows}),
    );
    report.set("ledger_sum_microcredits", json!(sum as i64));
    if sum != 0.0 {
        bail!("the ledger does not sum to zero");
    }
    if held - captured - released != 0.0 {
        bail!("held amounts were neither captured nor released: {total:?}");
    }
    Ok(())
}

/// The bill of a finished task closes when billing has seen its last event.
async fn closed_bill(api: &Api, task: &str) -> Result<Value> {
    for _ in 0..100 {
        let bill = api.get(&format!("/api/v1/tasks/{task}/bill")).await?;
        if bill["closed"] == true {
            return Ok(bill);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    bail!("the bill of {task} did not close within 20 seconds")
}
