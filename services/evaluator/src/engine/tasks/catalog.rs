//! The built-in tasks, and the way from a spec's task name to task files.

use std::path::Path;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::config::TaskConfig;
use super::group_file::read_file;
use super::yaml::{parse_config, parse_text};
use crate::engine::error::{Error, Result};

macro_rules! task_files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../tasks/", $name, ".yaml")))),*]
    };
}

/// Files of one task each.
static TASKS: [(&str, &str); 19] = task_files![
    "arc_challenge",
    "arc_easy",
    "boolq",
    "commonsense_qa",
    "custom_multiple_choice",
    "custom_question_answer",
    "gsm8k",
    "heldout_loss",
    "hellaswag",
    "ifeval",
    "lambada_openai",
    "openbookqa",
    "perplexity",
    "piqa",
    "sciq",
    "truthfulqa_mc1",
    "truthfulqa_mc2",
    "wikitext",
    "winogrande",
];

/// Files of a benchmark with many subjects each.
static FAMILIES: [(&str, &str); 3] = task_files!["ceval-valid", "cmmlu", "mmlu"];

/// Names people use for tasks that upstream calls otherwise.
const ALIASES: [(&str, &str); 1] = [("lambada", "lambada_openai")];

/// Benchmarks that the field has and this engine does not yet.
const NOT_YET: [&str; 6] = ["truthfulqa_gen", "mmlu_pro", "bbh", "humaneval", "mbpp", "minerva_math"];

/// Several tasks reported together as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Name shown in tables.
    pub alias: String,
    /// Tasks, directly or through groups.
    pub tasks: Vec<String>,
    /// Direct members: tasks or groups.
    pub members: Vec<String>,
    /// Metrics averaged over tasks.
    pub metrics: Vec<GroupMetric>,
    /// The group's version.
    pub version: String,
}

/// A metric averaged over a group's tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMetric {
    /// The metric.
    pub metric: String,
    /// The filters whose figures are averaged, each on its own.
    pub filters: Vec<String>,
    /// Each task is weighed by its samples; otherwise all count alike.
    pub weight_by_size: bool,
}

/// What a spec's task name stands for.
#[derive(Debug)]
pub struct Selection {
    /// Tasks in order.
    pub tasks: Vec<TaskConfig>,
    /// Groups, members before those that hold them.
    pub groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Family {
    group: String,
    #[serde(default)]
    aliases: Vec<String>,
    version: Value,
    weight_by_size: Vec<String>,
    #[serde(default)]
    subgroups: Map<String, Value>,
    task_prefix: String,
    #[serde(default)]
    alias_prefixes: Vec<String>,
    template: Map<String, Value>,
    subjects: Vec<Subject>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    name: String,
    title: String,
    #[serde(default)]
    group: Option<String>,
}

static PARSED_FAMILIES: LazyLock<Vec<Family>> = LazyLock::new(|| {
    FAMILIES
        .iter()
        .map(|(name, text)| {
            let fields = parse_text(name, text).expect("built-in task files are valid YAML");
            serde_json::from_value(Value::Object(fields))
                .expect("built-in families have the fields of a family")
        })
        .collect()
});

/// The names of all built-in tasks and groups.
pub fn builtin_names() -> Vec<String> {
    let mut names: Vec<String> = TASKS.iter().map(|(name, _)| (*name).to_owned()).collect();
    for family in PARSED_FAMILIES.iter() {
        names.push(family.group.clone());
        names.extend(family.subgroups.keys().cloned());
        names.extend(family.subjects.iter().map(|subject| format!("{}{}", family.task_prefix, subject.name)));
    }
    names
}

/// What is built in under a name.
pub(super) fn builtin(name: &str) -> Result<Option<Selection>> {
    let wanted = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, target)| target);
    if let Some((name, text)) = TASKS.iter().find(|(known, _)| *known == wanted) {
        let fields = parse_text(name, text)?;
        let config = parse_config(name, Value::Object(fields))?;
        return Ok(Some(Selection { tasks: vec![config], groups: Vec::new() }));
    }
    for family in PARSED_FAMILIES.iter() {
        if let Some(selection) = family.select(wanted)? {
            return Ok(Some(selection));
        }
    }
    Ok(None)
}

/// Resolves a built-in name, or reads a task or group file. `field` is the spec field that an error names.
pub fn select(name: &str, field: &str) -> Result<Selection> {
    if let Some(selection) = builtin(name)? {
        return Ok(selection);
    }
    let path = Path::new(name);
    if path.is_file() {
        return read_file(path);
    }
    if NOT_YET.contains(&name) {
        return Err(Error::spec(field, format!("not supported yet: task {name}")));
    }
    let names: Vec<&str> = TASKS
        .iter()
        .map(|(name, _)| *name)
        .chain(PARSED_FAMILIES.iter().map(|family| family.group.as_str()))
        .collect();
    let message = format!("{name:?} is neither a built-in task ({}) nor a task file", names.join(", "));
    Err(Error::spec(field, message))
}

