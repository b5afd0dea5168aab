//! What the API's description says beyond its routes: who may call, and the shape of every error.

use actix_web::{HttpResponse, get};
use anneal_domain::id::TaskId;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        self, PathItem,
        path::Operation,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::http::Problem;

/// The frame that every route is put into.
#[derive(OpenApi)]
#[openapi(
    info(title = "Anneal", description = "Train, evaluate, compile and serve language models."),
    // Bodies bring their shapes with them; what only a query names is listed here.
    components(schemas(Problem, TaskId)),
    modifiers(&ApiKey),
    security(("api_key" = []))
)]
pub(super) struct Document;

/// The one way to say who one is.
struct ApiKey;

impl Modify for ApiKey {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("anneal_<id>_<secret>")
            .description(Some("An API key of the workspace."))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("api_key", SecurityScheme::Http(scheme));
    }
}

/// The document of one route, its operation under this id: clients are generated with it, so that it must be unique.
pub(super) fn named(mut document: openapi::OpenApi, id: &str) -> openapi::OpenApi {
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        operation.operation_id = Some(id.to_owned());
    }
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let methods = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
    methods.into_iter().flatten()
}

/// The API's description: OpenAPI 3.1.
#[utoipa::path(tag = "health", security(()), responses((status = 200, body = Object)))]
#[get("/api/v1/openapi.json")]
pub(crate) async fn describe() -> HttpResponse {
    HttpResponse::Ok().json(super::openapi())
}
