//! The samples of an evaluation one by one, read from the results it published: line by line, from where the last page ended.

use std::collections::BTreeSet;

use actix_web::{
    HttpResponse, get,
    web::{Data, Path},
};
use anneal_artifacts::{Body, Manifest, ManifestFile, Prefix};
use anneal_domain::spec::benchmark_name;
use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use super::{
    artifacts::of_role,
    sample_view::{Outcome, Sample},
    scores::results,
    task_details::task_of,
};
use crate::{
    App, Error,
    evaluations::benchmark_of,
    http::{Caller, Page, Problem, Query, limit_of},
};

/// Bytes of one sample.
const LONGEST_LINE: usize = 16 << 20;

/// Which samples are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct SampleFilter {
    /// A benchmark of the evaluation, or a group of them; all when absent.
    benchmark: Option<String>,
    /// A subject, such as `law`.
    subject: Option<String>,
    /// The filter that read the answer, such as `strict-match`.
    filter: Option<String>,
    /// `pass`, `fail` or `unextracted` (the filter found no answer; counted as failed too).
    outcome: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// What a sample must be.
struct Wanted {
    subject: Option<String>,
    filter: Option<String>,
    outcome: Option<Outcome>,
}

impl Wanted {
    fn fits(&self, sample: &Sample) -> bool {
        self.subject.as_deref().is_none_or(|subject| sample.is_about(subject))
            && self.filter.as_deref().is_none_or(|filter| sample.is_through(filter))
            && self.outcome.is_none_or(|outcome| sample.came_out(outcome))
    }
}

/// Where a page begins: which file, and how many bytes into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    file: usize,
    offset: u64,
}

impl Place {
    const START: Self = Self { file: 0, offset: 0 };

    fn parse(text: &str) -> Option<Self> {
        let (file, offset) = text.split_once('.')?;
        Some(Self { file: file.parse().ok()?, offset: offset.parse().ok()? })
    }
}

/// Samples with prompt, answer, output and score.
#[utoipa::path(tag = "tasks", params(SampleFilter),
    responses((status = 200, body = Page<Sample>), (status = 404, body = Problem)))]
#[get("/api/v1/tasks/{id}/samples")]
pub(crate) async fn samples(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
    filter: Query<SampleFilter>,
) -> Result<HttpResponse, Error> {
    let (task, _) = task_of(&app, &caller, &path).await?;
    let filter = filter.into_inner();
    let limit = limit_of(filter.limit)? as usize;
    let place = match &filter.cursor {
        Some(text) => {
            Place::parse(text).ok_or_else(|| Error::field("cursor", "give `next_cursor` of a page"))?
        }
        None => Place::START,
    };
    let outcome = filter.outcome.as_deref().map(Outcome::parse);
    if outcome == Some(None) {
        return Err(Error::field("outcome", "must be `pass`, `fail` or `unextracted`"));
    }
    let wanted = Wanted { subject: filter.subject, filter: filter.filter, outcome: outcome.flatten() };
    let folder = of_role(&app, task, "results").await?.prefix()?;
    let files = files_of(&app, &folder, filter.benchmark.as_deref()).await?;
    Ok(HttpResponse::Ok().json(read(&app, &folder, &files, place, limit, &wanted).await?))
}

/// The samples files of a benchmark: its own, or those of the tasks of a group.
async fn files_of(
    app: &App,
    folder: &Prefix,
    benchmark: Option<&str>,
) -> Result<Vec<(String, ManifestFile)>, Error> {
    let Manifest { files } = app.objects.manifest(folder, None).await?;
    let named = |file: ManifestFile| {
        let name = benchmark_of(&file.path)?.to_owned();
        Some((name, file))
    };
    let mut files: Vec<_> = files.into_iter().filter_map(named).collect();
    if let Some(benchmark) = benchmark {
        let names = tasks_of(&results(app, folder).await?, benchmark);
        files.retain(|(name, _)| names.contains(name));
    }
    if files.is_empty() { Err(Error::not_found("benchmark")) } else { Ok(files) }
}

