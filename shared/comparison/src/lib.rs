//! Compares two evaluations, sample by sample: what changed, whether it is more than chance, and why the two may differ.
//!
//! It reads two folders that evaluations wrote ([`Evaluation`]), pairs their samples, holds the pairs of each metric
//! against each other ([`MetricComparison`], with McNemar's test and a bootstrap interval) and names the settings that
//! differ ([`Cause`]). Samples are read line by line, and of each only what is compared is kept: a few hundred bytes. It
//! runs no model, writes no file, and does not know where the folders came from.
//!
//! The generator and the resampling behind the interval are those of the reference harness; the evaluator's own standard
//! errors use them too.

mod causes;
mod comparison;
mod error;
mod evaluation;
mod hash;
mod interval;
mod mcnemar;
mod metric;
mod pairs;
mod random;
mod resampling;
mod sample;

pub use causes::Cause;
pub use comparison::{Comparison, TaskComparison, compare};
pub use error::Error;
pub use evaluation::Evaluation;
pub use interval::Interval;
pub use metric::{Changed, Flips, MetricComparison, Samples};
pub use random::Random;
pub use resampling::{resampled, sample_deviation, standard_error};
