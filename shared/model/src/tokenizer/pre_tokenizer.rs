//! How text is cut before it is merged, by the names that llama.cpp has for it (`tokenizer.ggml.pre`, `llama-vocab.cpp`), in the
//! form in which the models' own `tokenizer.json` has it.
//!
//! Names of models whose architecture this engine does not run are left out: a cut that was never held against its model would
//! give other ids.

use serde_json::{Value, json};

use crate::error::{Error, Result};

const CONTRACTIONS: &str = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const WORDS_AND_SPACES: &str = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const THREE_DIGITS: &str = "[0-9][0-9][0-9]";
const UPPER: &str = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]";
const LOWER: &str = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]";
const PATH_ENDS: &str = r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const SEED_CODER: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+",
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
);
const DEEPSEEK_V3: &str = concat!(
    r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"##,
    r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);
/// Han and kana; DeepSeek's older models take in everything from Samaritan to Hangul.
const HAN_AND_KANA: &str = r"[\x{4E00}-\x{9FA5}\x{3040}-\x{309F}\x{30A0}-\x{30FF}]+";
const UNSPACED: &str = r"[\x{4E00}-\x{9FA5}\x{800}-\x{4E00}\x{AC00}-\x{D7FF}]+";
const DEEPSEEK_LLM_PUNCTUATION: &str =
    r"\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3000}-\x{3002}]+";
/// The cased letters of deepseek-llm's tokenizer.
const DEEPSEEK_LLM_LETTERS: &str = concat!(
    r"\s?[",
    r"A-Za-z\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA}\x{1BC}-\x{1BF}\x{1C4}-\x{293}\x{295}-\x{2AF}",
    r"\x{370}-\x{373}\x{376}\x{377}\x{37B}-\x{37D}\x{37F}\x{386}\x{388}-\x{38A}\x{38C}\x{38E}-\x{3A1}",
    r"\x{3A3}-\x{3F5}\x{3F7}-\x{481}\x{48A}-\x{52F}\x{531}-\x{556}\x{10A0}-\x{10C5}\x{13A0}-\x{13F5}",
    r"\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA}\x{1CBD}-\x{1CBF}\x{1D00}-\x{1D2B}\x{1D6B}-\x{1D77}",
    r"\x{1D79}-\x{1D9A}\x{1E00}-\x{1F15}\x{1F18}-\x{1F1D}\x{1F20}-\x{1F45}\x{1F48}-\x{1F4D}",
    r"\x{1F50}-\x{1F57}\x{1F59}\x{1F5B}\x{1F5D}\x{1F5F}-\x{1F7D}\x{1F80}-\x{1FB4}\x{1FB6}-\x{1FBC}\x{1FBE}",
    r"\x{1FC2}-\x{1FC4}\x{1FC6}-\x{1FCC}\x{1FD0}-\x{1FD3}\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC}",
    r"\x{1FF2}-\x{1FF4}\x{1FF6}-\x{1FFC}\x{2102}\x{2107}\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D}\x{2124}",
    r"\x{2126}\x{2128}\x{212A}-\x{212D}\x{212F}-\x{2134}\x{2139}\x{213C}-\x{213F}\x{2145}-\x{2149}\x{214E}",
    r"\x{2183}\x{2184}\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4}\x{2CEB}-\x{2CEE}\x{2CF2}\x{2CF3}\x{A640}-\x{A66D}",
    r"\x{A680}-\x{A69B}\x{A722}-\x{A76F}\x{A771}-\x{A787}\x{A78B}-\x{A78E}\x{AB70}-\x{ABBF}",
    r"\x{FB00}-\x{FB06}\x{FB13}-\x{FB17}\x{FF21}-\x{FF3A}\x{FF41}-\x{FF5A}\x{10400}-\x{1044F}",
    r"\x{104B0}-\x{104D3}\x{104D8}-\x{104FB}\x{10C80}-\x{10CB2}\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF}",
    r"\x{1E900}-\x{1E943}",
    r"]+",
);

/// How many digits stay together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digits {
    Single,
    UpToThree,
    All,
}

impl Digits {
    pub(super) const ALL: [Self; 3] = [Self::Single, Self::UpToThree, Self::All];

    fn pattern(self) -> &'static str {
        match self {
            Self::Single => r"\p{N}",
            Self::UpToThree => r"\p{N}{1,3}",
            Self::All => r"\p{N}+",
        }
    }

    pub(super) fn most(self) -> usize {
        match self {
            Self::Single => 1,
            Self::UpToThree => 3,
            Self::All => usize::MAX,
        }
    }
}

/// How text is prepared for the merges.
pub(super) struct PreTokenizer {
    /// In turn, each on what the one before left; one of them maps bytes to letters.
    steps: Vec<Value>,
    /// Text is composed (NFC) first.
    nfc: bool,
    /// A word that is a token is taken whole, whatever the merges say.
    pub(super) whole_words: bool,
    /// Encoding puts BOS in front where the file does not say.
    pub(super) adds_bos: bool,
}

impl PreTokenizer {
    /// The pre-tokenizer of a `tokenizer.ggml.pre`.
    pub(super) fn named(name: &str) -> Result<Self> {
        Self::after_gpt2(name)
            .or_else(|| Self::after_gpt4(name))
            .or_else(|| Self::of_their_own(name))
            .ok_or_else(|| Error::Unsupported(format!("GGUF pre-tokenizer `{name}`")))
    }