/// What a name stands for in the results: itself, and what its group holds, groups within it included.
fn tasks_of(results: &Value, name: &str) -> BTreeSet<String> {
    let (mut tasks, mut open) = (BTreeSet::new(), vec![benchmark_name(name)]);
    while let Some(name) = open.pop() {
        if !tasks.insert(name.clone()) {
            continue;
        }
        let members = results["group_subtasks"][&name].as_array().into_iter().flatten();
        open.extend(members.filter_map(Value::as_str).map(str::to_owned));
    }
    tasks
}

/// Reads on from a place until the page is full, and one sample further to know whether there are more.
async fn read(
    app: &App,
    folder: &Prefix,
    files: &[(String, ManifestFile)],
    from: Place,
    limit: usize,
    wanted: &Wanted,
) -> Result<Page<Sample>, Error> {
    let (mut data, mut next) = (Vec::new(), from);
    for (file, (benchmark, entry)) in files.iter().enumerate().skip(from.file) {
        let mut offset = if file == from.file { from.offset } else { 0 };
        if offset > entry.size_bytes {
            return Err(Error::field("cursor", "give `next_cursor` of a page"));
        }
        let body = app.objects.get(&entry.key(folder)?, Some(offset..entry.size_bytes)).await?;
        let mut lines = Lines { body, buffer: BytesMut::new() };
        while let Some(line) = lines.next().await? {
            offset += line.len() as u64;
            let sample: Value = serde_json::from_slice(&line).map_err(|_| Error::stored("sample"))?;
            let sample = Sample::new(benchmark, &sample);
            if !wanted.fits(&sample) {
                continue;
            }
            if data.len() == limit {
                let next_cursor = Some(format!("{}.{}", next.file, next.offset));
                return Ok(Page { data, has_more: true, next_cursor });
            }
            data.push(sample);
            next = Place { file, offset };
        }
    }
    Ok(Page { data, has_more: false, next_cursor: None })
}

/// The lines of an object, each with its line end; one is held at a time.
struct Lines {
    body: Body,
    buffer: BytesMut,
}

impl Lines {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let mut looked_at = 0;
        loop {
            if let Some(end) = self.buffer[looked_at..].iter().position(|byte| *byte == b'\n') {
                return Ok(Some(self.buffer.split_to(looked_at + end + 1).freeze()));
            }
            looked_at = self.buffer.len();
            if looked_at > LONGEST_LINE {
                return Err(Error::conflict("a sample is too large to be shown: download the artifacts"));
            }
            match self.body.next().await {
                Some(piece) => {
                    let broken = |_| Error::Unavailable("the object store broke off: try again".to_owned());
                    self.buffer.extend_from_slice(&piece.map_err(broken)?);
                }
                None if looked_at == 0 => return Ok(None),
                None => return Ok(Some(self.buffer.split().freeze())),
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_group_stands_for_its_tasks_and_an_alias_for_its_benchmark() {
        let results = json!({"group_subtasks": {
            "mmlu": ["mmlu_stem", "mmlu_law"], "mmlu_stem": ["mmlu_anatomy"], "ceval-valid": ["ceval-valid_law"],
            "circle": ["circle"],
        }});
        let tasks = |name: &str| tasks_of(&results, name).into_iter().collect::<Vec<_>>().join(" ");
        assert_eq!(tasks("mmlu"), "mmlu mmlu_anatomy mmlu_law mmlu_stem");
        assert_eq!(tasks("ceval"), "ceval-valid ceval-valid_law");
        assert_eq!(tasks("ceval_law"), "ceval-valid_law");
        assert_eq!(tasks("lambada"), "lambada_openai");
        assert_eq!(tasks("circle"), "circle");
        assert_eq!(Place::parse("2.17"), Some(Place { file: 2, offset: 17 }));
        assert_eq!(Place::parse("-1.0"), None);
    }
}
