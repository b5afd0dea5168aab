//! What one task cost.

use anneal_contracts::rpc::{BillReply, BillRequest};

use crate::{Billing, Error, metering::State, store};

pub(crate) async fn bill(billing: Billing, request: BillRequest) -> Result<BillReply, Error> {
    let BillRequest { workspace, task } = request;
    billing
        .store
        .transaction(move |tx| async move {
            let bill = store::load_for_task(&*tx, task).await?;
            if bill.workspace != workspace {
                return Err(Error::refused("not_found", format!("there is no bill of {task}")));
            }
            Ok(BillReply {
                task,
                rate_per_hour: bill.rate,
                quoted: bill.quoted,
                held: bill.held,
                captured: bill.captured,
                released: bill.released,
                credited: bill.credited,
                running_ms: bill.billable_ms(),
                closed: matches!(bill.state, State::Closed | State::Lapsed),
                postings: store::of_task(&*tx, task).await?,
            })
        })
        .await
}
