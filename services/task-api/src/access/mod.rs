//! Workspaces, users and API keys.

mod email;
mod key;
pub(crate) mod key_row;
mod role;
pub(crate) mod user;
pub(crate) mod workspace;

pub(crate) use email::Email;
pub(crate) use key::{NewKey, authenticate, make};
pub(crate) use key_row::KeyRow;
pub(crate) use role::Role;
pub(crate) use user::UserRow;
pub(crate) use workspace::{DEFAULT_WORKSPACE, WorkspaceRow, bootstrap};
