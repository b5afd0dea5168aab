//! Workspaces, users and API keys.

mod key;
mod role;
mod row;

pub(crate) use key::{NewKey, authenticate, make};
pub(crate) use role::Role;
pub(crate) use row::{
    DEFAULT_WORKSPACE, KeyRow, UserRow, WorkspaceRow, add_key, add_user, add_workspace, bootstrap, keys,
    remove_user, revoke_key, users, workspace,
};
