//! What a task would cost.

use anneal_contracts::rpc::{QuoteReply, QuoteRequest};

use crate::{Billing, Error, ledger::Account, quote::Quote, store};

pub(crate) async fn quote(billing: Billing, request: QuoteRequest) -> Result<QuoteReply, Error> {
    let quote = Quote::of(&request, &billing.settings.prices, &billing.settings.limits)?;
    let inner = billing.clone();
    billing
        .store
        .transaction(move |tx| async move {
            store::lock(&tx, vec![request.workspace]).await?;
            inner.first_sight(&tx, request.workspace).await?;
            Ok(QuoteReply {
                rate_per_hour: quote.rate,
                range: quote.range,
                hold: quote.hold,
                available: store::balance(&*tx, Account::Available(request.workspace)).await?,
            })
        })
        .await
}
