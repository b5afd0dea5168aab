//! Who asks: the key's workspace and role.

use actix_web::{FromRequest, HttpRequest, dev::Payload, web::Data};
use anneal_contracts::Trace;
use anneal_domain::id::{ApiKeyId, WorkspaceId};
use futures::future::LocalBoxFuture;

use crate::{
    App, Error,
    access::{self, Role},
};

/// An authenticated request.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) key: ApiKeyId,
    pub(crate) workspace: WorkspaceId,
    pub(crate) role: Role,
    /// The caller's trace, or a fresh one.
    pub(crate) trace: Trace,
    /// The `Idempotency-Key` header.
    pub(crate) idempotency_key: Option<String>,
}

impl Caller {
    /// Refuses a caller whose role is less.
    pub(crate) fn need(&self, role: Role) -> Result<(), Error> {
        if self.role >= role { Ok(()) } else { Err(Error::Forbidden(role.as_str())) }
    }

    /// Whether this is one of those who run the platform: an admin of the first workspace.
    pub(crate) fn is_operator(&self) -> bool {
        self.role == Role::Admin && self.workspace == access::DEFAULT_WORKSPACE
    }

    /// Refuses everyone who does not run the platform.
    pub(crate) fn need_operator(&self) -> Result<(), Error> {
        if self.is_operator() { Ok(()) } else { Err(Error::Forbidden("admin of the first workspace")) }
    }
}

impl FromRequest for Caller {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let app = request.app_data::<Data<App>>().cloned();
        let header =
            |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let bearer = header("Authorization")
            .and_then(|value| value.strip_prefix("Bearer ").map(|key| key.trim().to_owned()))
            .or_else(|| token_of_stream(request));
        let trace = header("traceparent")
            .and_then(|text| Trace::parse(&text))
            .map_or_else(Trace::fresh, Trace::child);
        let idempotency_key = header("Idempotency-Key");
        Box::pin(async move {
            let app = app.ok_or(Error::stored("application"))?;
            let key = bearer.ok_or(Error::Unauthorized)?;
            let (key, workspace, role) = access::authenticate(app.store.read(), &key).await?;
            Ok(Self { key, workspace, role, trace, idempotency_key })
        })
    }
}

/// A browser's `EventSource` sends no headers: streams alone take the key as `access_token`.
fn token_of_stream(request: &HttpRequest) -> Option<String> {
    let is_stream = request.path() == "/api/v1/events" || request.path().ends_with("/logs/stream");
    let query = request.query_string();
    let token = query.split('&').find_map(|pair| pair.strip_prefix("access_token="))?;
    is_stream.then(|| token.to_owned())
}
