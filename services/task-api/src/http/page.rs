//! Lists by cursor.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

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

/// The item after which a page begins.
pub(crate) fn cursor_of<Id: FromStr>(cursor: Option<&str>) -> Result<Option<Id>, Error> {
    let read = cursor.map(str::parse).transpose();
    read.map_err(|_| Error::field("cursor", "give `next_cursor` of a page"))
}

/// Which page is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageFilter {
    /// 1 to 100.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

impl PageFilter {
    /// How many items, and after which one.
    pub(crate) fn bounds<Id: FromStr>(&self) -> Result<(u32, Option<Id>), Error> {
        Ok((limit_of(self.limit)?, cursor_of(self.cursor.as_deref())?))
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
