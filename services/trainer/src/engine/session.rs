//! The state of a run between two steps, and one step of it.

use anneal_contracts::engine::{Precision, TrainingKind};
use anneal_model::{Decoder, DropoutState, Gradients};
use candle_core::Var;
use serde::{Deserialize, Serialize};

use super::{
    Error, Result,
    backward::Pass,
    batch::MicroBatch,
    corpus::Corpus,
    optimizer::Optimizer,
    order::Order,
    plan::Plan,
    preference::{self, PairSums, ReferenceLogs},
    scaler::LossScale,
    schedule::LearningRate,
    supervised::{self, TokenSums},
    tokens::{Sequence, TokenStore},
    window::Window,
};

/// How far a run is: everything of it that is not a weight or a moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Position {
    /// Steps done.
    pub(crate) step: u64,
    /// Items taken: the data cursor.
    pub(crate) items: u64,
    /// Input tokens seen.
    pub(crate) tokens: u64,
    /// Targets trained on.
    pub(crate) trained_tokens: u64,
    /// Loss of the last step.
    pub(crate) last_loss: Option<f64>,
    /// Lowest validation loss, and the step it was seen at.
    pub(crate) best: Option<(u64, f64)>,
    /// Validation passes since then.
    pub(crate) stale_validations: u64,
    /// The validation after `step` is still to be done.
    pub(crate) validation_due: bool,
    /// The steps that were not reported yet.
    pub(crate) window: Window,
    /// The loss scale of fp16.
    pub(crate) loss_scale: LossScale,
    /// The random state.
    pub(crate) dropout: DropoutState,
}

impl Position {
    fn start(plan: &Plan) -> Self {
        Self {
            step: 0,
            items: 0,
            tokens: 0,
            trained_tokens: 0,
            last_loss: None,
            best: None,
            stale_validations: 0,
            validation_due: false,
            window: Window::default(),
            loss_scale: LossScale::new(plan.spec.precision == Precision::Fp16),
            dropout: DropoutState::new(plan.spec.seed),
        }
    }
}

/// A run between two steps.
pub(crate) struct Session {
    pub(crate) plan: Plan,
    pub(crate) decoder: Decoder,
    pub(crate) trainable: Vec<(String, Var)>,
    pub(crate) optimizer: Optimizer,
    /// Of the step under way.
    gradients: Gradients,
    pub(crate) corpus: Corpus,
    /// What the weights are built on: see `base::checksum`.
    pub(crate) base: u32,
    pub(crate) rate: LearningRate,
    pub(crate) position: Position,
    /// Items of the whole run; `None` where the step count alone ends it.
    last_item: Option<u64>,
    order: Order,
    reference: ReferenceLogs,
    validation_reference: ReferenceLogs,
}

/// What a pass summed up, by objective.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sums {
    pub(crate) tokens: TokenSums,
    pub(crate) pairs: PairSums,
}

impl Sums {
    pub(crate) fn add(&mut self, other: Self) {
        self.tokens.add(other.tokens);
        self.pairs.add(other.pairs);
    }

    pub(crate) fn is_finite(&self) -> bool {
        self.tokens.loss.is_finite() && self.pairs.is_finite()
    }

    /// The mean loss: over pairs where there are any, over targets otherwise.
    pub(crate) fn loss(&self) -> f64 {
        if self.pairs.pairs > 0 {
            self.pairs.loss / self.pairs.pairs as f64
        } else {
            self.tokens.loss / self.tokens.targets.max(1) as f64
        }
    }
}

/// What one step did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepOutcome {
    /// This rank's part.
    pub(crate) sums: Sums,
    /// Before clipping.
    pub(crate) grad_norm: f64,
    pub(crate) learning_rate: f64,
    /// Input tokens.
    pub(crate) tokens: u64,
    pub(crate) trained_tokens: u64,
    /// The gradients overflowed under fp16 and the update was left out.
    pub(crate) skipped: bool,
}

/// The items of one pass and their sequences.
pub(crate) struct Micro {
    pub(crate) items: Vec<u64>,
    pub(crate) sequences: Vec<Vec<Sequence>>,
}

impl Micro {
    /// Reads the sequences of `items`.
    pub(crate) fn load(store: &TokenStore, items: &[u64]) -> Result<Self> {
        let sequences = items.iter().map(|&item| store.get(item)).collect::<Result<_>>()?;
        Ok(Self { items: items.to_vec(), sequences })
    }

    /// Supervised: part after part. Pairs: every chosen sequence, then every rejected one.
    pub(crate) fn batch(&self, pairs: bool) -> Result<MicroBatch> {
        if !pairs {
            return MicroBatch::new(self.sequences.iter().flatten());
        }
        let side = |index: usize| self.sequences.iter().map(move |pair| &pair[index]);
        MicroBatch::new(side(0).chain(side(1)))
    }
}

