//! What a task costs, as a function of the facts about it; pure.
//!
//! Facts may come late, twice, or in any order, from two streams that know nothing of each other. Each is merged by a
//! rule that does not care (a maximum, a minimum, a flag once set), so that the charge depends on the set of facts alone.

mod bill;
mod epoch;
mod fact;
mod limits;
mod terms;

pub use bill::{Bill, Movement, State};
pub use epoch::{Claim, Epoch};
pub use fact::{Fact, TimedFact};
pub use limits::Limits;
pub use terms::Terms;
