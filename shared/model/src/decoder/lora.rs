//! Low-rank adapters (Hu et al. 2021): `y = W x + scale * B (A x)`.

use anneal_kernels::{Compute, linear, round_to};
use candle_core::{Device, Tensor};

use super::dropout::DropoutState;
use super::linear::Linear;
use super::projection::Vector;
use crate::error::{Error, Result};
use crate::formula;

/// Which linears carry an adapter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TargetModules {
    /// All seven of every layer (never the output matrix).
    #[default]
    AllLinear,
    /// These of every layer.
    Only(Vec<Linear>),
}

impl TargetModules {
    /// From the names users write: `all-linear`, or module names such as `q_proj`.
    pub fn parse<S: AsRef<str>>(names: &[S]) -> Result<Self> {
        if let [only] = names
            && only.as_ref() == "all-linear"
        {
            return Ok(Self::AllLinear);
        }
        if names.is_empty() {
            return Err(Error::Argument("no target module is named".to_owned()));
        }
        let mut linears = Vec::new();
        for name in names {
            let name = name.as_ref();
            let linear = Linear::ALL.into_iter().find(|l| l.module() == name || l.path() == name);
            linears.push(linear.ok_or_else(|| {
                let known: Vec<&str> = Linear::ALL.iter().map(|l| l.module()).collect();
                Error::Argument(format!("unknown target module `{name}`; known are {}", known.join(", ")))
            })?);
        }
        linears.sort_unstable();
        linears.dedup();
        Ok(Self::Only(linears))
    }

    /// Whether a linear carries an adapter.
    pub fn includes(&self, linear: Linear) -> bool {
        match self {
            Self::AllLinear => true,
            Self::Only(list) => list.contains(&linear),
        }
    }

    /// The adapted linears, in order.
    pub fn linears(&self) -> Vec<Linear> {
        Linear::ALL.into_iter().filter(|&l| self.includes(l)).collect()
    }
}

/// How `A` starts; `B` always starts at zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LoraInit {
    /// [`formula::lora_a`]: the published formula, the same for every run.
    #[default]
    Formula,
    /// The same distribution from a seed.
    Seeded(u64),
}

/// Shape and behaviour of a model's adapters.
#[derive(Debug, Clone, PartialEq)]
pub struct LoraConfig {
    /// Width of the bottleneck, r.
    pub rank: usize,
    /// `scale = alpha / rank`.
    pub alpha: f64,
    /// Probability of dropping an element of an adapter's input while training.
    pub dropout: f64,
    /// Which linears.
    pub targets: TargetModules,
    /// How `A` starts.
    pub init: LoraInit,
}

impl Default for LoraConfig {
    fn default() -> Self {
        Self {
            rank: 8,
            alpha: 16.0,
            dropout: 0.0,
            targets: TargetModules::default(),
            init: LoraInit::default(),
        }
    }
}

impl LoraConfig {
    /// Checks ranges.
    pub fn validate(&self) -> Result<()> {
        if self.rank == 0 || self.rank > 1 << 16 {
            return Err(Error::Argument(format!("LoRA rank {} is out of range", self.rank)));
        }
        if !(self.alpha.is_finite() && self.alpha > 0.0) {
            return Err(Error::Argument("LoRA alpha must be positive".to_owned()));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(Error::Argument("LoRA dropout must be at least 0 and below 1".to_owned()));
        }
        Ok(())
    }

    /// The factor on `B (A x)`.
    pub fn scale(&self) -> f64 {
        self.alpha / self.rank as f64
    }
}

/// The adapter of one linear.
#[derive(Debug, Clone)]
pub struct Lora {
    a_ri: Vector,
    b_or: Vector,
    scale: f64,
    dropout: f64,
}

impl Lora {
    /// A fresh adapter for the `k`-th linear of the model, of shape `(out, in)`.
    pub(super) fn fresh(
        config: &LoraConfig,
        k: usize,
        (out, input): (usize, usize),
        device: &Device,
    ) -> Result<Self> {
        let rank = config.rank;
        let a = match config.init {
            LoraInit::Formula => formula::lora_a(k, rank, input),
            LoraInit::Seeded(seed) => {
                let stream = formula::bits(seed, k as u64);
                let bound = 1.0 / (input as f64).sqrt();
                (0..(rank * input) as u64).map(|n| formula::value(0, stream.wrapping_add(n), bound)).collect()
            }
        };
        let a = Tensor::from_vec(a, (rank, input), device)?;
        let b = Tensor::zeros((out, rank), candle_core::DType::F32, device)?;
        Self::from_tensors(config, a, b, true)
    }

    /// An adapter with given matrices, `a` `[rank, in]` and `b` `[out, rank]`.
    pub(super) fn from_tensors(config: &LoraConfig, a: Tensor, b: Tensor, trainable: bool) -> Result<Self> {
        Ok(Self {
            a_ri: Vector::new(a, trainable)?,
            b_or: Vector::new(b, trainable)?,
            scale: config.scale(),
            dropout: config.dropout,
        })
    }

    /// `A`, `[rank, in]`.
    pub fn a(&self) -> &Vector {
        &self.a_ri
    }

    /// `B`, `[out, rank]`.
    pub fn b(&self) -> &Vector {
        &self.b_or
    }

    /// The factor on `B (A x)`.
    pub(super) fn scale(&self) -> f64 {
        self.scale
    }

    /// Probability of dropping an element of the input while training.
    pub(super) fn dropout(&self) -> f64 {
        self.dropout
    }

    /// What the adapter adds to the weight: `scale * B A`, `[out, in]`.
    pub fn delta(&self) -> Result<Tensor> {
        Ok((self.b_or.tensor().detach().matmul(&self.a_ri.tensor().detach())? * self.scale)?)
    }

    /// `y + scale * B (A dropout(x))`, rounded as autocast does: each product's output, the scaled output, the sum.
    pub(super) fn add_to(
        &self,
        y_to: &Tensor,
        x_ti: &Tensor,
        compute: Compute,
        train: Option<&mut DropoutState>,
    ) -> Result<Tensor> {
        let dropped = match train {
            Some(state) if self.dropout > 0.0 => Some(state.apply(x_ti, self.dropout)?),
            _ => None,
        };
        let x_tr = linear(dropped.as_ref().unwrap_or(x_ti), self.a_ri.tensor(), compute)?;
        let z_to = (linear(&x_tr, self.b_or.tensor(), compute)? * self.scale)?;
        Ok(round_to(&(y_to + round_to(&z_to, compute)?)?, compute)?)
    }
}
