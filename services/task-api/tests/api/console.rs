//! The web page's files, beside the API.

use std::fs;

use reqwest::Method;

use crate::stack::{ADMIN_KEY, Stack};

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_served_with_a_strict_policy_and_nothing_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let dist = folder.path().join("dist");
    fs::create_dir_all(dist.join("assets")).unwrap();
    fs::write(folder.path().join("secret.js"), "no").unwrap();
    fs::write(dist.join("index.html"), "<!doctype html>").unwrap();
    fs::write(dist.join("assets/page-1a2b.js"), "export {}").unwrap();
    let stack =
        Stack::start_with(|config| anneal_task_api::Config { console_dir: Some(dist), ..config }).await;
    let get = async |path: &str| {
        let answer = stack.request(Method::GET, path, ADMIN_KEY).send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (status, kind) = (answer.status().as_u16(), header("content-type").unwrap_or_default());
        let (policy, cached) = (header("content-security-policy"), header("cache-control"));
        (status, kind, policy.unwrap_or_default(), cached.unwrap_or_default())
    };

    for path in ["/", "/training", "/training/task-1/curves"] {
        let (status, kind, policy, cached) = get(path).await;
        assert_eq!(
            (status, kind.as_str(), cached.as_str()),
            (200, "text/html; charset=utf-8", "no-cache"),
            "{path}"
        );
        assert!(policy.contains("script-src 'self'") && policy.contains("default-src 'none'"), "{policy}");
    }
    let (status, kind, _, cached) = get("/assets/page-1a2b.js").await;
    assert_eq!((status, kind.as_str()), (200, "text/javascript; charset=utf-8"));
    assert!(cached.contains("immutable"), "{cached}");
    for path in ["/assets/none.js", "/%2e%2e/secret.js", "/..%2fsecret.js", "/api/v1/nothing"] {
        let (status, kind, ..) = get(path).await;
        assert_eq!((status, kind.as_str()), (404, "application/problem+json"), "{path}");
    }
}
