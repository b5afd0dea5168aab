//! Put credits into a workspace.

use anneal_contracts::rpc::{BalanceReply, TopUp};
use anneal_domain::Microcredits;

use crate::{
    Billing, Error,
    ledger::{Account, Entry, Reason},
    store,
};

pub(crate) async fn top_up(billing: Billing, request: TopUp) -> Result<BalanceReply, Error> {
    if request.amount <= Microcredits::ZERO {
        return Err(Error::refused("invalid_amount", "a top-up must be more than nothing"));
    }
    if request.key.is_empty() || request.key.len() > 200 || request.key.chars().any(char::is_control) {
        return Err(Error::refused("invalid_key", "a key has 1 to 200 characters and no control characters"));
    }
    let inner = billing.clone();
    billing
        .store
        .transaction(move |tx| async move {
            let workspace = request.workspace;
            store::lock(&tx, vec![workspace]).await?;
            inner.first_sight(&tx, workspace).await?;
            let entry = Entry {
                operation: format!("top_up/{workspace}/{}", request.key),
                reason: Reason::TopUp,
                workspace,
                task: None,
                amount: request.amount,
            };
            if !store::post(&tx, &entry).await?
                && store::posted(&tx, &entry.operation).await? != Some(request.amount)
            {
                return Err(Error::refused("conflict", "this key was used with another amount"));
            }
            Ok(BalanceReply {
                available: store::balance(&*tx, Account::Available(workspace)).await?,
                held: store::balance(&*tx, Account::Held(workspace)).await?,
                spent: store::balance(&*tx, Account::Spent(workspace)).await?,
            })
        })
        .await
}
