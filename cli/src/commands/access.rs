//! People and keys.

use anneal_domain::id::{ApiKeyId, UserId};
use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::Page;
use crate::{client::Api, failure::Failure, output::Output};

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// List users.
    List {
        #[command(flatten)]
        page: Page,
    },
    /// Add a user.
    Add {
        /// Email address.
        email: String,
        /// Name.
        #[arg(long)]
        name: String,
        /// What they may do.
        #[arg(long, value_enum, default_value_t = Role::Member)]
        role: Role,
    },
    /// Change a user's name or role; the user's keys do no more than the role from then on.
    #[command(group(clap::ArgGroup::new("change").required(true).multiple(true)))]
    Change {
        /// The user.
        user: UserId,
        /// The new name.
        #[arg(long, group = "change")]
        name: Option<String>,
        /// What they may do.
        #[arg(long, value_enum, group = "change")]
        role: Option<Role>,
    },
    /// Remove a user, and revoke the user's keys.
    Remove {
        /// The user.
        user: UserId,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// List keys; the keys themselves are never shown again.
    List {
        #[command(flatten)]
        page: Page,
    },
    /// Make a key; it is shown once.
    Create {
        /// What it is for.
        name: String,
        /// What it may do.
        #[arg(long, value_enum, default_value_t = Role::Member)]
        role: Role,
        /// Whose it is: it never does more than this user may, and goes with the user.
        #[arg(long)]
        user: Option<UserId>,
    },
    /// Revoke a key.
    Revoke {
        /// The key's id.
        key: ApiKeyId,
    },
}

/// What a user or a key may do; each may do what the one before may.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Role {
    Viewer,
    Member,
    Admin,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Member => "member",
            Self::Admin => "admin",
        }
    }
}

/// A form of what was given; what was not is left out.
fn given<const N: usize>(fields: [(&str, Option<String>); N]) -> Value {
    let fields = fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), json!(value?))));
    Value::Object(fields.collect())
}

pub(crate) async fn user(command: UserCommand, api: &Api, output: &Output) -> Result<(), Failure> {
    match command {
        UserCommand::List { page } => output
            .list(&api.get("users", &page.query()).await?, &["id", "email", "name", "role", "created_at"]),
        UserCommand::Add { email, name, role } => {
            let body = json!({ "email": email, "name": name, "role": role.name() });
            output.show(&api.post("users", &body).await?)
        }
        UserCommand::Change { user, name, role } => {
            let body = given([("name", name), ("role", role.map(|role| role.name().to_owned()))]);
            output.show(&api.patch(&format!("users/{user}"), &body).await?)
        }
        UserCommand::Remove { user } => {
            api.delete(&format!("users/{user}")).await?;
            output.done(&format!("removed {user}"))
        }
    }
}

pub(crate) async fn key(command: KeyCommand, api: &Api, output: &Output) -> Result<(), Failure> {
    match command {
        KeyCommand::List { page } => output
            .list(&api.get("api-keys", &page.query()).await?, &["id", "name", "role", "user", "created_at"]),
        KeyCommand::Create { name, role, user } => {
            let role = role.name().to_owned();
            let user = user.map(|user| user.to_string());
            let body = given([("name", Some(name)), ("role", Some(role)), ("user", user)]);
            output.show(&api.post("api-keys", &body).await?)
        }
        KeyCommand::Revoke { key } => {
            api.delete(&format!("api-keys/{key}")).await?;
            output.done(&format!("revoked {key}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_given_is_not_sent() {
        let body = given([("name", None), ("role", Some("viewer".to_owned()))]);
        assert_eq!(body, json!({ "role": "viewer" }));
    }
}
