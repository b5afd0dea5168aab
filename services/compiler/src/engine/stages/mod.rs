//! The stages that take time, each a function of the job and the weights.

pub(crate) mod calibrate;
mod export;
mod validate;

pub(crate) use calibrate::calibrate;
pub(crate) use export::export;
pub(crate) use validate::validate;
