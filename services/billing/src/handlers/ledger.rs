//! A page of a workspace's postings.

use anneal_contracts::rpc::{LedgerReply, LedgerRequest};

use crate::{Billing, Error, store};

const MOST: u32 = 1_000;

pub(crate) async fn ledger(billing: Billing, request: LedgerRequest) -> Result<LedgerReply, Error> {
    let limit = u64::from(request.limit.clamp(1, MOST));
    billing
        .store
        .transaction(move |tx| async move {
            let mut postings = store::of_workspace(&*tx, request.workspace, request.after, limit + 1).await?;
            let has_more = postings.len() as u64 > limit;
            postings.truncate(limit as usize);
            Ok(LedgerReply { postings, has_more, sum: store::ledger_sum(&*tx).await? })
        })
        .await
}
