//! Lists by cursor.

use serde::Serialize;
use utoipa::ToSchema;

use crate::Error;

const DEFAULT_LIMIT: u32 = 20;
const LARGEST_LIMIT: u32 = 100;

/// A page of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// Its items.
    pub(crate) data: Vec<T>,
    /// Whether there are more.
    pub(crate) has_more: bool,
    /// Where the next page begins.
    pub(crate) next_cursor: Option<String>,
}

/// Checks a limit.
pub(crate) fn limit_of(limit: Option<u32>) -> Result<u32, Error> {
    match limit.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=LARGEST_LIMIT => Ok(limit),
        _ => Err(Error::field("limit", "must be 1 to 100")),
    }
}

impl<T> Page<T> {
    /// A page out of one row more than asked for.
    pub(crate) fn cut<R>(
        mut rows: Vec<R>,
        limit: u32,
        cursor: impl Fn(&R) -> String,
        view: impl FnMut(R) -> Result<T, Error>,
    ) -> Result<Self, Error> {
        let has_more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next_cursor = rows.last().filter(|_| has_more).map(cursor);
        Ok(Self { data: rows.into_iter().map(view).collect::<Result<_, _>>()?, has_more, next_cursor })
    }

    /// A list that has one page.
    pub(crate) fn whole(data: Vec<T>) -> Self {
        Self { data, has_more: false, next_cursor: None }
    }
}