/// The next step: what it is made of over all ranks, and this rank's share of it.
pub(crate) struct StepWork {
    /// This rank's passes.
    pub(crate) micros: Vec<Micro>,
    /// Items that all ranks take off the dataset.
    items: u64,
    /// Their input tokens.
    tokens: u64,
    /// Their targets.
    targets: u64,
}

impl Session {
    /// A run at its first step.
    pub(crate) fn new(plan: Plan, decoder: Decoder, corpus: Corpus, base: u32) -> Self {
        let spec = &plan.spec;
        let epoch_items = corpus.train.len();
        let all_items = (spec.epochs * epoch_items as f64).ceil().max(1.0) as u64;
        let steps = spec.max_steps.unwrap_or(all_items.div_ceil(plan.global_batch as u64));
        let optimizer = &spec.optimizer;
        let trainable = decoder.trainable();
        let rate = LearningRate::new(
            plan.learning_rate,
            optimizer.min_learning_rate,
            optimizer.schedule,
            optimizer.warmup_ratio,
            steps,
        );
        Self {
            order: Order::new(epoch_items, spec.shuffle.then_some(spec.seed)),
            last_item: spec.max_steps.is_none().then_some(all_items),
            optimizer: Optimizer::new(optimizer, &trainable, 0, std::collections::BTreeMap::new()),
            gradients: Gradients::zeros(&trainable),
            trainable,
            position: Position::start(&plan),
            reference: ReferenceLogs::default(),
            validation_reference: ReferenceLogs::default(),
            rate,
            corpus,
            base,
            decoder,
            plan,
        }
    }

    /// Steps of the whole run.
    pub(crate) fn steps(&self) -> u64 {
        self.rate.steps
    }

    /// True where training ends: after the last step, or when validation brought nothing new for long enough.
    pub(crate) fn finished(&self) -> bool {
        let patience = self.plan.spec.early_stopping_patience;
        let stale = patience.is_some_and(|patience| self.position.stale_validations >= patience);
        stale || self.position.step >= self.steps()
    }

    /// Passes over the training part so far.
    pub(crate) fn epoch(&self) -> f64 {
        self.position.items as f64 / self.corpus.train.len() as f64
    }

    /// True where pairs are compared.
    pub(crate) fn compares_pairs(&self) -> bool {
        self.plan.spec.task_type == TrainingKind::Dpo
    }

    /// What the next step is made of.
    pub(crate) fn next_work(&mut self) -> Result<StepWork> {
        let wanted = self.plan.global_batch as u64;
        let taken = self.last_item.map_or(wanted, |last| wanted.min(last - self.position.items));
        let items: Vec<u64> = (0..taken).map(|n| self.order.item(self.position.items + n)).collect();
        let store = &self.corpus.train;
        let share = self.plan.rank.share(&items);
        let micros = share.chunks(self.plan.spec.micro_batch_size).map(|items| Micro::load(store, items));
        Ok(StepWork {
            micros: micros.collect::<Result<_>>()?,
            items: taken,
            tokens: items.iter().map(|&item| store.tokens_of(item)).sum(),
            targets: items.iter().map(|&item| store.targets_of(item)).sum(),
        })
    }

    /// Does the next step.
    ///
    /// # Errors
    /// [`Error::Diverged`] leaves weights, moments and position as they were.
    pub(crate) fn step(&mut self) -> Result<StepOutcome> {
        let work = self.next_work()?;
        let scale = self.position.loss_scale.scale();
        let dropout_before = self.position.dropout.clone();
        let sums = self.gradients(&work)?;
        let grad_norm = Optimizer::norm(&mut self.gradients, scale);
        let finite = sums.loss().is_finite() && grad_norm.is_finite();
        let learning_rate = self.rate.after(self.position.step);
        if finite {
            self.optimizer.step(&self.trainable, &mut self.gradients, (learning_rate, grad_norm, scale))?;
        } else if !self.position.loss_scale.may_skip() {
            self.position.dropout = dropout_before;
            let what = if sums.loss().is_finite() { "gradient norm" } else { "loss" };
            return Err(Error::Diverged { step: self.position.step + 1, what, kept: String::new() });
        }
        self.gradients.clear();
        self.advance(&work, sums, finite);
        let (tokens, trained_tokens) = (work.tokens, work.targets);
        Ok(StepOutcome { sums, grad_norm, learning_rate, tokens, trained_tokens, skipped: !finite })
    }

    /// This rank's part of a step's gradients, times the loss scale, and of its sums. The norm is that of all ranks: their
    /// parts add up to the step's.
    fn gradients(&mut self, work: &StepWork) -> Result<Sums> {
        let pairs = self.compares_pairs();
        let norm = if pairs { work.items } else { work.targets.max(1) };
        let weight = self.position.loss_scale.scale() / norm as f64;
        let mut sums = Sums::default();
        for micro in &work.micros {
            sums.add(self.pass(micro, &micro.batch(pairs)?, weight)?);
        }
        Ok(sums)
    }

