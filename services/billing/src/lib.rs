//! Prices, quotes, holds, metering and the ledger; its own database.
