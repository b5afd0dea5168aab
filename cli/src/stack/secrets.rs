//! Passwords and keys, made once and kept in the data folder.

use std::{collections::BTreeMap, fmt::Write, fs, io::Read};

use serde::{Deserialize, Serialize};

use super::{StackError, files::Files, nats::USERS};

/// What the services trust each other by.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Secrets {
    /// The first admin's API key.
    pub(crate) admin_key: String,
    /// Access key of the object store.
    pub(crate) objects_access_key: String,
    /// Its secret.
    pub(crate) objects_secret_key: String,
    /// The broker's users and their passwords.
    pub(crate) nats: BTreeMap<String, String>,
}

impl Secrets {
    /// Reads them, or makes them at the first start.
    pub(crate) fn load_or_make(files: &Files) -> Result<Self, StackError> {
        let path = files.secrets();
        let secrets = match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map_err(|_| StackError::Secrets(path.clone()))?,
            Err(_) if !path.exists() => Self::make()?,
            Err(error) => return Err(StackError::io(path.display())(error)),
        };
        let text = serde_json::to_string_pretty(&secrets).map_err(|_| StackError::Secrets(path.clone()))?;
        Files::write_private(&path, &text)?;
        Files::write_private(&files.admin_key(), &format!("{}\n", secrets.admin_key))?;
        Ok(secrets)
    }

    fn make() -> Result<Self, StackError> {
        let mut nats = BTreeMap::new();
        for user in USERS {
            nats.insert(user.to_owned(), random_hex::<24>()?);
        }
        Ok(Self {
            admin_key: format!("anneal_{}_{}", random_hex::<16>()?, random_hex::<32>()?),
            objects_access_key: format!("anneal{}", random_hex::<8>()?),
            objects_secret_key: random_hex::<32>()?,
            nats,
        })
    }

    /// The password of one of the broker's users.
    pub(crate) fn nats_password(&self, user: &str) -> &str {
        self.nats.get(user).map(String::as_str).unwrap_or_default()
    }
}

fn random_hex<const BYTES: usize>() -> Result<String, StackError> {
    let mut bytes = [0_u8; BYTES];
    fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(StackError::io("/dev/urandom"))?;
    Ok(bytes.iter().fold(String::with_capacity(2 * BYTES), |mut text, byte| {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    }))
}
