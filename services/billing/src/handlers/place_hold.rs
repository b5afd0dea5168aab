//! Reserve the quoted amount, before the task is committed.

use anneal_contracts::rpc::{PlaceHold, PlaceHoldReply};
use anneal_domain::{Microcredits, id::HoldId};
use anneal_store::Tx;

use crate::{
    Billing, Error,
    ledger::{Account, Entry},
    metering::{Bill, State, Terms},
    quote::Quote,
    store,
};

pub(crate) async fn place_hold(billing: Billing, request: PlaceHold) -> Result<PlaceHoldReply, Error> {
    let inner = billing.clone();
    billing
        .store
        .transaction(move |tx| async move {
            store::lock(&tx, vec![request.quote.workspace]).await?;
            inner.first_sight(&tx, request.quote.workspace).await?;
            inner.place(&tx, &request).await
        })
        .await
}

impl Billing {
    async fn place(&self, tx: &Tx, request: &PlaceHold) -> Result<PlaceHoldReply, Error> {
        let workspace = request.quote.workspace;
        let known = store::load(&**tx, request.task).await?;
        let mut bill = known.unwrap_or_else(|| Bill::new(request.task, workspace));
        if bill.workspace != workspace {
            return Err(Error::refused("conflict", "this task id belongs to another hold"));
        }
        if matches!(bill.state, State::Closed | State::Lapsed) {
            return Err(Error::refused(
                "closed",
                "the hold of this task was given back: use another task id",
            ));
        }
        if bill.terms.is_some() {
            return Ok(reply(&bill));
        }
        let quote = Quote::of(&request.quote, &self.settings.prices, &self.settings.limits)?;
        bill.terms = Some(quote.terms);
        bill.rate = quote.rate;
        bill.quoted = quote.range[1];
        if quote.terms != Terms::Free {
            self.reserve(tx, &mut bill, quote.hold).await?;
        }
        store::save(tx, &bill, None).await?;
        Ok(reply(&bill))
    }

    async fn reserve(&self, tx: &Tx, bill: &mut Bill, amount: Microcredits) -> Result<(), Error> {
        let available = store::balance(&**tx, Account::Available(bill.workspace)).await?;
        if available < amount || available < Microcredits::ZERO {
            let message = format!("this needs {amount} credits held, and {available} are available");
            return Err(Error::refused("insufficient_balance", message));
        }
        for movement in bill.place(HoldId::new(), amount)? {
            let entry = Entry {
                operation: format!("hold/{}", bill.task),
                reason: movement.reason,
                workspace: bill.workspace,
                task: Some(bill.task),
                amount: movement.amount,
            };
            store::post(tx, &entry).await?;
        }
        Ok(())
    }
}

fn reply(bill: &Bill) -> PlaceHoldReply {
    PlaceHoldReply { hold: bill.hold, held: bill.held, rate_per_hour: bill.rate }
}
