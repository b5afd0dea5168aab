//! What a dataset is for ([`Kind`]) and which columns its rows have ([`Layout`]).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What a dataset is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Documents to pretrain on.
    Pretrain,
    /// Conversations for supervised fine-tuning.
    Sft,
    /// A prompt with a chosen and a rejected answer.
    Preference,
    /// Rows of free columns, such as a benchmark's.
    Evaluation,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Pretrain, Self::Sft, Self::Preference, Self::Evaluation];

    /// The kind's name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pretrain => "pretrain",
            Self::Sft => "sft",
            Self::Preference => "preference",
            Self::Evaluation => "evaluation",
        }
    }

    /// The columns that a row of this kind may have, for messages.
    pub(crate) const fn columns(self) -> &'static str {
        match self {
            Self::Pretrain => "`text`",
            Self::Sft => "`messages`, `conversations`, `instruction` + `output`, or `prompt` + `completion`",
            Self::Preference => {
                "`chosen` + `rejected` (with `prompt`, `conversations` or `instruction`), or `input` + \
                 `preferred_output` + `non_preferred_output`"
            }
            Self::Evaluation => "any columns",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            format!("unknown dataset kind `{name}`: expected pretrain, sft, preference or evaluation")
        })
    }
}

/// The column layout of a row, by the tool that made it common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// `text`.
    Text,
    /// Stanford Alpaca: `instruction, input?, output, system?, history?`.
    Alpaca,
    /// ShareGPT: `conversations: [{from, value}], system?, tools?`.
    ShareGpt,
    /// OpenAI: `messages: [{role, content}], tools?`.
    Messages,
    /// `prompt, completion`, as strings or as message lists.
    PromptCompletion,
    /// TRL: `prompt?, chosen, rejected`, as strings or as message lists.
    TrlPreference,
    /// OpenAI: `input: {messages, tools}, preferred_output, non_preferred_output`.
    OpenAiPreference,
    /// Alpaca with `chosen` and `rejected` in place of `output`.
    AlpacaPreference,
    /// ShareGPT with `chosen: {from, value}` and `rejected: {from, value}`.
    ShareGptPreference,
    /// None of them: free columns.
    Free,
}

impl Layout {
    /// What a dataset of such rows is for.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Text => Kind::Pretrain,
            Self::Alpaca | Self::ShareGpt | Self::Messages | Self::PromptCompletion => Kind::Sft,
            Self::TrlPreference
            | Self::OpenAiPreference
            | Self::AlpacaPreference
            | Self::ShareGptPreference => Kind::Preference,
            Self::Free => Kind::Evaluation,
        }
    }

    /// The layout's name, for evidence and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Alpaca => "alpaca",
            Self::ShareGpt => "sharegpt",
            Self::Messages => "openai messages",
            Self::PromptCompletion => "prompt and completion",
            Self::TrlPreference => "trl preference",
            Self::OpenAiPreference => "openai preference",
            Self::AlpacaPreference => "alpaca preference",
            Self::ShareGptPreference => "sharegpt preference",
            Self::Free => "free columns",
        }
    }
}
