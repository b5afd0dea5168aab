//! What a workspace has.

use anneal_contracts::rpc::{BalanceReply, BalanceRequest};

use crate::{Billing, Error, ledger::Account, store};

pub(crate) async fn balance(billing: Billing, request: BalanceRequest) -> Result<BalanceReply, Error> {
    let workspace = request.workspace;
    let inner = billing.clone();
    billing
        .store
        .transaction(move |tx| async move {
            store::lock(&tx, vec![workspace]).await?;
            inner.first_sight(&tx, workspace).await?;
            Ok(BalanceReply {
                available: store::balance(&*tx, Account::Available(workspace)).await?,
                held: store::balance(&*tx, Account::Held(workspace)).await?,
                spent: store::balance(&*tx, Account::Spent(workspace)).await?,
            })
        })
        .await
}
