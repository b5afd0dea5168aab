//! Answers workers, billing and the inference service over the broker. Every request is one transaction.

use anneal_contracts::{
    rpc::{
        ClaimTask, CommitCheckpoint, Done, FinishTask, PauseTask, Refusal, RejectCheckpoint, RenewLease,
        ReportDeployment, ReportStage,
    },
    subject::rpc,
};
use anneal_domain::task::Verb;
use anneal_runtime::tasks::Supervisor;
use anneal_store::Tx;
use serde::{Serialize, de::DeserializeOwned};

use crate::{App, Error, deployments, store::TaskRow, tasks};

const GROUP: &str = "task-api";

pub(super) fn start(app: &App, supervisor: &Supervisor) {
    let lease_ms = app.config.lease_ms;
    let to = Answers { app, supervisor };
    to.answer(
        rpc::CLAIM_TASK,
        move |tx, ask: ClaimTask| async move { tasks::claim(&tx, &ask, lease_ms).await },
    );
    to.answer(
        rpc::RENEW_LEASE,
        move |tx, ask: RenewLease| async move { tasks::renew(&tx, &ask, lease_ms).await },
    );
    to.answer(rpc::REPORT_STAGE, |tx, ask: ReportStage| async move { tasks::report_stage(&tx, &ask).await });
    to.answer(rpc::COMMIT_CHECKPOINT, |tx, ask: CommitCheckpoint| async move {
        tasks::commit_checkpoint(&tx, &ask).await
    });
    to.answer(rpc::REJECT_CHECKPOINT, |tx, ask: RejectCheckpoint| async move {
        tasks::reject_checkpoint(&tx, &ask).await
    });
    to.answer(rpc::FINISH_TASK, |tx, ask: FinishTask| async move { tasks::finish(&tx, &ask).await });
    to.answer(rpc::PAUSE_TASK, |tx, ask: PauseTask| async move { pause(&tx, &ask).await });
    to.answer(
        rpc::LIST_DEPLOYMENTS,
        |tx, _: serde_json::Value| async move { deployments::wanted(&*tx).await },
    );
    to.answer(rpc::REPORT_DEPLOYMENT, |tx, ask: ReportDeployment| async move {
        deployments::report(&tx, &ask).await?;
        Ok(Done {})
    });
}

/// A task that is not running (any more) is answered as done.
async fn pause(tx: &Tx, ask: &PauseTask) -> Result<Done, Error> {
    let row = match TaskRow::lock(tx, ask.task).await {
        Err(Error::NotFound(_)) => return Ok(Done {}),
        other => other?,
    };
    match tasks::request(tx, row, Verb::Pause, &ask.reason).await {
        Ok(_) | Err(Error::Conflict(_)) => Ok(Done {}),
        Err(error) => Err(error),
    }
}

struct Answers<'a> {
    app: &'a App,
    supervisor: &'a Supervisor,
}

impl Answers<'_> {
    fn answer<T, R, F, Fut>(&self, subject: &'static str, handler: F)
    where
        T: DeserializeOwned + Send + 'static,
        R: Serialize + Send + 'static,
        F: Fn(Tx, T) -> Fut + Copy + Send + Sync + 'static,
        Fut: Future<Output = Result<R, Error>> + Send + 'static,
    {
        let (app, stop) = (self.app.clone(), self.supervisor.shutdown());
        let bus = app.bus.clone();
        self.supervisor.spawn(subject, async move {
            bus.serve(subject, GROUP, stop, move |request: anneal_bus::Request<T>| {
                let app = app.clone();
                async move {
                    let body = request.body;
                    let answered = app.transaction(move |tx| handler(tx, body)).await;
                    answered.map_err(Refusal::from)
                }
            })
            .await
        });
    }
}
