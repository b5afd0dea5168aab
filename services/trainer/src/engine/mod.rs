//! The training engine: reads a spec, trains, writes the model, and says what it does in JSON lines.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `spec`, `plan` | the spec file, and what was checked of it |
//! | `render`, `encode`, `corpus`, `pack`, `tokens` | from dataset rows to token sequences on disk |
//! | `order`, `batch` | which sequences a step takes, laid end to end |
//! | `backward`, `supervised`, `preference` | losses and their gradients |
//! | `optimizer`, `scaler`, `schedule` | the update |
//! | `session`, `train`, `validate` | the run: its state, its loop, its validation |
//! | `initialise`, `base` | the weights a run starts from or is built on |
//! | `checkpoint`, `resume`, `best`, `artifacts` | what is written and read back |
//! | `output`, `window`, `point`, `report`, `events` | JSON lines, metrics, TensorBoard |

mod artifacts;
mod backward;
mod base;
mod batch;
mod best;
mod checkpoint;
mod corpus;
mod encode;
mod error;
mod events;
mod initialise;
mod optimizer;
mod order;
mod output;
mod pack;
mod plan;
mod point;
mod preference;
mod rank;
mod render;
mod report;
mod resume;
mod run;
mod scaler;
mod schedule;
mod session;
mod spec;
mod stop;
mod supervised;
mod tokens;
mod train;
mod validate;
mod window;

pub use error::{Error, Result};
pub use output::Output;
pub use run::run;
pub use stop::Stop;
