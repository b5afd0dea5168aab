//! Reads the dataset, renders and tokenises it in parallel, and splits it into training, validation and test items.

use std::path::Path;

use anneal_contracts::engine::{Level, TrainingKind};
use anneal_datasets::{Part, Reader, Row, RowError};
use anneal_model::{ChatTemplate, Source, Tokenizer};
use rayon::prelude::*;

use super::{
    Error, Output, Result, Stop,
    encode::{Encoded, Encoder},
    pack::{Packer, Packing},
    plan::Plan,
    render::Renderer,
    tokens::{TokenStore, TokenWriter},
};

/// Rows that are tokenised at a time.
const BATCH_ROWS: usize = 512;
/// Text, or bytes of the file, that are tokenised at a time, and one row more: a row may be as long as a book.
const BATCH_BYTES: u64 = 4 << 20;
/// Dropped rows that are named one by one.
const NAMED_ROWS: usize = 20;

/// The items of a run.
pub(crate) struct Corpus {
    pub(crate) train: TokenStore,
    pub(crate) validation: TokenStore,
    pub(crate) test: TokenStore,
}

/// What the tokenising saw.
#[derive(Default)]
struct Tally {
    rows: u64,
    truncated: u64,
    dropped: u64,
    named: Vec<String>,
}

struct Builder<'a> {
    plan: &'a Plan,
    renderer: Renderer<'a>,
    encoder: Encoder<'a>,
    packers: [Packer; 3],
    tally: Tally,
}

impl Corpus {
    /// Builds the items of `plan`'s dataset with the model's tokenizer and template.
    pub(crate) fn build(
        plan: &Plan,
        source: &Source,
        tokenizer: &Tokenizer,
        output: &mut Output,
        stop: &Stop,
    ) -> Result<Self> {
        let template = source.chat_template().map_err(Error::model("model"))?;
        let pretrain = plan.spec.task_type == TrainingKind::Pretrain;
        let eos = tokenizer.eos_id().or(source.config().eos_token_id());
        if pretrain && eos.is_none() {
            return Err(Error::spec(
                "model",
                "the tokenizer names no end-of-sequence token to end documents with",
            ));
        }
        let builder = Builder::new(plan, tokenizer, template.as_ref(), eos)?;
        builder.run(output, stop)
    }
}

impl<'a> Builder<'a> {
    fn new(
        plan: &'a Plan,
        tokenizer: &'a Tokenizer,
        template: Option<&'a ChatTemplate>,
        eos: Option<u32>,
    ) -> Result<Self> {
        let pretrain = plan.spec.task_type == TrainingKind::Pretrain;
        let packing = match (pretrain, plan.spec.packing) {
            (true, isolated) => Packing::Chunks { isolated },
            (false, true) => Packing::NextFit,
            (false, false) => Packing::None,
        };
        let length = plan.spec.sequence_length;
        let packer = |name: &str| -> Result<Packer> {
            let path = plan.output_dir.join(format!(".tokens-{name}-{}", std::process::id()));
            Ok(Packer::new(TokenWriter::create(&path)?, packing, length))
        };
        Ok(Self {
            plan,
            renderer: Renderer::new(template, plan.spec.loss_on),
            encoder: Encoder { tokenizer, eos, max_length: (!pretrain).then_some(length) },
            packers: [packer("train")?, packer("validation")?, packer("test")?],
            tally: Tally::default(),
        })
    }

    fn run(mut self, output: &mut Output, stop: &Stop) -> Result<Corpus> {
        let path = Path::new(&self.plan.spec.dataset);
        let mut reader = Reader::open(path, Some(self.plan.kind), self.plan.format)?;
        let mut rows: Vec<(u64, Row)> = Vec::with_capacity(BATCH_ROWS);
        loop {
            stop.check()?;
            fill(&mut rows, &mut reader).map_err(|row| Error::Row { file: path.to_owned(), row })?;
            if rows.is_empty() {
                break;
            }
            self.batch(&rows)?;
            output.progress(
                reader.bytes_read(),
                reader.bytes_total().max(reader.bytes_read()),
                "bytes",
                None,
            );
        }
        self.finish(output)
    }

    fn batch(&mut self, rows: &[(u64, Row)]) -> Result<()> {
        let (renderer, encoder) = (&self.renderer, &self.encoder);
        let file = Path::new(&self.plan.spec.dataset);
        let encoded: Vec<Result<Encoded>> = rows
            .par_iter()
            .map(|(line, row)| {
                let rendered = renderer.render(row).map_err(|reason| Error::Row {
                    file: file.to_owned(),
                    row: RowError { file: None, line: *line, field: None, reason, fatal: false },
                })?;
                encoder.encode(&rendered).map_err(Error::model("model"))
            })
            .collect();
        for ((line, _), encoded) in rows.iter().zip(encoded) {
            self.row(*line, encoded?)?;
        }
        Ok(())
    }

