//! Reads a task specification out of JSON and names every wrong field at once: those that do not parse, those that break a
//! rule, and (noted afterwards) those that point at what is not there.

use anneal_domain::{
    FieldError,
    spec::{CompilationSpec, EvaluationSpec, TaskSpec, TrainingSpec},
};
use serde_json::Value;

use crate::form;

/// Rules over several fields: what stands in for a wrong first one says nothing about the others.
const FOLLOWING: [(&str, &[&str]); 9] = [
    (
        "spec.task_type",
        &[
            "spec.method",
            "spec.dpo",
            "spec.packing",
            "spec.loss_on",
            "spec.dataset",
            "spec.full.min_learning_rate",
        ],
    ),
    (
        "spec.method",
        &["spec.full", "spec.lora", "spec.full.min_learning_rate", "spec.lora.double_quantization"],
    ),
    ("spec.split", &["spec.eval_interval", "spec.early_stopping_patience"]),
    ("spec.schedule", &["spec.full.min_learning_rate"]),
    ("spec.learning_rate", &["spec.full.min_learning_rate"]),
    ("spec.micro_batch_size", &["spec.gradient_accumulation_steps", "spec.global_batch_size"]),
    ("spec.gradient_accumulation_steps", &["spec.global_batch_size"]),
    ("spec.dpo.loss", &["spec.dpo.label_smoothing"]),
    ("spec.quantization", &["spec.calibration"]),
];

/// A specification as far as it can be read, and everything that is wrong with it.
#[derive(Debug)]
pub(crate) struct WantedSpec {
    /// With a stand-in in every place that did not parse; not to be used while there are errors.
    pub(crate) spec: Option<TaskSpec>,
    pub(crate) errors: Vec<FieldError>,
}

impl WantedSpec {
    fn of<T>((spec, errors): (Option<T>, Vec<FieldError>), kind: impl FnOnce(T) -> TaskSpec) -> Self {
        let mut wanted = Self { spec: spec.map(kind), errors };
        let broken = wanted.spec.as_ref().map(TaskSpec::validate).unwrap_or_default();
        wanted.note(broken);
        wanted
    }

    /// What was wrong before it was read; the field's other errors only follow.
    pub(crate) fn after(self, first: Option<FieldError>) -> Self {
        let mut whole = Self { spec: self.spec, errors: first.into_iter().collect() };
        whole.note(self.errors);
        whole
    }

    /// Adds errors of other fields than those that are known to be wrong, or that only follow from them.
    pub(crate) fn note(&mut self, more: Vec<FieldError>) {
        let follows = |error: &FieldError| {
            FOLLOWING.iter().any(|(first, others)| {
                others.contains(&error.field.as_str()) && form::names(&self.errors, first)
            })
        };
        let new: Vec<FieldError> = more
            .into_iter()
            .filter(|error| !form::names(&self.errors, &error.field) && !follows(error))
            .collect();
        self.errors.extend(new);
    }
}

/// Reads a specification.
pub(crate) fn read(value: Value) -> WantedSpec {
    let refused =
        |field: &str, message: &str| WantedSpec { spec: None, errors: vec![FieldError::new(field, message)] };
    let Value::Object(mut map) = value else {
        return refused("spec", "must be an object with a `kind`");
    };
    let kind = map.remove("kind");
    let value = Value::Object(map);
    match kind.as_ref().and_then(Value::as_str) {
        Some("training") => WantedSpec::of(form::read::<TrainingSpec>("spec", value), |spec| {
            TaskSpec::Training(Box::new(spec))
        }),
        Some("evaluation") => {
            WantedSpec::of(form::read::<EvaluationSpec>("spec", value), TaskSpec::Evaluation)
        }
        Some("compilation") => {
            WantedSpec::of(form::read::<CompilationSpec>("spec", value), TaskSpec::Compilation)
        }
        _ => refused("spec.kind", "must be `training`, `evaluation` or `compilation`"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Vec<String> {
        read(value).errors.into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let named = fields(json!({
            "kind": "training", "task_type": "sft", "model": "../../etc", "method": "lora", "epochs": "many",
            "lora": {"rank": 0, "colour": 1}, "split": [50, 20, 10], "price": 0
        }));
        for field in [
            "spec.model",
            "spec.epochs",
            "spec.lora.colour",
            "spec.lora.rank",
            "spec.split",
            "spec.price",
            "spec.dataset",
        ] {
            assert!(named.iter().any(|name| name == field), "{field} is missing in {named:?}");
        }
    }

    #[test]
    fn nested_lists_and_foreign_kinds_are_named() {
        let dataset = "ds-00000000000000000000000000000001";
        let named = fields(json!({
            "kind": "evaluation", "model_source": "stolen", "model": "model-00000000000000000000000000000001",
            "datasets": [{"benchmark": "arc_easy", "dataset": dataset}, {"benchmark": "a.b", "dataset": dataset, "limit": 0}]
        }));
        for field in ["spec.model_source", "spec.datasets[1].benchmark", "spec.datasets[1].limit"] {
            assert!(named.iter().any(|name| name == field), "{field} is missing in {named:?}");
        }
        assert_eq!(fields(json!({"kind": "mining"})), ["spec.kind"]);
        assert_eq!(fields(json!(7)), ["spec"]);
    }

    #[test]
    fn a_sound_specification_is_read() {
        let spec = json!({
            "kind": "training", "task_type": "sft", "method": "lora",
            "model": "model-00000000000000000000000000000001", "dataset": "ds-00000000000000000000000000000001"
        });
        let wanted = read(spec);
        assert!(wanted.spec.is_some() && wanted.errors.is_empty(), "{wanted:?}");
    }

    #[test]
    fn what_only_follows_from_a_wrong_field_is_not_named() {
        let training = |changes: Value| {
            let mut spec = json!({
                "kind": "training", "task_type": "sft", "method": "lora",
                "model": "model-00000000000000000000000000000001", "dataset": "ds-00000000000000000000000000000001"
            });
            spec.as_object_mut()
                .into_iter()
                .for_each(|spec| spec.extend(changes.as_object().cloned().unwrap_or_default()));
            fields(spec)
        };
        assert_eq!(training(json!({ "task_type": "dpo2", "dpo": {} })), ["spec.task_type"]);
        assert_eq!(training(json!({ "method": 7, "full": {}, "lora": {} })), ["spec.method"]);
        assert_eq!(training(json!({ "method": "full", "split": [50, "x", 50] })), ["spec.split[1]"]);
        let dataset = "ds-00000000000000000000000000000001";
        let named = fields(json!({
            "kind": "evaluation", "model_source": "builtin", "model": "model-00000000000000000000000000000001",
            "datasets": [7, { "benchmark": "arc_easy", "dataset": dataset, "limit": 0 }, { "dataset": dataset }]
        }));
        assert_eq!(named, ["spec.datasets[0]", "spec.datasets[2].benchmark", "spec.datasets[1].limit"]);
        assert_eq!(
            fields(json!({ "kind": "compilation", "model_source": "builtin",
                           "model": "model-00000000000000000000000000000001", "quantization": "int4" })),
            ["spec.quantization"]
        );
    }
}
