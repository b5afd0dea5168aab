//! What calibration decided, and folding it into the weights.

use anneal_model::ModelConfig;

use crate::engine::weights::Matrix;

/// Linears of a layer that share an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// Queries, keys and values, after the input norm.
    AttentionIn,
    /// The output projection, after the mixed values.
    AttentionOut,
    /// Gate and up, after the second norm.
    FeedForwardIn,
    /// Down, after the product of gate and up.
    FeedForwardOut,
}

impl Group {
    pub(crate) const ALL: [Self; 4] =
        [Self::AttentionIn, Self::AttentionOut, Self::FeedForwardIn, Self::FeedForwardOut];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::AttentionIn => "attention_in",
            Self::AttentionOut => "attention_out",
            Self::FeedForwardIn => "feed_forward_in",
            Self::FeedForwardOut => "feed_forward_out",
        }
    }

    /// Its linears, by the part of the Hugging Face name after the layer.
    pub(crate) const fn modules(self) -> &'static [&'static str] {
        match self {
            Self::AttentionIn => &["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
            Self::AttentionOut => &["self_attn.o_proj"],
            Self::FeedForwardIn => &["mlp.gate_proj", "mlp.up_proj"],
            Self::FeedForwardOut => &["mlp.down_proj"],
        }
    }

    /// The linear whose output rows are divided so that this group's input is smoothed; the norm when there is none.
    const fn giver(self) -> Option<&'static str> {
        match self {
            Self::AttentionIn | Self::FeedForwardIn => None,
            Self::AttentionOut => Some("self_attn.v_proj"),
            Self::FeedForwardOut => Some("mlp.up_proj"),
        }
    }
}

/// Whether activations are rounded to 8 bits inside a product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Precise {
    /// Rounded, block by block: integer products, fast.
    #[default]
    Rounded,
    /// Kept as floats.
    Float,
}

impl Precise {
    /// `MatMulNBits`' attribute: 4 allows 8-bit activations, 1 asks for f32.
    pub(crate) const fn accuracy_level(self) -> i64 {
        match self {
            Self::Rounded => 4,
            Self::Float => 1,
        }
    }
}

/// What was decided for a group of a layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decision {
    /// Divisor of each input channel (of each key-value channel for [`Group::AttentionOut`]); empty leaves them.
    pub(crate) divisors: Vec<f32>,
    pub(crate) precise: Precise,
}

/// All decisions; an empty plan changes nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    decisions: Vec<[Decision; 4]>,
}

impl Plan {
    pub(crate) fn for_layers(layers: usize) -> Self {
        Self { decisions: vec![Default::default(); layers] }
    }

    pub(crate) fn set(&mut self, layer: usize, group: Group, decision: Decision) {
        self.decisions[layer][group as usize] = decision;
    }

    fn get(&self, layer: usize, group: Group) -> Option<&Decision> {
        self.decisions.get(layer).map(|groups| &groups[group as usize])
    }

    pub(crate) fn precise(&self, layer: usize, group: Group) -> Precise {
        self.get(layer, group).map(|decision| decision.precise).unwrap_or_default()
    }

    /// The output matrix writes logits themselves; its input is normed and has no outliers to speak of.
    pub(crate) const fn precise_head() -> Precise {
        Precise::Rounded
    }

    fn divisors(&self, layer: usize, group: Group) -> Option<&[f32]> {
        self.get(layer, group)
            .map(|decision| decision.divisors.as_slice())
            .filter(|divisors| !divisors.is_empty())
    }

    /// Folds the plan into the linear `module` of `layer`.
    pub(crate) fn fold(
        &self,
        config: &ModelConfig,
        layer: usize,
        module: &str,
        weight: &mut Matrix,
        bias: Option<&mut [f32]>,
    ) {
        let mut bias = bias;
        for group in Group::ALL {
            let Some(divisors) = self.divisors(layer, group) else { continue };
            if group.modules().contains(&module) {
                let wide = widen(config, group, divisors);
                weight.scale_columns(&wide);
            }
            if group.giver() == Some(module) {
                weight.divide_rows(divisors);
                if let Some(bias) = bias.as_deref_mut() {
                    bias.iter_mut().zip(divisors).for_each(|(value, divisor)| *value /= divisor);
                }
            }
        }
    }

    /// Folds the plan into the norm before `group`.
    pub(crate) fn fold_norm(&self, layer: usize, group: Group, weight: &mut [f32]) {
        if let Some(divisors) = self.divisors(layer, group) {
            weight.iter_mut().zip(divisors).for_each(|(value, divisor)| *value /= divisor);
        }
    }
}

/// Divisors of every input channel of a group: query heads of a group read the same value channels.
pub(crate) fn widen(config: &ModelConfig, group: Group, divisors: &[f32]) -> Vec<f32> {
    if group != Group::AttentionOut {
        return divisors.to_vec();
    }
    let (width, repeat) = (config.head_dim, config.heads / config.kv_heads);
    divisors.chunks(width).flat_map(|head| head.repeat(repeat)).collect()
}
