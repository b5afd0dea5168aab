//! Group files of one's own: several tasks under one name, with figures over all of them (`lm_eval/api/group.py`).
//!
//! A member is the name of a built-in task or group, a task file or group file beside the group's, a task with some of
//! its fields replaced, a whole task, or a group within the group.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::catalog::{Group, GroupMetric, Selection, builtin};
use super::config::TaskConfig;
use super::yaml::{MAX_INCLUDES, parse_config, read_merged, with_include};
use crate::engine::error::{Error, Result};
use crate::engine::python;

/// The fields of a group.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupFile {
    group: String,
    #[serde(default)]
    group_alias: Option<String>,
    task: OneOrMany<Value>,
    #[serde(default)]
    aggregate_metric_list: Option<OneOrMany<Aggregate>>,
    #[serde(default)]
    metadata: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Aggregate {
    metric: String,
    #[serde(default)]
    aggregation: Option<String>,
    #[serde(default = "yes")]
    weight_by_size: bool,
    #[serde(default)]
    filter_list: Option<OneOrMany<String>>,
}

/// Where a group file's names are looked up.
#[derive(Clone, Copy)]
struct Place<'a> {
    folder: &'a Path,
    depth: usize,
}

/// Reads a task file or a group file.
pub(super) fn read_file(path: &Path) -> Result<Selection> {
    read_at(path, 0)
}

fn read_at(path: &Path, depth: usize) -> Result<Selection> {
    let name = path.display().to_string();
    if depth > MAX_INCLUDES {
        return Err(Error::task(name, "group files name each other in a circle"));
    }
    let fields = read_merged(path, 0)?;
    let place = Place { folder: path.parent().unwrap_or(Path::new(".")), depth };
    if fields.contains_key("group") {
        return group(&name, fields, place);
    }
    let config = parse_config(&name, Value::Object(fields))?;
    Ok(Selection { tasks: vec![config], groups: Vec::new() })
}

fn group(file: &str, fields: Map<String, Value>, place: Place<'_>) -> Result<Selection> {
    let own: GroupFile = serde_json::from_value(Value::Object(fields))
        .map_err(|error| Error::task(file, format!("group file: {error}")))?;
    let mut all = Selection { tasks: Vec::new(), groups: Vec::new() };
    let (mut members, mut inner) = (Vec::new(), Vec::new());
    for value in own.task.into_vec() {
        let found = member(file, value, place)?;
        let outermost = found.groups.last().map(|group| group.name.clone());
        members.extend(outermost.or_else(|| found.tasks.first().map(|task| task.task.clone())));
        for mut task in found.tasks {
            inner.push(task.task.clone());
            // Subjects of one dataset must not be mistaken for each other.
            task.subject |= builtin(&task.task)?.is_none() && task.dataset_name.is_some();
            if all.tasks.iter().all(|known| known.task != task.task) {
                all.tasks.push(task);
            }
        }
        all.groups.extend(found.groups);
    }
    if inner.is_empty() {
        return Err(Error::task(file, format!("group {} has no tasks", own.group)));
    }
    let metrics = own.aggregate_metric_list.map(OneOrMany::into_vec).unwrap_or_default();
    let version = own.metadata.as_ref().and_then(|metadata| metadata.get("version")).map(python::str_of);
    all.groups.push(Group {
        alias: own.group_alias.unwrap_or_else(|| own.group.clone()),
        name: own.group,
        tasks: inner,
        members,
        metrics: metrics.into_iter().map(|metric| metric.checked(file)).collect::<Result<_>>()?,
        version: version.unwrap_or_else(|| "N/A".to_owned()),
    });
    Ok(all)
}

fn member(file: &str, value: Value, place: Place<'_>) -> Result<Selection> {
    match value {
        Value::String(name) => named(file, &name, place)?
            .ok_or_else(|| Error::task(file, format!("{name:?} is neither a built-in task nor a task file"))),
        Value::Object(fields) if fields.contains_key("group") => {
            if place.depth >= MAX_INCLUDES {
                return Err(Error::task(file, "groups lie within each other too deep"));
            }
            group(file, fields, Place { depth: place.depth + 1, ..place })
        }
        Value::Object(fields) => changed(file, fields, place),
        other => Err(Error::task(file, format!("task: {other} is neither a name nor a mapping"))),
    }
}

/// A file beside the group's, or what is built in.
fn named(file: &str, name: &str, place: Place<'_>) -> Result<Option<Selection>> {
    let beside = [place.folder.join(name), place.folder.join(format!("{name}.yaml"))];
    if let Some(path) = beside.iter().find(|path| path.is_file() && path.display().to_string() != file) {
        return read_at(path, place.depth + 1).map(Some);
    }
    builtin(name)
}

