//! Recompute every charge.

use anneal_bus::Bus;
use anneal_contracts::rpc::AuditReply;
use serde_json::Value;

use crate::{Billing, Error};

pub(crate) async fn audit(billing: Billing, bus: Bus, _request: Value) -> Result<AuditReply, Error> {
    billing.audit(&bus).await
}
