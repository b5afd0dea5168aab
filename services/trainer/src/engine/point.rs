//! One report of metrics, in the three shapes it is given out in: a line, TensorBoard's scalars, an entry of transformers'
//! `log_history`. The entry holds all of it, so that a continued run can give out again what came before.

use std::collections::BTreeMap;

use anneal_contracts::engine::Line;
use serde_json::{Map, Value, json};

/// Values by name.
pub(crate) type Values = BTreeMap<String, f64>;

/// In front of a validation's names on the lines; `log_history` writes `eval_` instead.
const EVALUATION: &str = "eval/";
const EVALUATION_ENTRY: &str = "eval_";

/// What was measured at a step: by training, or by a validation (every name then begins with `eval/`).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) step: u64,
    /// Passes over the training part so far.
    pub(crate) epoch: f64,
    /// Seconds since 1970.
    pub(crate) wall_time: f64,
    pub(crate) values: Values,
}

impl Point {
    /// The line that tells it. JSON has no NaN: such a value is `null`.
    pub(crate) fn line(&self) -> Line {
        let finite = |(name, value): (&String, &f64)| (name.clone(), Some(*value).filter(|v| v.is_finite()));
        Line::Metric { step: self.step, values: self.values.iter().map(finite).collect() }
    }

    /// Values under TensorBoard's tags.
    pub(crate) fn scalars(&self) -> impl Iterator<Item = (String, f32)> {
        self.values.iter().map(|(name, &value)| {
            let tag = if name.starts_with(EVALUATION) { name.clone() } else { format!("train/{name}") };
            (tag, value as f32)
        })
    }

    /// The entry of `log_history`.
    pub(crate) fn entry(&self) -> Value {
        let mut entry = Map::new();
        for (name, &value) in &self.values {
            entry.insert(name.replacen(EVALUATION, EVALUATION_ENTRY, 1), json!(value));
        }
        entry.insert("epoch".to_owned(), json!(self.epoch));
        entry.insert("step".to_owned(), json!(self.step));
        entry.insert("wall_time".to_owned(), json!(self.wall_time));
        Value::Object(entry)
    }

    /// What [`Self::entry`] wrote; `None` for anything else.
    pub(crate) fn read(entry: &Value) -> Option<Self> {
        let fields = entry.as_object()?;
        let number = |value: &Value| if value.is_null() { Some(f64::NAN) } else { value.as_f64() };
        let evaluation = fields.keys().any(|name| name.starts_with(EVALUATION_ENTRY));
        let mut values = Values::new();
        for (name, value) in fields {
            let name = match name.strip_prefix(EVALUATION_ENTRY) {
                _ if name == "step" || name == "wall_time" => continue,
                None if evaluation => continue,
                Some(rest) => format!("{EVALUATION}{rest}"),
                None => name.clone(),
            };
            values.insert(name, number(value)?);
        }
        Some(Self {
            step: fields.get("step")?.as_u64()?,
            epoch: number(fields.get("epoch")?)?,
            wall_time: number(fields.get("wall_time")?)?,
            values,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn an_entry_gives_back_the_same_point() {
        let values = |list: &[(&str, f64)]| list.iter().map(|(name, v)| ((*name).to_owned(), *v)).collect();
        let train = values(&[("loss", 0.1), ("rewards/chosen", -2.5), ("epoch", 0.25)]);
        let validation = values(&[("eval/loss", 1.0 / 3.0), ("eval/rewards/chosen", 1e-300)]);
        for values in [train, validation] {
            let point = Point { step: 7, epoch: 0.25, wall_time: 1.7e9, values };
            let text = point.entry().to_string();
            let read = Point::read(&serde_json::from_str(&text).unwrap()).unwrap();
            assert_eq!(read, point);
        }
        assert_eq!(Point::read(&json!({"loss": 1.0, "step": 1})), None);
    }

    #[test]
    fn what_is_not_finite_is_null() {
        let values = Values::from([("loss".to_owned(), f64::NAN)]);
        let point = Point { step: 1, epoch: 0.0, wall_time: 0.0, values };
        let Line::Metric { values, .. } = Point::read(&point.entry()).unwrap().line() else { panic!() };
        assert_eq!(values["loss"], None);
    }
}
