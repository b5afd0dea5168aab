//! The rules of a training task, field by field.

use super::{LossOn, Method, TrainingKind, TrainingSpec, default_learning_rate};
use crate::{field_error::FieldErrors, spec::Pool};

/// Rows of the largest optimizer step.
const LARGEST_STEP: usize = 1 << 20;

impl TrainingSpec {
    pub(in crate::spec) fn check(&self, errors: &mut FieldErrors) {
        self.check_tokenizer(errors);
        self.check_combination(errors);
        self.check_schedule(errors);
        self.check_batch(errors);
        self.check_regularisation(errors);
        self.check_validation(errors);
        if let Some(full) = &self.full {
            full.check(self.rate(), self.schedule, errors);
        }
        if let Some(lora) = &self.lora {
            lora.check(self.method, errors);
        }
        if let Some(dpo) = &self.dpo {
            dpo.check(errors);
        }
        if let Some(evaluation) = &self.checkpoint_evaluation {
            evaluation.check(errors);
        }
        errors.require(
            self.pool == Pool::Fast,
            "spec.pool",
            "no `turbo` pool of several nodes is connected here: choose `fast`",
        );
    }

    /// The peak learning rate, given or by default.
    fn rate(&self) -> f64 {
        self.learning_rate.unwrap_or(default_learning_rate(self.task_type, self.method))
    }

    fn check_combination(&self, errors: &mut FieldErrors) {
        match (self.task_type, self.method) {
            (TrainingKind::Pretrain, Method::Lora | Method::Qlora) => {
                errors.push("spec.method", "`pretrain` trains every parameter: choose `full`");
            }
            (TrainingKind::Dpo, Method::Full) => {
                errors.push("spec.method", "`dpo` needs a frozen reference: choose `lora` or `qlora`");
            }
            _ => {}
        }
        let adapted = self.method != Method::Full;
        errors.require(!adapted || self.full.is_none(), "spec.full", "belongs to method `full` only");
        errors.require(
            adapted || self.lora.is_none(),
            "spec.lora",
            "belongs to methods `lora` and `qlora` only",
        );
        errors.require(
            self.task_type == TrainingKind::Dpo || self.dpo.is_none(),
            "spec.dpo",
            "belongs to task type `dpo` only",
        );
        errors.require(
            self.task_type != TrainingKind::Dpo || !self.packing,
            "spec.packing",
            "preference pairs are never packed",
        );
        match (self.task_type, self.loss_on) {
            (TrainingKind::Pretrain, LossOn::Completion) => {
                errors.push("spec.loss_on", "plain text has no completion");
            }
            (TrainingKind::Dpo, LossOn::Completion | LossOn::All) => {
                errors.push("spec.loss_on", "`dpo` always compares whole completions");
            }
            _ => {}
        }
        let sum: u64 = self.split.0.iter().map(|part| u64::from(*part)).sum();
        errors.require(sum == 100, "spec.split", format!("the shares must sum to 100, not {sum}"));
        errors.require(self.split.0[0] > 0, "spec.split", "the training share must be more than 0");
    }

    fn check_tokenizer(&self, errors: &mut FieldErrors) {
        let Some(tokenizer) = self.tokenizer else { return };
        errors.require(
            self.task_type == TrainingKind::Pretrain,
            "spec.tokenizer",
            "only `pretrain` starts from nothing; a trained model keeps its tokenizer",
        );
        tokenizer.check(errors);
    }

    fn check_schedule(&self, errors: &mut FieldErrors) {
        errors.require(
            (8..=1_048_576).contains(&self.sequence_length),
            "spec.sequence_length",
            "must be 8 to 1048576 tokens",
        );
        errors.require(
            self.epochs.is_finite() && self.epochs > 0.0 && self.epochs <= 10_000.0,
            "spec.epochs",
            "must be more than 0 and at most 10000",
        );
        errors.require(self.max_steps != Some(0), "spec.max_steps", "must be at least 1");
        errors.require(
            self.learning_rate.is_none_or(|rate| rate.is_finite() && rate > 0.0 && rate <= 1.0),
            "spec.learning_rate",
            "must be more than 0 and at most 1",
        );
        errors.require(
            (0.0..1.0).contains(&self.warmup_ratio),
            "spec.warmup_ratio",
            "must be at least 0 and less than 1",
        );
        errors.require(self.save_interval >= 1, "spec.save_interval", "must be at least 1 step");
        errors.require(self.log_interval >= 1, "spec.log_interval", "must be at least 1 step");
    }

    fn check_regularisation(&self, errors: &mut FieldErrors) {
        for (field, value) in
            [("spec.weight_decay", self.weight_decay), ("spec.max_grad_norm", self.max_grad_norm)]
        {
            errors.require(value.is_finite() && value >= 0.0, field, "must be at least 0");
        }
    }

    fn check_validation(&self, errors: &mut FieldErrors) {
        errors.require(self.keep_checkpoints >= 1, "spec.keep_checkpoints", "must be at least 1");
        for (field, value) in [
            ("spec.eval_interval", self.eval_interval),
            ("spec.early_stopping_patience", self.early_stopping_patience),
        ] {
            errors.require(value != Some(0), field, "must be at least 1");
            errors.require(
                value.is_none() || self.split.0[1] > 0,
                field,
                "needs a validation share in `split`",
            );
        }
    }

    fn check_batch(&self, errors: &mut FieldErrors) {
        let whole = 1..=65_536;
        errors.require(
            whole.contains(&self.micro_batch_size),
            "spec.micro_batch_size",
            "must be 1 to 65536 rows",
        );
        errors.require(
            whole.contains(&self.gradient_accumulation_steps),
            "spec.gradient_accumulation_steps",
            "must be 1 to 65536",
        );
        let product = self.rows_per_step();
        errors.require(
            product <= LARGEST_STEP,
            "spec.gradient_accumulation_steps",
            format!("micro batch × accumulation = {product} rows: a step has at most {LARGEST_STEP}"),
        );
        if let Some(global) = self.global_batch_size {
            errors.require(
                global == product,
                "spec.global_batch_size",
                format!(
                    "must equal micro batch × accumulation × data-parallel size = {product}, not {global}"
                ),
            );
        }
    }
}
