//! Plain SQL with values, on any connection or transaction.

use std::future::Future;

use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement, Value};

/// SQL with `$1`, `$2` … placeholders, which both databases understand.
pub trait Sql: ConnectionTrait {
    /// Runs a statement; how many rows it changed.
    fn run(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value> + Send,
    ) -> impl Future<Output = Result<u64, DbErr>> + Send {
        let statement = statement(self, sql, values);
        async move { Ok(self.execute_raw(statement).await?.rows_affected()) }
    }

    /// The first row, if there is one.
    fn row(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value> + Send,
    ) -> impl Future<Output = Result<Option<QueryResult>, DbErr>> + Send {
        let statement = statement(self, sql, values);
        async move { self.query_one_raw(statement).await }
    }

    /// Every row.
    fn rows(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value> + Send,
    ) -> impl Future<Output = Result<Vec<QueryResult>, DbErr>> + Send {
        let statement = statement(self, sql, values);
        async move { self.query_all_raw(statement).await }
    }
}

impl<C: ConnectionTrait + ?Sized> Sql for C {}

fn statement<C: ConnectionTrait + ?Sized>(
    db: &C,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    Statement::from_sql_and_values(db.get_database_backend(), sql, values)
}
