//! Tokenizers learnt from text.

use anneal_model::tokenizer::train::SPECIAL_TOKENS;
use anneal_model::{Tokenizer, TokenizerTrainer, formula};
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, ModelWrapper};

/// Some hundred sentences of made-up words, the same everywhere.
fn texts() -> Vec<String> {
    let syllables = ["ka", "to", "ri", "mé", "shun", "lo", "the", "ing", "東", "q"];
    let word = |text: u64, n: u64| -> String {
        let at = |k: u64| formula::bits(text, 7 * n + k) as usize;
        (0..=at(0) as u64 % 3).map(|k| syllables[at(1 + k) % syllables.len()]).collect()
    };
    (0..300).map(|text| (0..20).map(|n| word(text, n)).collect::<Vec<_>>().join(" ") + ".\n").collect()
}

fn learnt(texts: &[String], size: usize, at_once: usize) -> Tokenizer {
    let mut trainer = TokenizerTrainer::new(size).unwrap();
    for some in texts.chunks(at_once) {
        trainer.add(&some.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    }
    trainer.finish().unwrap()
}

fn json(tokenizer: &Tokenizer) -> String {
    tokenizer.inner().to_string(false).unwrap()
}

#[test]
fn the_same_texts_give_the_same_tokenizer() {
    let texts = texts();
    let tokenizer = learnt(&texts, 600, 300);
    assert_eq!(tokenizer.vocab_size(), 600);
    for at_once in [1, 7, 300] {
        assert_eq!(json(&learnt(&texts, 600, at_once)), json(&tokenizer));
    }
    for text in [texts.concat().as_str(), "unseen Ωmega 🙂 \u{0}\t\r\n  x", "<|im_start|>user\nhi<|im_end|>"]
    {
        let ids = tokenizer.encode(text, true).unwrap();
        assert_eq!(tokenizer.decode(&ids, false).unwrap(), text);
    }
    let sample = &texts[17];
    assert!(tokenizer.encode(sample, false).unwrap().len() * 2 < sample.len(), "words became tokens");
}

#[test]
fn the_library_learns_the_same_merges() {
    let texts = texts();
    let ours = learnt(&texts, 400, 300);
    let trainer = BpeTrainer::builder()
        .vocab_size(400)
        .min_frequency(2)
        .show_progress(false)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(SPECIAL_TOKENS.map(|token| AddedToken::from(token, true)).to_vec())
        .build();
    let mut theirs = ours.inner().clone();
    theirs.with_model(ModelWrapper::BPE(BPE::default()));
    theirs.train(&mut TrainerWrapper::BpeTrainer(trainer), texts.iter()).unwrap();
    assert_eq!(theirs.get_vocab(true), ours.inner().get_vocab(true));
    for text in &texts {
        let ids = theirs.encode_fast(text.as_str(), false).unwrap().get_ids().to_vec();
        assert_eq!(ids, ours.encode(text, false).unwrap());
    }
}

#[test]
fn little_text_gives_a_small_tokenizer() {
    let tokenizer = learnt(&["abab abab".to_owned()], 5000, 1);
    assert_eq!(tokenizer.vocab_size(), 260 + 2, "ab and abab occur twice");
    let folder = tempfile::tempdir().unwrap();
    tokenizer.save(folder.path()).unwrap();
    let again = Tokenizer::from_folder(folder.path(), None).unwrap();
    assert_eq!((again.bos_id(), again.eos_id(), again.pad_id()), (Some(0), Some(0), Some(1)));
    assert_eq!(json(&again), json(&tokenizer));
    assert!(!folder.path().join("chat_template.jinja").exists());
    let config = std::fs::read_to_string(folder.path().join("tokenizer_config.json")).unwrap();
    assert!(!config.contains("chat_template"), "{config}");
}
