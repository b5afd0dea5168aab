//! Which rows become examples: the first n, or the harness's seeded draw.

use anneal_comparison::Random;

use crate::engine::tasks::{Doc, Sampler, Task};

/// The draw of one task. Rows must be asked for in order: each draw moves the generator on.
pub struct Sampling<'a> {
    task: &'a Task,
    pool: Vec<&'a Doc>,
    random: Random,
    sampler: Sampler,
    excludes_row: bool,
}

impl<'a> Sampling<'a> {
    /// The draw that starts from a seed.
    pub fn new(task: &'a Task, seed: u64) -> Self {
        let config = &task.config;
        let shots = config.fewshot_config.as_ref();
        let split = shots.and_then(|shots| shots.split.as_ref()).or(config.fewshot_split.as_ref());
        let pool = match shots.and_then(|shots| shots.fewshot_indices.as_ref()) {
            Some(indices) => indices.iter().filter_map(|index| task.fewshot_docs.get(*index)).collect(),
            None => task.fewshot_docs.iter().collect(),
        };
        Self {
            task,
            pool,
            random: Random::new(seed),
            sampler: shots.map(|shots| shots.sampler).unwrap_or_default(),
            // The harness compares the two names, so that two absent ones are equal too.
            excludes_row: split == config.test_split.as_ref(),
        }
    }

    /// The examples of the next row.
    pub fn examples(&mut self, doc: &Doc, count: usize) -> Result<Vec<&'a Doc>, String> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let short = || {
            format!(
                "{count} examples are asked for, and split `{}` has {}",
                self.split_name(),
                self.pool.len()
            )
        };
        if self.sampler == Sampler::FirstN {
            let chosen: Vec<&Doc> =
                self.pool.iter().filter(|one| !self.is_row(one, doc)).take(count).copied().collect();
            return if chosen.len() == count { Ok(chosen) } else { Err(short()) };
        }
        let drawn = count + usize::from(self.excludes_row);
        let message = short();
        let positions = self.random.sample(self.pool.len(), drawn).ok_or_else(|| message.clone())?;
        let mut chosen: Vec<&Doc> = positions
            .into_iter()
            .map(|at| self.pool[at])
            .filter(|one| !self.is_row(one, doc))
            .take(count)
            .collect();
        if chosen.len() < count {
            // Copies of the row were drawn: draw again from the pool without them.
            let pool: Vec<&Doc> = self.pool.iter().filter(|one| one.fields != doc.fields).copied().collect();
            let positions = self.random.sample(pool.len(), count).ok_or(message)?;
            chosen = positions.into_iter().map(|at| pool[at]).collect();
        }
        Ok(chosen)
    }

    fn is_row(&self, candidate: &Doc, doc: &Doc) -> bool {
        self.excludes_row && candidate.fields == doc.fields
    }

    fn split_name(&self) -> &str {
        self.task.config.fewshot_split.as_deref().unwrap_or(&self.task.split)
    }
}
