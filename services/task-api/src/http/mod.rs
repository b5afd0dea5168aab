//! What every route shares: the caller, bodies, pages, problems.

mod body;
mod caller;
mod page;
mod problem;
mod server;

pub(crate) use body::{Raw, id, next_piece, parse, time};
pub(crate) use caller::Caller;
pub(crate) use page::{Page, limit_of};
pub(crate) use problem::Problem;
pub(crate) use server::serve;