impl GroupMetric {
    fn weighed(metric: &str) -> Self {
        Self { metric: metric.to_owned(), filters: vec!["none".to_owned()], weight_by_size: true }
    }
}

impl Family {
    fn select(&self, name: &str) -> Result<Option<Selection>> {
        if name == self.group || self.aliases.iter().any(|alias| alias == name) {
            let mut groups: Vec<Group> =
                self.subgroups.keys().map(|subgroup| self.subgroup(subgroup)).collect();
            let members = if groups.is_empty() {
                self.subjects.iter().map(|subject| self.task_name(subject)).collect()
            } else {
                groups.iter().map(|group| group.name.clone()).collect()
            };
            groups.push(self.group(&self.group, &self.group, self.subjects.iter(), members));
            return Ok(Some(Selection { tasks: self.configs(self.subjects.iter())?, groups }));
        }
        if self.subgroups.contains_key(name) {
            let own = self.subjects.iter().filter(|subject| subject.group.as_deref() == Some(name));
            return Ok(Some(Selection { tasks: self.configs(own)?, groups: vec![self.subgroup(name)] }));
        }
        let prefixes = self.alias_prefixes.iter().chain([&self.task_prefix]);
        let subject = prefixes
            .filter_map(|prefix| name.strip_prefix(prefix.as_str()))
            .find_map(|rest| self.subjects.iter().find(|subject| subject.name == rest));
        subject
            .map(|subject| Ok(Selection { tasks: vec![self.config(subject)?], groups: Vec::new() }))
            .transpose()
    }

    fn subgroup(&self, name: &str) -> Group {
        let own = || self.subjects.iter().filter(|subject| subject.group.as_deref() == Some(name));
        let alias = self.subgroups.get(name).and_then(Value::as_str).unwrap_or(name);
        self.group(name, alias, own(), own().map(|subject| self.task_name(subject)).collect())
    }

    fn group<'a>(
        &'a self,
        name: &str,
        alias: &str,
        subjects: impl Iterator<Item = &'a Subject>,
        members: Vec<String>,
    ) -> Group {
        Group {
            name: name.to_owned(),
            alias: alias.to_owned(),
            tasks: subjects.map(|subject| self.task_name(subject)).collect(),
            members,
            metrics: self.weight_by_size.iter().map(|metric| GroupMetric::weighed(metric)).collect(),
            version: crate::engine::python::str_of(&self.version),
        }
    }

    fn task_name(&self, subject: &Subject) -> String {
        format!("{}{}", self.task_prefix, subject.name)
    }

    fn configs<'a>(&self, subjects: impl Iterator<Item = &'a Subject>) -> Result<Vec<TaskConfig>> {
        subjects.map(|subject| self.config(subject)).collect()
    }

    fn config(&self, subject: &Subject) -> Result<TaskConfig> {
        let mut fields = self.template.clone();
        let name = self.task_name(subject);
        fields.insert("task".to_owned(), Value::from(name.clone()));
        fields.insert("dataset_name".to_owned(), Value::from(subject.name.clone()));
        if let Some(Value::String(description)) = fields.get_mut("description") {
            *description = description.replace("{title}", &subject.title);
        }
        Ok(TaskConfig { subject: true, ..parse_config(&name, Value::Object(fields))? })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_task_file_is_valid() {
        for name in builtin_names() {
            let selection = select(&name, "tasks[0].name").unwrap();
            for config in selection.tasks {
                assert!(config.doc_to_text.is_some(), "{name}");
                let task = super::super::Task::new(config, vec![], vec![], "test".to_owned());
                assert!(task.is_ok(), "{name}: {:?}", task.err());
            }
        }
    }

    #[test]
    fn groups_hold_all_their_subjects() {
        let mmlu = select("mmlu", "").unwrap();
        assert_eq!((mmlu.tasks.len(), mmlu.groups.len()), (57, 5));
        assert_eq!(mmlu.groups[4].members.len(), 4);
        assert_eq!(mmlu.groups[..4].iter().map(|group| group.tasks.len()).sum::<usize>(), 57);
        assert_eq!(select("ceval", "").unwrap().tasks.len(), 52);
        assert_eq!(select("cmmlu", "").unwrap().tasks.len(), 67);
        let one = select("ceval_law", "").unwrap();
        assert_eq!(one.tasks[0].task, "ceval-valid_law");
        assert!(one.tasks[0].description.contains("法学"));
    }

    #[test]
    fn unknown_names_and_tasks_that_are_not_there_yet_are_refused() {
        assert!(select("humaneval", "tasks[0].name").unwrap_err().to_string().contains("not supported yet"));
        assert!(select("arc_eas", "tasks[0].name").unwrap_err().to_string().contains("arc_easy"));
    }
}
