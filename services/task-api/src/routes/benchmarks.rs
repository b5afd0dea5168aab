//! The built-in benchmarks.

use actix_web::{HttpResponse, get};
use anneal_domain::benchmark::BENCHMARKS;

use crate::{
    Error,
    http::{Caller, Page},
};

/// Every built-in benchmark: its name and what it asks.
#[utoipa::path(tag = "tasks", responses((status = 200)))]
#[get("/api/v1/benchmarks")]
pub(crate) async fn benchmarks(_caller: Caller) -> Result<HttpResponse, Error> {
    Ok(HttpResponse::Ok().json(Page::whole(BENCHMARKS.to_vec())))
}
