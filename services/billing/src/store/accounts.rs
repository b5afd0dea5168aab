//! Balances: what the postings add up to, kept beside them in the same transactions.

use anneal_domain::{Microcredits, id::WorkspaceId};
use anneal_store::{Sql, Tx};
use sea_orm::ConnectionTrait;

use crate::{Error, ledger::Account};

/// Opens a workspace's accounts; whether it was new.
pub async fn open_workspace(tx: &Tx, workspace: WorkspaceId) -> Result<bool, Error> {
    let accounts = [Account::Available(workspace), Account::Held(workspace), Account::Spent(workspace)];
    let mut opened = 0;
    for account in accounts {
        opened += tx
            .run(
                "INSERT INTO accounts (name, workspace, balance) VALUES ($1, $2, 0) ON CONFLICT (name) DO NOTHING",
                [account.to_string().into(), workspace.to_string().into()],
            )
            .await?;
    }
    Ok(opened > 0)
}

/// The balance of an account; nothing when it was never opened.
pub async fn balance<C: ConnectionTrait>(db: &C, account: Account) -> Result<Microcredits, Error> {
    let row = db.row("SELECT balance FROM accounts WHERE name = $1", [account.to_string().into()]).await?;
    match row {
        Some(row) => Ok(Microcredits(row.try_get("", "balance")?)),
        None => Ok(Microcredits::ZERO),
    }
}

/// Adds to a balance, where it stands: the grants' account is shared by workspaces that do not lock each other out.
pub(super) async fn add(tx: &Tx, account: Account, amount: Microcredits) -> Result<(), Error> {
    let (in_range, limit) = if amount < Microcredits::ZERO {
        ("balance >= $3", i64::MIN - amount.0)
    } else {
        ("balance <= $3", i64::MAX - amount.0)
    };
    let sql = format!("UPDATE accounts SET balance = balance + $1 WHERE name = $2 AND {in_range}");
    if tx.run(&sql, [amount.0.into(), account.to_string().into(), limit.into()]).await? == 1 {
        return Ok(());
    }
    let opened =
        tx.row("SELECT 1 AS opened FROM accounts WHERE name = $1", [account.to_string().into()]).await?;
    match opened {
        Some(_) => Err(Error::Overflow),
        None => Err(anneal_store::Error::Row(format!("account {account} was never opened")).into()),
    }
}

/// Sum over all accounts of the whole ledger: always zero.
pub async fn ledger_sum<C: ConnectionTrait>(db: &C) -> Result<Microcredits, Error> {
    let row = db.row("SELECT CAST(coalesce(sum(balance), 0) AS BIGINT) AS total FROM accounts", []).await?;
    let row = row.ok_or_else(|| anneal_store::Error::Row("a sum gave no row".to_owned()))?;
    Ok(Microcredits(row.try_get("", "total")?))
}
