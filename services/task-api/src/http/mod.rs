//! What every route shares: the caller, bodies, pages, problems.

mod body;
mod caller;
mod openai;
mod page;
mod problem;
mod query;
mod server;

pub(crate) use body::{LargeRaw, Raw, id, next_piece, parse, read, time};
pub(crate) use caller::Caller;
pub(crate) use openai::{OpenAiProblem, refusal};
pub(crate) use page::{Page, PageFilter, cursor_of, limit_of};
pub(crate) use problem::Problem;
pub(crate) use query::Query;
pub(crate) use server::serve;
