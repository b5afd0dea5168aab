//! Put credits into a workspace.

use anneal_contracts::rpc::{BalanceReply, TopUp};
use anneal_domain::{Microcredits, id::WorkspaceId};
use anneal_store::Tx;

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
            if store::post(&tx, &entry).await? {
                inner.go_on(&tx, workspace, &entry.operation).await?;
            } else if store::posted(&tx, &entry.operation).await? != Some(request.amount) {
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

impl Billing {
    /// Tasks that were to pause for want of money need not any more, as far as it goes.
    async fn go_on(&self, tx: &Tx, workspace: WorkspaceId, cause: &str) -> Result<(), Error> {
        for task in store::wanting_pause_in(&**tx, workspace).await? {
            let Some(mut bill) = store::load(&**tx, task).await? else { continue };
            self.settle(tx, &mut bill, &format!("{cause}/{task}")).await?;
            store::save(tx, &bill, None).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use anneal_domain::id::{EventId, HoldId, TaskId};
    use anneal_domain::spec::TaskKind;
    use anneal_store::TimeSource;

    use super::*;
    use crate::{
        Config,
        config::Database,
        metering::{Fact, TimedFact},
    };

    const HOUR_MS: i64 = 3_600_000;

    #[tokio::test]
    async fn a_top_up_takes_the_request_to_pause_back() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("b.db").display());
        let config = Config {
            database: Database { url },
            grant_microcredits: Microcredits::ZERO,
            ..Config::default()
        };
        let billing = Billing::open(&config, TimeSource::Database).await.unwrap();
        let (workspace, task) = (WorkspaceId::new(), TaskId::new());
        let (hold, rate) = (Some(HoldId::new()), Microcredits(6_000_000));
        let facts = [
            Fact::Queued { kind: TaskKind::Training, hold, held: Microcredits::ZERO },
            Fact::Claimed { epoch: 1, rate },
            Fact::Used { epoch: 1, running_ms: HOUR_MS },
        ];
        let timed = |fact: Fact| {
            let at_ms = if matches!(fact, Fact::Used { .. }) { 2 * HOUR_MS } else { HOUR_MS };
            (EventId::new(), workspace, TimedFact { task, at_ms, fact })
        };
        billing.take_facts("test", facts.into_iter().map(timed).collect()).await.unwrap();
        let wanting = || async { store::wanting_pause(billing.store.read()).await.unwrap() };
        assert_eq!(wanting().await, [task]);
        let put = |key: &str, amount| {
            let request = TopUp { workspace, amount: Microcredits(amount), key: key.to_owned() };
            top_up(billing.clone(), request)
        };
        put("too little", 10).await.unwrap();
        assert_eq!(wanting().await, [task]);
        let balance = put("enough", 100_000_000).await.unwrap();
        assert_eq!(wanting().await, []);
        assert!(balance.held > Microcredits::ZERO, "the hold was extended: {balance:?}");
        assert_eq!(put("enough", 100_000_000).await.unwrap(), balance);
    }
}
