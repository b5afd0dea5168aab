//! What the inference service should be serving.

use anneal_domain::id::{DeploymentId, ModelId, WorkspaceId};
use serde::{Deserialize, Serialize};

use super::InputFolder;

/// Every deployment that should be up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentsReply {
    /// The deployments.
    pub deployments: Vec<DeploymentTarget>,
}

/// One deployment that should be up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentTarget {
    /// The deployment.
    pub deployment: DeploymentId,
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// The compiled model.
    pub model: ModelId,
    /// The name that requests use.
    pub name: String,
    /// The compiled folder.
    pub folder: InputFolder,
}

/// A deployment became ready or failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportDeployment {
    /// The deployment.
    pub deployment: DeploymentId,
    /// Whether it serves.
    pub ready: bool,
    /// Why it does not.
    pub failure: Option<String>,
    /// Where the server listens, such as `http://127.0.0.1:7084`.
    pub endpoint: String,
}
