//! People and keys.

use anneal_domain::id::{ApiKeyId, UserId};
use clap::{Subcommand, ValueEnum};
use serde_json::json;

use crate::{client::Api, failure::Failure, output::Output};

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// List users.
    List,
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
    /// Remove a user.
    Remove {
        /// The user.
        user: UserId,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// List keys; the keys themselves are never shown again.
    List,
    /// Make a key; it is shown once.
    Create {
        /// What it is for.
        name: String,
        /// What it may do.
        #[arg(long, value_enum, default_value_t = Role::Member)]
        role: Role,
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

pub(crate) async fn user(command: UserCommand, api: &Api, output: &Output) -> Result<(), Failure> {
    match command {
        UserCommand::List => {
            output.list(&api.get("users", &[]).await?, &["id", "email", "name", "role", "created_at"])
        }
        UserCommand::Add { email, name, role } => {
            let body = json!({ "email": email, "name": name, "role": role.name() });
            output.show(&api.post("users", &body).await?)
        }
        UserCommand::Remove { user } => {
            api.delete(&format!("users/{user}")).await?;
            output.done(&format!("removed {user}"))
        }
    }
}

pub(crate) async fn key(command: KeyCommand, api: &Api, output: &Output) -> Result<(), Failure> {
    match command {
        KeyCommand::List => {
            output.list(&api.get("api-keys", &[]).await?, &["id", "name", "role", "created_at", "revoked_at"])
        }
        KeyCommand::Create { name, role } => {
            output.show(&api.post("api-keys", &json!({ "name": name, "role": role.name() })).await?)
        }
        KeyCommand::Revoke { key } => {
            api.delete(&format!("api-keys/{key}")).await?;
            output.done(&format!("revoked {key}"))
        }
    }
}
