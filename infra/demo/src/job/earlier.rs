//! What earlier runs left in the demo's stack is cleared away: one run leaves one deployment however many came before it,
//! and no interrupted run's task is worked on before this run's.

use anyhow::Result;
use serde_json::{Value, json};

use super::{chat, text};
use crate::{api::Api, show::fact};

/// What the names of the demo's tasks begin with.
const TASKS: &str = "demo: ";
const UNFINISHED: [&str; 4] = ["queued", "running", "pausing", "paused"];

pub(super) async fn clear(api: &Api) -> Result<()> {
    for deployment in api.list("/api/v1/deployments").await? {
        if is_ours(&deployment) {
            api.delete(&format!("/api/v1/deployments/{}", text(&deployment, "id")?)).await?;
        }
    }
    for state in UNFINISHED {
        for task in api.list(&format!("/api/v1/tasks?state={state}")).await? {
            if task["name"].as_str().is_some_and(|name| name.starts_with(TASKS)) {
                cancel(api, &text(&task, "id")?).await?;
            }
        }
    }
    Ok(())
}

/// Cancels a task, unless it has ended meanwhile.
async fn cancel(api: &Api, id: &str) -> Result<()> {
    let path = format!("/api/v1/tasks/{id}");
    let Err(error) = api.post(&format!("{path}/cancel"), &json!({})).await else {
        fact("cancelled", &format!("{id}, which an earlier run left"));
        return Ok(());
    };
    let state = api.get(&path).await?["state"].take();
    if UNFINISHED.iter().any(|unfinished| state == *unfinished) { Err(error) } else { Ok(()) }
}

/// The demo's own name, or that with an ending, as earlier versions gave it.
fn is_ours(deployment: &Value) -> bool {
    let ending = deployment["name"].as_str().and_then(|name| name.strip_prefix(chat::NAME));
    ending.is_some_and(|ending| ending.is_empty() || ending.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_demos_own_deployments_are_ended() {
        let is_ours = |name: &str| is_ours(&json!({ "name": name }));
        assert!(is_ours("sciq-demo") && is_ours("sciq-demo-a1b2c3"));
        assert!(!is_ours("sciq-demonstration") && !is_ours("helper"));
    }
}
