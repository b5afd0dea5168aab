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
    /// Of the step under way; their memory is used again by the next.
    gradients: Gradients,
    pub(crate) corpus: Corpus,
    pub(crate) rate: LearningRate,
    pub(crate) position: Position,
    /// Items of the whole run; `None` where the step count alone ends it.
    last_item: Option<u64>,
    order: Order,
    reference: ReferenceLogs,
    validation_reference: ReferenceLogs,
}

/// What a pass summed up, by objective.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sums {
    pub(crate) tokens: TokenSums,
    pub(crate) pairs: PairSums,
}

impl Sums {
    pub(crate) fn add(&mut self, other: Self) {
        self.tokens.add(other.tokens);
        self.pairs.add(other.pairs);
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

    fn targets(&self) -> usize {
        self.sequences.iter().flatten().map(Sequence::targets).sum()
    }
}

impl Session {
    /// A run at its first step.
    pub(crate) fn new(plan: Plan, decoder: Decoder, corpus: Corpus) -> Self {
        let spec = &plan.spec;
        let epoch_items = corpus.train.len();
        let all_items = (spec.epochs * epoch_items as f64).ceil().max(1.0) as u64;
        let steps = spec.max_steps.unwrap_or(all_items.div_ceil(plan.global_batch as u64));
        let optimizer = &spec.optimizer;
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
            optimizer: Optimizer::new(optimizer, 0, std::collections::BTreeMap::new()),
            gradients: Gradients::zeros(&decoder.trainable()),
            trainable: decoder.trainable(),
            position: Position::start(&plan),
            reference: ReferenceLogs::default(),
            validation_reference: ReferenceLogs::default(),
            rate,
            corpus,
            decoder,
            plan,
        }
    }

    /// Steps of the whole run.
    pub(crate) fn steps(&self) -> u64 {
        self.rate.steps
    }

    /// Passes over the training part so far.
    pub(crate) fn epoch(&self) -> f64 {
        self.position.items as f64 / self.corpus.train.len() as f64
    }

    /// True where pairs are compared.
    pub(crate) fn compares_pairs(&self) -> bool {
        self.plan.spec.task_type == TrainingKind::Dpo
    }

    /// The passes of the next step, and how many items they take off the dataset.
    pub(crate) fn next_micros(&mut self) -> Result<(Vec<Micro>, u64)> {
        let wanted = self.plan.global_batch as u64;
        let taken = self.last_item.map_or(wanted, |last| wanted.min(last - self.position.items));
        let items: Vec<u64> = (0..taken).map(|n| self.order.item(self.position.items + n)).collect();
        let share = self.plan.rank.share(&items);
        let micros = share
            .chunks(self.plan.spec.micro_batch_size)
            .map(|items| Micro::load(&self.corpus.train, items))
            .collect::<Result<_>>()?;
        Ok((micros, taken))
    }

    /// Does the next step.
    ///
    /// # Errors
    /// [`Error::Diverged`] leaves weights, moments and position as they were.
    pub(crate) fn step(&mut self) -> Result<StepOutcome> {
        let (micros, taken) = self.next_micros()?;
        let pairs = self.compares_pairs();
        let norm =
            if pairs { taken as usize } else { micros.iter().map(Micro::targets).sum::<usize>().max(1) };
        let scale = self.position.loss_scale.scale();
        let dropout_before = self.position.dropout.clone();
        let (mut sums, mut tokens) = (Sums::default(), 0);
        self.gradients.clear();
        for micro in &micros {
            let batch = micro.batch(pairs)?;
            tokens += batch.tokens.len() as u64;
            sums.add(self.pass(micro, &batch, scale / norm as f64)?);
        }
        let trained_tokens = micros.iter().map(Micro::targets).sum::<usize>() as u64;
        drop(micros);
        let grad_norm = Optimizer::norm(&self.gradients, scale);
        let finite = sums.loss().is_finite() && grad_norm.is_finite();
        let learning_rate = self.rate.after(self.position.step);
        if finite {
            self.optimizer.step(&self.trainable, &self.gradients, (learning_rate, grad_norm, scale))?;
        } else if !self.position.loss_scale.may_skip() {
            self.position.dropout = dropout_before;
            let what = if sums.loss().is_finite() { "gradient norm" } else { "loss" };
            return Err(Error::Diverged { step: self.position.step + 1, what, hint: String::new() });
        }
        self.position.loss_scale.update(finite);
        self.position.step += 1;
        self.position.items += taken;
        self.position.tokens += tokens;
        self.position.trained_tokens += trained_tokens;
        self.position.last_loss = Some(sums.loss()).filter(|loss| loss.is_finite());
        Ok(StepOutcome { sums, grad_norm, learning_rate, tokens, trained_tokens, skipped: !finite })
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