    fn advance(&mut self, work: &StepWork, sums: Sums, finite: bool) {
        let (spec, position) = (&self.plan.spec, &mut self.position);
        position.loss_scale.update(finite);
        position.step += 1;
        position.items += work.items;
        position.tokens += work.tokens;
        position.trained_tokens += work.targets;
        position.last_loss = Some(sums.loss()).filter(|loss| loss.is_finite());
        position.validation_due = spec.eval_interval.is_some_and(|every| position.step.is_multiple_of(every))
            || position.step.is_multiple_of(spec.save_interval)
            || position.step == self.rate.steps;
    }

    fn pass(&mut self, micro: &Micro, batch: &MicroBatch, weight: f64) -> Result<Sums> {
        let pass =
            Pass { decoder: &self.decoder, batch, checkpointing: self.plan.spec.gradient_checkpointing };
        let (dropout, gradients) = (&mut self.position.dropout, &mut self.gradients);
        if self.plan.spec.task_type == TrainingKind::Dpo {
            let dpo = &self.plan.spec.dpo;
            let reference = self.reference.of(&self.decoder, dpo, &micro.items, batch)?;
            let pairs = preference::gradients(&pass, dpo, &reference, weight, dropout, gradients)?;
            return Ok(Sums { pairs, ..Sums::default() });
        }
        let tokens = supervised::gradients(&pass, weight, dropout, gradients)?;
        Ok(Sums { tokens, ..Sums::default() })
    }

    /// The sums over one pass of the validation (or, with `keep_reference` off, any other) part.
    pub(crate) fn evaluate(&mut self, micro: &Micro, keep_reference: bool) -> Result<Sums> {
        let batch = micro.batch(self.compares_pairs())?;
        if !self.compares_pairs() {
            let tokens = supervised::evaluate(&self.decoder, &batch)?;
            return Ok(Sums { tokens, ..Sums::default() });
        }
        let dpo = &self.plan.spec.dpo;
        let mut fresh = ReferenceLogs::default();
        let logs = if keep_reference { &mut self.validation_reference } else { &mut fresh };
        let reference = logs.of(&self.decoder, dpo, &micro.items, &batch)?;
        let pairs = preference::evaluate(&self.decoder, dpo, &reference, &batch)?;
        Ok(Sums { pairs, ..Sums::default() })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use anneal_model::{LoadOptions, Source, formula::TinyModel};
    use serde_json::json;

    use super::{
        super::{Output, Stop, rank::Rank},
        *,
    };

    /// The first step's gradients, on a dataset whose rows differ in length.
    fn gradients(folder: &std::path::Path, rank: Rank) -> Vec<Vec<f32>> {
        let spec = json!({
            "task_type": "sft", "method": "full", "precision": "fp32", "model": folder.join("model"),
            "dataset": folder.join("rows.jsonl"), "sequence_length": 64, "micro_batch_size": 2,
            "gradient_accumulation_steps": 2, "output_dir": folder,
        });
        let mut plan = Plan::new(serde_json::from_value(spec).unwrap()).unwrap();
        plan.rank = rank;
        let source = Source::open(&plan.spec.model).unwrap();
        let mut output = Output::new(Box::new(std::io::sink()));
        let tokenizer = source.tokenizer().unwrap();
        let corpus = Corpus::build(&plan, &source, &tokenizer, &mut output, &Stop::new()).unwrap();
        let options = LoadOptions { weights: plan.weights, ..LoadOptions::default() };
        let mut session = Session::new(plan, Decoder::load(&source, &options).unwrap(), corpus, 0);
        let work = session.next_work().unwrap();
        session.gradients(&work).unwrap();
        session.gradients.sums().to_vec()
    }

    #[test]
    fn the_ranks_gradients_add_up_to_the_step_s() {
        let folder = tempfile::tempdir().unwrap();
        TinyModel::default().write(&folder.path().join("model")).unwrap();
        let row = |n: usize| {
            json!({"messages": [{"role": "user", "content": "say it"},
                                    {"role": "assistant", "content": "red ".repeat(1 + 3 * n)}]})
        };
        let rows = (0..4).fold(String::new(), |text, n| text + &row(n).to_string() + "\n");
        std::fs::write(folder.path().join("rows.jsonl"), rows).unwrap();
        let whole = gradients(folder.path(), Rank::ALONE);
        let parts = [0, 1].map(|index| gradients(folder.path(), Rank { index, count: 2 }));
        for (n, whole) in whole.iter().enumerate() {
            let size = whole.iter().fold(0_f32, |most, value| most.max(value.abs()));
            for (at, value) in whole.iter().enumerate() {
                let sum = parts[0][n][at] + parts[1][n][at];
                assert!((sum - value).abs() <= 1e-4 * size, "variable {n}, {at}: {sum} {value}");
            }
        }
    }
}
