//! Recompute every charge of a workspace.

use anneal_bus::Bus;
use anneal_contracts::rpc::{AuditReply, AuditRequest};

use crate::{Billing, Error};

pub(crate) async fn audit(billing: Billing, bus: Bus, request: AuditRequest) -> Result<AuditReply, Error> {
    billing.audit(&bus, request.workspace).await
}
