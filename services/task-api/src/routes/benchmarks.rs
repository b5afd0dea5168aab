//! The built-in benchmarks.

use actix_web::{HttpResponse, get};
use anneal_domain::benchmark::{self, BENCHMARKS};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Error,
    http::{Caller, Page},
};

/// A built-in benchmark.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Benchmark {
    /// The name that an evaluation gives.
    name: &'static str,
    /// What it asks, and whose it is.
    description: &'static str,
    /// How the name of one subject alone begins; absent where there are no subjects.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_prefix: Option<&'static str>,
}

impl From<benchmark::Benchmark> for Benchmark {
    fn from(benchmark: benchmark::Benchmark) -> Self {
        let benchmark::Benchmark { name, description, subject_prefix } = benchmark;
        Self { name, description, subject_prefix }
    }
}

/// Every built-in benchmark: its name and what it asks.
#[utoipa::path(tag = "tasks", responses((status = 200, body = Page<Benchmark>)))]
#[get("/api/v1/benchmarks")]
pub(crate) async fn benchmarks(_caller: Caller) -> Result<HttpResponse, Error> {
    Ok(HttpResponse::Ok().json(Page::whole(BENCHMARKS.map(Benchmark::from).into())))
}
