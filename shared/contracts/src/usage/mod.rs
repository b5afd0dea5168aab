//! Running time: what is charged for.

mod usage_reported;

pub use usage_reported::UsageReported;
