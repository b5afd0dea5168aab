//! The built-in benchmarks, for people who choose one. What they compute is the evaluator's matter; a test there holds this
//! list against its own.

use serde::Serialize;

/// A built-in benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Benchmark {
    /// The name that an evaluation gives.
    pub name: &'static str,
    /// What it asks, and whose it is.
    pub description: &'static str,
    /// How the name of one subject alone begins; none of a benchmark without subjects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_prefix: Option<&'static str>,
}

const fn one(name: &'static str, description: &'static str) -> Benchmark {
    Benchmark { name, description, subject_prefix: None }
}

const fn family(name: &'static str, description: &'static str, prefix: &'static str) -> Benchmark {
    Benchmark { name, description, subject_prefix: Some(prefix) }
}

/// Every built-in benchmark, by name.
pub const BENCHMARKS: [Benchmark; 22] = [
    one(
        "arc_challenge",
        "ARC, the challenge set: science questions of school examinations (Clark et al. 2018)",
    ),
    one("arc_easy", "ARC, the easy set: science questions of school examinations (Clark et al. 2018)"),
    one("boolq", "BoolQ: yes or no, by a passage (Clark et al. 2019)"),
    family(
        "ceval-valid",
        "C-Eval: Chinese examinations in 52 subjects, the validation split (Huang et al. 2023)",
        "ceval-valid_",
    ),
    family("cmmlu", "CMMLU: Chinese knowledge in 67 subjects (Li et al. 2023)", "cmmlu_"),
    one("commonsense_qa", "CommonsenseQA: everyday knowledge (Talmor et al. 2019)"),
    one("custom_multiple_choice", "Your own rows: a question, its choices, and the right one"),
    one("custom_question_answer", "Your own rows: a prompt and one or several right answers"),
    one(
        "gsm8k",
        "GSM8K: grade-school mathematics, answered in steps; needs a `train` split (Cobbe et al. 2021)",
    ),
    one("heldout_loss", "Loss per token on the assistant turns of a fine-tuning dataset that was held out"),
    one("hellaswag", "HellaSwag: which ending follows (Zellers et al. 2019)"),
    one("ifeval", "IFEval: instructions whose following a program checks (Zhou et al. 2023)"),
    one("lambada_openai", "LAMBADA: the last word of a passage (Paperno et al. 2016)"),
    family("mmlu", "MMLU: knowledge in 57 subjects (Hendrycks et al. 2021)", "mmlu_"),
    one("openbookqa", "OpenBookQA: elementary science applied (Mihaylov et al. 2018)"),
    one("perplexity", "Your own text: how well the model foretells it"),
    one("piqa", "PIQA: everyday physics (Bisk et al. 2020)"),
    one("sciq", "SciQ: science questions (Welbl et al. 2017)"),
    one("truthfulqa_mc1", "TruthfulQA: one true answer among false ones (Lin et al. 2022)"),
    one("truthfulqa_mc2", "TruthfulQA: probability mass on all true answers (Lin et al. 2022)"),
    one("wikitext", "WikiText-2: perplexity of whole encyclopaedia pages (Merity et al. 2017)"),
    one("winogrande", "WinoGrande: whom a pronoun means (Sakaguchi et al. 2020)"),
];
