//! Prices.

use anneal_contracts::rpc::PricesReply;
use serde_json::Value;

use crate::{Billing, Error};

pub(crate) async fn prices(billing: Billing, _request: Value) -> Result<PricesReply, Error> {
    Ok(PricesReply { prices: billing.settings.prices.list() })
}