    fn after_gpt2(name: &str) -> Option<Self> {
        Some(match name {
            "gpt-2" | "phi-2" | "roberta-bpe" | "jina-v1-en" | "jina-v2-code" | "jina-es" | "jina-de"
            | "jina-v2-es" | "jina-v2-de" | "jais" | "trillion" | "gigachat" | "a.x-4.0" | "mellum"
            | "modern-bert" | "exaone4" | "granite-docling" => Self::of([byte_level(true)]),
            "mpt" | "olmo" => Self { nfc: true, ..Self::of([byte_level(true)]) },
            "smollm" | "starcoder" | "refact" | "command-r" | "codeshell" | "minerva-7b" | "exaone"
            | "mellum2" => Self::of([digits(true), byte_level(true)]),
            "falcon" => {
                let punctuation = json!({"type": "Punctuation", "behavior": "Contiguous"});
                Self::of([punctuation, byte_level(true), digits(false), split(THREE_DIGITS)])
            }
            // llama.cpp's own choice for files whose model it does not know.
            "default" => Self::cut([r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", THREE_DIGITS]),
            _ => return None,
        })
    }

    fn after_gpt4(name: &str) -> Option<Self> {
        Some(match name {
            "llama3" | "llama-v3" | "llama-bpe" | "falcon3" | "falcon-h1" | "pixtral" | "midm-2.0"
            | "lfm2" | "jina-v5-nano" => {
                Self { whole_words: true, adds_bos: true, ..Self::cut([&gpt4_like(r"\p{N}{1,3}")]) }
            }
            "dbrx" | "smaug-bpe" | "olmo2" | "dolma2" | "chatglm-bpe" | "glm4" => {
                Self::cut([&gpt4_like(r"\p{N}{1,3}")])
            }
            "qwen2" | "deepseek-r1-qwen" => Self { nfc: true, ..Self::plain() },
            "stablelm2" | "hunyuan" | "megrez" | "kormo" | "f2llmv2" | "solar-open" => Self::plain(),
            "minicpm5" => Self::cut([r"\p{N}{1,3}", &gpt4_like(r"\p{N}+")]),
            "seed-coder" => Self::cut([SEED_CODER]),
            "tekken" => {
                let pattern = format!(r"{}|\p{{N}}|{PATH_ENDS}", cased_words(""));
                Self { whole_words: true, adds_bos: true, ..Self::cut([&pattern]) }
            }
            "gpt-4o" | "llama4" | "kanana2" | "talkie" => {
                let cased = cased_words(&format!("{CONTRACTIONS}?"));
                Self::cut([&format!(r"{cased}|\p{{N}}{{1,3}}|{PATH_ENDS}")])
            }
            _ => return None,
        })
    }

    fn of_their_own(name: &str) -> Option<Self> {
        let then_digits = |cuts: &[&str]| {
            let last = [digits(true), byte_level(false)];
            Self::of(cuts.iter().map(|cut| split(cut)).chain(last))
        };
        Some(match name {
            "deepseek-llm" => {
                then_digits(&[r"[\r\n]", DEEPSEEK_LLM_LETTERS, DEEPSEEK_LLM_PUNCTUATION, r"\s+$", UNSPACED])
            }
            "deepseek-coder" => then_digits(&[r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", UNSPACED]),
            "deepseek-v3" => Self::cut([r"\p{N}{1,3}", HAN_AND_KANA, DEEPSEEK_V3]),
            _ => return None,
        })
    }

    /// Words with their leading space, single digits, punctuation, white space: what a tokenizer learnt here cuts by.
    pub(super) fn plain() -> Self {
        Self::cut([&Self::plain_pattern()])
    }

    /// The one pattern of [`Self::plain`]; its matches cover any text.
    pub(super) fn plain_pattern() -> String {
        Self::gpt4_pattern(Digits::Single)
    }

    /// GPT-4's pattern with another number of digits.
    pub(super) fn gpt4_pattern(digits: Digits) -> String {
        gpt4_like(digits.pattern())
    }

    /// Patterns that cut where [`super::words`] does.
    pub(super) fn word_patterns() -> Vec<String> {
        let mut patterns = vec![GPT2.to_owned(), SEED_CODER.to_owned()];
        patterns.extend(Digits::ALL.map(Self::gpt4_pattern));
        patterns
    }

    fn of(steps: impl IntoIterator<Item = Value>) -> Self {
        Self { steps: steps.into_iter().collect(), nfc: false, whole_words: false, adds_bos: false }
    }

    /// Patterns in turn, the matches of each kept apart, then bytes to letters.
    fn cut<const N: usize>(patterns: [&str; N]) -> Self {
        Self::of(patterns.map(split).into_iter().chain([byte_level(false)]))
    }

    /// The step of a `tokenizer.json`.
    pub(super) fn json(&self) -> Value {
        json!({"type": "Sequence", "pretokenizers": self.steps})
    }

    /// The normalizer of a `tokenizer.json`.
    pub(super) fn normalizer(&self) -> Value {
        if self.nfc { json!({"type": "NFC"}) } else { Value::Null }
    }
}

/// Contractions, words with one mark before them, `digits`, the rest.
fn gpt4_like(digits: &str) -> String {
    format!(r"{CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{digits}|{WORDS_AND_SPACES}")
}

/// Words that end where a small letter is followed by a capital.
fn cased_words(after: &str) -> String {
    let before = r"[^\r\n\p{L}\p{N}]?";
    format!("{before}{UPPER}*{LOWER}+{after}|{before}{UPPER}+{LOWER}*{after}")
}

/// Bytes to letters, after GPT-2's pattern or as they come.
fn byte_level(use_regex: bool) -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex})
}

fn digits(individual: bool) -> Value {
    json!({"type": "Digits", "individual_digits": individual})
}

fn split(pattern: &str) -> Value {
    json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false})
}
