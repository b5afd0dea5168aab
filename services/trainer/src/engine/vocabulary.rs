//! A tokenizer learnt from the training rows, for a model that is pretrained from nothing.

use std::path::Path;

use anneal_contracts::engine::{Level, TrainTokenizer, TrainerSpec, TrainingKind};
use anneal_datasets::{Part, Reader, Row};
use anneal_model::{Tokenizer, TokenizerTrainer};

use super::{Error, Output, Result, Stop, plan::Plan};

/// Bytes of text that are counted at a time; a row more may be held.
const BATCH_BYTES: usize = 8 << 20;

/// Refuses a tokenizer where none can be learnt, or of a size that cannot be had.
pub(crate) fn check(spec: &TrainerSpec) -> Result<()> {
    let Some(tokenizer) = spec.tokenizer else { return Ok(()) };
    if spec.task_type != TrainingKind::Pretrain {
        let reason = "only `pretrain` starts from nothing; a trained model keeps its tokenizer";
        return Err(Error::spec("tokenizer", reason));
    }
    if !TrainTokenizer::SIZES.contains(&tokenizer.train.vocab_size) {
        return Err(Error::spec("tokenizer.train.vocab_size", "must be 512 to 262144 tokens"));
    }
    Ok(())
}

/// The tokenizer that the spec asks to learn, if it does; that of the checkpoint where one is continued.
pub(crate) fn tokenizer(plan: &Plan, output: &mut Output, stop: &Stop) -> Result<Option<Tokenizer>> {
    let Some(options) = plan.spec.tokenizer else { return Ok(None) };
    if let Some(folder) = plan.spec.resume_from.as_deref().map(Path::new) {
        let read = Tokenizer::from_folder(folder, None);
        return read.map(Some).map_err(|error| Error::checkpoint(folder, error.to_string()));
    }
    output.stage("tokenizer", |output| learn(plan, options.train.vocab_size, output, stop)).map(Some)
}

fn learn(plan: &Plan, size: usize, output: &mut Output, stop: &Stop) -> Result<Tokenizer> {
    let path = Path::new(&plan.spec.dataset);
    let mut reader = Reader::open(path, Some(plan.kind), plan.format)?;
    let mut trainer = TokenizerTrainer::new(size).map_err(Error::model("tokenizer"))?;
    let (mut texts, mut bytes, mut rows) = (Vec::new(), 0, 0);
    loop {
        let row = reader.next().transpose().map_err(|row| Error::Row { file: path.to_owned(), row })?;
        let last = row.is_none();
        if let Some((_, Row::Text(text))) = row {
            if plan.split.part(rows) == Part::Train {
                bytes += text.len();
                texts.push(text);
            }
            rows += 1;
        }
        if last || bytes >= BATCH_BYTES {
            stop.check()?;
            count(&mut trainer, &texts)?;
            texts.clear();
            bytes = 0;
            output.progress(
                reader.bytes_read(),
                reader.bytes_total().max(reader.bytes_read()),
                "bytes",
                None,
            );
        }
        if last {
            break;
        }
    }
    let tokenizer = trainer.finish().map_err(Error::model("tokenizer"))?;
    let found = tokenizer.vocab_size();
    output.log(Level::Info, format!("learnt a tokenizer of {found} tokens from {rows} rows"));
    if found < size {
        let message = format!("{found} tokens, not {size}: the rows hold no more pairs that occur twice");
        output.log(Level::Warn, message);
    }
    Ok(tokenizer)
}

fn count(trainer: &mut TokenizerTrainer, texts: &[String]) -> Result<()> {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    trainer.add(&texts).map_err(Error::model("tokenizer"))
}