/// A known task with some fields replaced, or a task whose fields are all given.
fn changed(file: &str, fields: Map<String, Value>, place: Place<'_>) -> Result<Selection> {
    let name = fields.get("task").and_then(Value::as_str).unwrap_or_default().to_owned();
    let known = if name.is_empty() { None } else { named(file, &name, place)? };
    let Some(known) = known else {
        let fields = with_include(file, fields, place.folder, 0)?;
        let config = parse_config(file, Value::Object(fields))?;
        return Ok(Selection { tasks: vec![config], groups: Vec::new() });
    };
    let [base] = known.tasks.as_slice() else {
        return Err(Error::task(
            file,
            format!("{name} is a group: only a single task's fields can be replaced"),
        ));
    };
    let merged = serde_json::to_value(base).map_err(|error| Error::task(file, error.to_string()))?;
    let Value::Object(mut merged) = merged else {
        return Err(Error::task(file, format!("the fields of {name} are no mapping")));
    };
    merged.extend(fields);
    let config = TaskConfig { subject: base.subject, ..parse_config(file, Value::Object(merged))? };
    Ok(Selection { tasks: vec![config], groups: Vec::new() })
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

impl Aggregate {
    fn checked(self, file: &str) -> Result<GroupMetric> {
        match self.aggregation.as_deref() {
            None | Some("mean") => {}
            Some(other) => {
                let message = format!(
                    "aggregate_metric_list: aggregation `{other}` is not supported (supported: mean)"
                );
                return Err(Error::task(file, message));
            }
        }
        let filters = self.filter_list.map_or_else(|| vec!["none".to_owned()], OneOrMany::into_vec);
        Ok(GroupMetric { metric: self.metric, filters, weight_by_size: self.weight_by_size })
    }
}

const fn yes() -> bool {
    true
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn write(folder: &tempfile::TempDir, name: &str, text: &str) -> std::path::PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn members_are_built_in_beside_changed_or_whole() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder, "mine.yaml", "task: mine\ndataset_name: law\ndoc_to_text: q\ndoc_to_target: a\n");
        let text = "group: all\ngroup_alias: All\ntask:\n  - arc_easy\n  - mine\n  - {task: piqa, num_fewshot: 3}\n  \
            - {group: inner, task: [{task: whole, doc_to_text: q, doc_to_target: a}]}\n\
            aggregate_metric_list: {metric: acc, weight_by_size: false}\nmetadata: {version: 2}\n";
        let read = read_file(&write(&folder, "all.yaml", text)).unwrap();
        let names: Vec<&str> = read.tasks.iter().map(|task| task.task.as_str()).collect();
        assert_eq!(names, ["arc_easy", "mine", "piqa", "whole"]);
        assert_eq!(read.tasks[2].num_fewshot, Some(3));
        assert!(read.tasks[2].doc_to_choice.is_some(), "the other fields stay");
        assert_eq!(
            read.tasks.iter().map(|task| task.subject).collect::<Vec<_>>(),
            [false, true, false, false]
        );
        let [inner, all] = read.groups.as_slice() else { panic!("two groups: {:?}", read.groups) };
        assert_eq!((inner.name.as_str(), inner.tasks.len()), ("inner", 1));
        assert_eq!(all.members, ["arc_easy", "mine", "piqa", "inner"]);
        assert_eq!((all.tasks.len(), all.alias.as_str(), all.version.as_str()), (4, "All", "2"));
        assert_eq!((all.metrics[0].metric.as_str(), all.metrics[0].weight_by_size), ("acc", false));
        assert_eq!(all.metrics[0].filters, ["none"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |text: &str| read_file(&write(&folder, "g.yaml", text)).unwrap_err().to_string();
        assert!(refused("group: g\ntask: [arc_eazy]\n").contains("arc_eazy"));
        assert!(refused("group: g\ntask: []\n").contains("no tasks"));
        assert!(refused("group: g\ntask: [arc_easy]\nfrobnicate: 1\n").contains("frobnicate"));
        assert!(refused("group: g\ntask: [{task: mmlu, num_fewshot: 1}]\n").contains("group"));
        let median =
            "group: g\ntask: [arc_easy]\naggregate_metric_list: [{metric: acc, aggregation: median}]\n";
        assert!(refused(median).contains("median"));
        write(&folder, "h.yaml", "group: h\ntask: [g]\n");
        assert!(refused("group: g\ntask: [h]\n").contains("circle"));
    }
}
