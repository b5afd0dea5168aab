//! Parameters that chat and completions share, and their bounds.

use std::collections::HashMap;

use serde::Deserialize;

use crate::{error::ApiError, sampling::Sampling};

/// Most answers to one request.
const MOST_ANSWERS: usize = 8;

/// One stop string or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum StopStrings {
    /// One.
    One(String),
    /// Up to four.
    Many(Vec<String>),
}

/// Options of a streamed answer.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct StreamOptions {
    /// Whether the last chunk tells the usage.
    #[serde(default)]
    pub include_usage: bool,
}

/// Parameters of sampling and length.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Parameters {
    /// Most tokens of an answer.
    pub max_tokens: Option<usize>,
    /// 0 to 2; 0 is greedy.
    pub temperature: Option<f32>,
    /// 0 to 1.
    pub top_p: Option<f32>,
    /// Answers wanted.
    pub n: Option<usize>,
    /// Strings that end an answer.
    pub stop: Option<StopStrings>,
    /// Whether tokens are sent as they are written.
    pub stream: Option<bool>,
    /// Options of a stream.
    pub stream_options: Option<StreamOptions>,
    /// Repeats an answer.
    pub seed: Option<i64>,
    /// −2 to 2.
    pub presence_penalty: Option<f32>,
    /// −2 to 2.
    pub frequency_penalty: Option<f32>,
    /// Token ids to additions to their logits, −100 to 100.
    pub logit_bias: Option<HashMap<String, f32>>,
}

fn bounded(name: &str, value: Option<f32>, default: f32, low: f32, high: f32) -> Result<f32, ApiError> {
    let value = value.unwrap_or(default);
    if value >= low && value <= high {
        return Ok(value);
    }
    Err(ApiError::invalid(name, format!("{value} is not within {low} to {high} - '{name}'")))
}

impl Parameters {
    /// Sampling of the `index`-th answer; answers without a seed differ from each other and from run to run.
    pub(crate) fn sampling(&self, index: usize) -> Result<Sampling, ApiError> {
        let mut logit_bias = HashMap::new();
        for (token, &bias) in self.logit_bias.iter().flatten() {
            let id = token
                .parse()
                .map_err(|_| ApiError::invalid("logit_bias", format!("`{token}` is not a token id")))?;
            logit_bias.insert(id, bounded("logit_bias", Some(bias), 0.0, -100.0, 100.0)?);
        }
        let seed = match self.seed {
            Some(seed) => seed as u64,
            None => uuid::Uuid::new_v4().as_u64_pair().0,
        };
        Ok(Sampling {
            temperature: bounded("temperature", self.temperature, 1.0, 0.0, 2.0)?,
            top_p: bounded("top_p", self.top_p, 1.0, 0.0, 1.0)?,
            seed: seed.wrapping_add((index as u64).wrapping_mul(0x9E37_79B9)) & 0x00FF_FFFF,
            presence_penalty: bounded("presence_penalty", self.presence_penalty, 0.0, -2.0, 2.0)?,
            frequency_penalty: bounded("frequency_penalty", self.frequency_penalty, 0.0, -2.0, 2.0)?,
            logit_bias,
        })
    }

    pub(crate) fn stops(&self) -> Result<Vec<String>, ApiError> {
        let stops = match &self.stop {
            None => vec![],
            Some(StopStrings::One(stop)) => vec![stop.clone()],
            Some(StopStrings::Many(stops)) => stops.clone(),
        };
        if stops.len() > 4 {
            return Err(ApiError::invalid("stop", "at most four stop strings are allowed"));
        }
        Ok(stops)
    }

    pub(crate) fn answers(&self) -> Result<usize, ApiError> {
        match self.n.unwrap_or(1) {
            n @ 1..=MOST_ANSWERS => Ok(n),
            n => Err(ApiError::invalid("n", format!("{n} is not within 1 to {MOST_ANSWERS} - 'n'"))),
        }
    }

    pub(crate) fn streams(&self) -> bool {
        self.stream.unwrap_or(false)
    }

    pub(crate) fn include_usage(&self) -> bool {
        self.stream_options.is_some_and(|options| options.include_usage)
    }
}

/// Refuses what is asked for and cannot be done, rather than ignoring it.
pub(crate) fn refuse(param: &str, asked: bool) -> Result<(), ApiError> {
    if asked { Err(ApiError::invalid(param, format!("'{param}' is not supported"))) } else { Ok(()) }
}
