//! Every route, once: the list below both registers the handlers and describes them in OpenAPI, each under an id of its own.

mod artifacts;
mod benchmarks;
mod billing;
mod billing_view;
mod checkpoint_view;
mod comparison;
mod console;
mod dataset_files;
mod dataset_upload;
mod dataset_view;
mod datasets;
mod deployments;
mod document;
mod download;
mod events;
mod health;
mod imports;
mod inference;
mod keys;
mod leaderboard;
mod lineage;
mod logs;
mod model_files;
mod model_view;
mod models;
mod once;
mod renamed;
mod sample_view;
mod samples;
mod scores;
mod stages;
mod task_details;
mod task_view;
mod tasks;
mod users;
mod verbs;
mod workspaces;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, ServiceConfig},
};
use utoipa::OpenApi;

use crate::{App, Error};

macro_rules! routes {
    ($($id:ident = $module:ident :: $handler:ident,)*) => {
        /// Registers every handler.
        pub(crate) fn configure(config: &mut ServiceConfig) {
            $(config.service($module::$handler);)*
        }

        /// The description of each route, with the types that it names.
        fn described() -> Vec<utoipa::openapi::OpenApi> {
            vec![$({
                #[derive(OpenApi)]
                #[openapi(paths($module::$handler))]
                struct One;
                document::named(One::openapi(), stringify!($id))
            }),*]
        }
    };
}

/// The API's description: OpenAPI 3.1, generated from the code.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut whole = document::Document::openapi();
    for route in described() {
        whole.merge(route);
    }
    whole
}

// A handler for a path comes before one whose pattern takes that path too.
routes! {
    createTask = tasks::create,
    quoteTask = tasks::quote,
    listTasks = tasks::list,
    showTask = tasks::show,
    deleteTask = tasks::remove,
    cloneTask = tasks::clone_form,
    pauseTask = verbs::pause,
    resumeTask = verbs::resume,
    stopTask = verbs::stop,
    cancelTask = verbs::cancel,
    listStages = stages::list,
    fetchStageLog = stages::log,
    showMetrics = task_details::metrics,
    listCheckpoints = task_details::checkpoints,
    listCheckpointEvaluations = task_details::checkpoint_evaluations,
    showTaskBill = task_details::bill,
    listTaskEvents = task_details::events,
    readLog = logs::read,
    followLog = logs::stream,
    listBenchmarks = benchmarks::benchmarks,
    showLeaderboard = leaderboard::leaderboard,
    listArtifacts = artifacts::list,
    fetchArtifactFile = artifacts::file,
    fetchArtifactArchive = artifacts::archive,
    showScores = scores::scores,
    compareEvaluations = comparison::comparison,
    listSamples = samples::samples,
    followEvents = events::stream,
    uploadDataset = dataset_upload::upload,
    listDatasets = datasets::list,
    showDataset = datasets::show,
    listDatasetVersions = datasets::versions,
    previewDataset = datasets::preview,
    deleteDataset = datasets::remove,
    fetchDatasetFile = dataset_files::fetch,
    fetchDatasetArchive = dataset_files::archive,
    createModel = models::create,
    completeModel = models::complete,
    listModels = models::list,
    showModel = models::show,
    showLineage = lineage::lineage,
    deleteModel = models::remove,
    storeModelFile = model_files::store,
    fetchModelFile = model_files::fetch,
    fetchModelArchive = model_files::archive,
    importFromHub = imports::create,
    listImports = imports::list,
    showImport = imports::show,
    createDeployment = deployments::create,
    listDeployments = deployments::list,
    showDeployment = deployments::show,
    deleteDeployment = deployments::remove,
    showWorkspace = workspaces::own,
    listWorkspaces = workspaces::list,
    createWorkspace = workspaces::create,
    renameWorkspace = workspaces::rename,
    deleteWorkspace = workspaces::remove,
    listUsers = users::list,
    addUser = users::add,
    changeUser = users::change,
    removeUser = users::remove,
    listKeys = keys::list,
    addKey = keys::add,
    revokeKey = keys::revoke,
    showBalance = billing::balance,
    topUp = billing::top_up,
    listPrices = billing::prices,
    listPostings = billing::ledger,
    exportPostings = billing::ledger_csv,
    showBill = billing::task_bill,
    auditCharges = billing::audit,
    createChatCompletion = inference::chat,
    createCompletion = inference::completions,
    listServedModels = inference::models,
    showServedModel = inference::model,
    describeApi = document::describe,
    showLiveness = health::live,
    showReadiness = health::ready,
}

/// No route: the console's files where there is a console, else a problem.
pub(crate) async fn anything_else(app: Data<App>, request: HttpRequest) -> Result<HttpResponse, Error> {
    console::file(&app, &request).await
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Of two types of one name the document would describe one, and say it of both.
    #[test]
    fn every_type_has_a_name_of_its_own() {
        let mut known = BTreeMap::new();
        for (name, schema) in
            described().into_iter().filter_map(|route| route.components).flat_map(|c| c.schemas)
        {
            let first = known.entry(name.clone()).or_insert_with(|| schema.clone());
            assert!(*first == schema, "two types are named `{name}`");
        }
    }
}
