//! Give a hold back whose task was never committed.

use anneal_contracts::rpc::{Done, ReleaseHold};

use crate::{Billing, Error, metering::State, store};

pub(crate) async fn release_hold(billing: Billing, request: ReleaseHold) -> Result<Done, Error> {
    let inner = billing.clone();
    billing
        .store
        .transaction(move |tx| async move {
            let Some(bill) = store::load(&*tx, request.task).await? else { return Ok(Done {}) };
            store::lock(&tx, vec![bill.workspace]).await?;
            if bill.state == State::Open {
                return Err(Error::refused("task_exists", "an accepted task stands behind this hold"));
            }
            inner.lapse(&tx, request.task).await?;
            Ok(Done {})
        })
        .await
}