    fn row(&mut self, line: u64, encoded: Encoded) -> Result<()> {
        let packer = match self.plan.split.part(self.tally.rows) {
            Part::Train => &mut self.packers[0],
            Part::Validation => &mut self.packers[1],
            Part::Test => &mut self.packers[2],
        };
        self.tally.rows += 1;
        match encoded {
            Encoded::One { sequence, truncated } => {
                self.tally.truncated += u64::from(truncated);
                packer.push(vec![sequence])
            }
            Encoded::Pair { chosen, rejected, truncated } => {
                self.tally.truncated += u64::from(truncated);
                packer.push(vec![chosen, rejected])
            }
            Encoded::Dropped(reason) => {
                self.tally.dropped += 1;
                if self.tally.named.len() < NAMED_ROWS {
                    self.tally.named.push(format!("line {line}: {reason}"));
                }
                Ok(())
            }
        }
    }

    fn finish(self, output: &mut Output) -> Result<Corpus> {
        let mut left_over = 0;
        let mut stores = Vec::with_capacity(3);
        for packer in self.packers {
            let (writer, left) = packer.finish()?;
            left_over += left;
            stores.push(writer.finish()?);
        }
        self.tally.report(output, self.plan, left_over);
        let [train, validation, test]: [TokenStore; 3] =
            stores.try_into().map_err(|_| Error::spec("split", "three parts"))?;
        output.log(
            Level::Info,
            format!(
                "{} rows: {} training sequences of {} tokens, {} for validation, {} for test",
                self.tally.rows,
                train.len(),
                train.tokens(),
                validation.len(),
                test.len()
            ),
        );
        if train.len() == 0 {
            let reason =
                "no sequence is left to train on: every row is too short, without loss, or in another part";
            return Err(Error::spec("dataset", reason));
        }
        if self.plan.spec.early_stopping_patience.is_some() && validation.len() == 0 {
            return Err(Error::spec("split", "the validation part is empty: early stopping needs one"));
        }
        Ok(Corpus { train, validation, test })
    }
}

/// Reads the next rows, at least one where there are any: a batch of them.
fn fill(rows: &mut Vec<(u64, Row)>, reader: &mut Reader) -> Result<(), RowError> {
    rows.clear();
    let start = reader.bytes_read();
    let mut characters = 0;
    while rows.len() < BATCH_ROWS && characters.max(reader.bytes_read().saturating_sub(start)) < BATCH_BYTES {
        let Some(row) = reader.next() else { break };
        let row = row?;
        characters += row.1.characters();
        rows.push(row);
    }
    Ok(())
}

impl Tally {
    fn report(&self, output: &mut Output, plan: &Plan, left_over: usize) {
        let length = plan.spec.sequence_length;
        if self.truncated > 0 {
            let message = format!(
                "{} of {} rows are longer than {length} tokens and were cut",
                self.truncated, self.rows
            );
            output.log(Level::Warn, message);
        }
        if self.dropped > 0 {
            let more = if self.dropped > NAMED_ROWS as u64 { "; …" } else { "" };
            let message = format!("{} rows are left out: {}{more}", self.dropped, self.named.join("; "));
            output.log(Level::Warn, message);
        }
        if left_over > 0 {
            output.log(
                Level::Info,
                format!("the last {left_over} tokens fill no chunk of {length} and are left out"),
            );
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use anneal_datasets::Kind;

    use super::*;

    /// How many rows each batch of a file of `count` texts of `length` bytes has.
    fn batches(count: usize, length: usize) -> Vec<usize> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl");
        let row = serde_json::json!({"text": "a".repeat(length)}).to_string() + "\n";
        std::fs::write(&path, row.repeat(count)).unwrap();
        let mut reader = Reader::open(&path, Some(Kind::Pretrain), None).unwrap();
        let (mut rows, mut sizes) = (Vec::new(), Vec::new());
        loop {
            fill(&mut rows, &mut reader).unwrap();
            if rows.is_empty() {
                return sizes;
            }
            sizes.push(rows.len());
        }
    }

    #[test]
    fn a_batch_is_bounded_by_rows_and_by_bytes() {
        assert_eq!(batches(600, 8), [512, 88]);
        let long = batches(5, 3 << 20);
        assert!(long.iter().all(|&rows| (1..=2).contains(&rows)), "{long:?}");
        assert_eq!(long.iter().sum::<usize>(), 5);
    }
}
