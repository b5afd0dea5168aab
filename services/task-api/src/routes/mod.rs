//! Every route, once: the list below both registers the handlers and describes them in OpenAPI.

mod access;
mod artifacts;
mod benchmarks;
mod billing;
mod console;
mod dataset_files;
mod dataset_upload;
mod datasets;
mod deployments;
mod download;
mod events;
mod health;
mod inference;
mod logs;
mod model_files;
mod models;
mod renamed;
mod sample_view;
mod samples;
mod scores;
mod stages;
mod task_details;
mod task_view;
mod tasks;
mod verbs;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, ServiceConfig},
};
use utoipa::OpenApi;

use crate::{App, Error};

macro_rules! routes {
    ($($module:ident :: $handler:ident,)*) => {
        /// Registers every handler.
        pub(crate) fn configure(config: &mut ServiceConfig) {
            config.service(describe);
            $(config.service($module::$handler);)*
        }

        #[derive(OpenApi)]
        #[openapi(
            info(title = "Anneal", description = "Train, evaluate, compile and serve language models."),
            paths($($module::$handler),*),
            components(schemas(crate::http::Problem))
        )]
        struct Document;
    };
}

routes! {
    tasks::create, tasks::quote, tasks::list, tasks::show, tasks::remove, tasks::clone_form,
    verbs::pause, verbs::resume, verbs::stop, verbs::cancel,
    stages::list, stages::log, task_details::metrics, task_details::checkpoints, task_details::bill, task_details::events,
    logs::read, logs::stream,
    benchmarks::benchmarks,
    artifacts::list, artifacts::file, artifacts::archive,
    scores::scores, samples::samples,
    events::stream,
    dataset_upload::upload, datasets::list, datasets::show, datasets::versions, datasets::preview, datasets::remove,
    dataset_files::fetch, dataset_files::archive,
    models::create, models::complete, models::list, models::show, models::lineage, models::remove,
    model_files::store, model_files::fetch, model_files::archive,
    deployments::create, deployments::list, deployments::show, deployments::remove,
    access::show_workspace, access::create_workspace, access::users, access::add_user, access::remove_user,
    access::keys, access::add_key, access::revoke_key,
    billing::balance, billing::top_up, billing::prices, billing::ledger, billing::ledger_csv, billing::task_bill,
    billing::audit,
    inference::chat, inference::completions, inference::models,
    health::live, health::ready,
}

/// The API's description: OpenAPI 3.1, generated from the code.
pub fn openapi() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// The API's description.
#[actix_web::get("/api/v1/openapi.json")]
async fn describe() -> HttpResponse {
    HttpResponse::Ok().json(openapi())
}

/// No route: the console's files where there is a console, else a problem.
pub(crate) async fn anything_else(app: Data<App>, request: HttpRequest) -> Result<HttpResponse, Error> {
    console::file(&app, &request).await
}
