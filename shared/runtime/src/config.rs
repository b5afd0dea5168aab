//! Configuration, read once: defaults, then a TOML file, then the environment.
//!
//! A service describes its settings as one struct with `#[serde(default, deny_unknown_fields)]`; the struct's `Default` is
//! the first layer. The variables of service `task-api` begin with `ANNEAL_TASK_API_`; `__` goes down a level:
//! `ANNEAL_TASK_API_NATS__URL` sets `nats.url`. A key that the struct does not have is refused, wherever it comes from.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use figment::{
    Figment, Metadata, Profile, Provider,
    providers::{Format, Toml},
    value::{Dict, Map, Value},
};
use serde::de::DeserializeOwned;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file that was asked for is not there.
    #[error("the configuration file {0} does not exist")]
    Missing(PathBuf),
    /// A key is unknown, or a value does not fit.
    #[error("the configuration cannot be used: {0}")]
    Invalid(#[from] Box<figment::Error>),
}

/// Reads the configuration of `service` (such as `task-api`) from its defaults, `file`, and the process environment.
pub fn load<T: DeserializeOwned>(service: &str, file: Option<&Path>) -> Result<T, ConfigError> {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    load_from(service, file, variables)
}

/// As [`load`], with the environment given.
pub fn load_from<T: DeserializeOwned>(
    service: &str,
    file: Option<&Path>,
    variables: BTreeMap<String, String>,
) -> Result<T, ConfigError> {
    let mut figment = Figment::new();
    if let Some(path) = file {
        if !path.is_file() {
            return Err(ConfigError::Missing(path.to_owned()));
        }
        figment = figment.merge(Toml::file_exact(path));
    }
    let prefix = format!("ANNEAL_{}_", service.to_uppercase().replace('-', "_"));
    figment.merge(Environment { prefix, variables }).extract().map_err(|error| Box::new(error).into())
}

/// The variables with one prefix. Unlike figment's own provider it keeps a value such as `007` as the text it is.
struct Environment {
    prefix: String,
    variables: BTreeMap<String, String>,
}

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named(format!("variables {}*", self.prefix))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut root = Dict::new();
        for (name, value) in &self.variables {
            if let Some(rest) = name.strip_prefix(&self.prefix) {
                let path: Vec<String> = rest.split("__").map(str::to_lowercase).collect();
                insert(&mut root, &path, parse(value));
            }
        }
        Ok(Profile::Default.collect(root))
    }
}

fn insert(dict: &mut Dict, path: &[String], value: Value) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        dict.insert(first.clone(), value);
        return;
    }
    let child = dict.entry(first.clone()).or_insert_with(|| Value::from(Dict::new()));
    if let Value::Dict(_, child) = child {
        insert(child, rest, value);
    }
}

fn parse(text: &str) -> Value {
    let padded = text.len() > 1 && text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    let parsed = if padded { Value::from(text) } else { text.parse().unwrap_or_else(|_| Value::from(text)) };
    match parsed {
        number @ Value::Num(..) if !number_is_exact(&number, text) => Value::from(text),
        other => other,
    }
}

/// Whether the number written out again is the text it was read from.
fn number_is_exact(number: &Value, text: &str) -> bool {
    let Value::Num(_, number) = number else { return true };
    number
        .to_u128()
        .map(|n| n.to_string())
        .or_else(|| number.to_i128().map(|n| n.to_string()))
        .is_none_or(|written| written == text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::Secret;

    #[derive(Debug, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Settings {
        listen: String,
        workers: usize,
        ratio: f64,
        nats: Nats,
    }

    impl Default for Settings {
        fn default() -> Self {
            Self { listen: "127.0.0.1:1".to_owned(), workers: 2, ratio: 0.5, nats: Nats::default() }
        }
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Nats {
        url: String,
        password: Secret,
    }

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.toml");
        std::fs::write(&file, "workers = 3\n[nats]\nurl = \"nats://file\"\n").unwrap();
        let env = variables(&[
            ("ANNEAL_TASK_API_NATS__URL", "nats://127.0.0.1:4222"),
            ("ANNEAL_TASK_API_NATS__PASSWORD", "007"),
            ("ANNEAL_TASK_API_RATIO", "0.25"),
            ("ANNEAL_OTHER_THING", "ignored"),
        ]);
        let settings: Settings = load_from("task-api", Some(&file), env).unwrap();
        assert_eq!(settings.listen, "127.0.0.1:1");
        assert_eq!(settings.workers, 3);
        assert!((settings.ratio - 0.25).abs() < 1e-12);
        assert_eq!(settings.nats.url, "nats://127.0.0.1:4222");
        assert_eq!(settings.nats.password.expose(), "007");
        assert_eq!(format!("{:?}", settings.nats.password), "***");
    }

    #[test]
    fn a_secret_of_digits_keeps_its_text() {
        for text in ["123456", "0", "18446744073709551616", "true", "+5"] {
            let env = variables(&[("ANNEAL_TASK_API_NATS__PASSWORD", text)]);
            let settings: Settings = load_from("task-api", None, env).unwrap();
            assert_eq!(settings.nats.password.expose(), text);
        }
    }

    #[test]
    fn unknown_keys_and_missing_files_are_refused() {
        let env = variables(&[("ANNEAL_TASK_API_WROKERS", "3")]);
        let error = load_from::<Settings>("task-api", None, env).unwrap_err();
        assert!(error.to_string().contains("wrokers"), "{error}");
        let missing = load_from::<Settings>("task-api", Some(Path::new("/none.toml")), BTreeMap::new());
        assert!(matches!(missing, Err(ConfigError::Missing(_))));
    }
}
