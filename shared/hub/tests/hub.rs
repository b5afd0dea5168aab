//! The client against a hub on loopback: paging, resumption, hashes, and every way to be refused.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use anneal_hub::{Hub, HubConfig, HubError, RemoteFile, RepoKind, Revision, Snapshot};
use anneal_runtime::Secret;
use anneal_testkit::{FakeHub, HUB_COMMIT, HUB_TOKEN};

const MODEL: &str = "models/org/tiny";

fn client(hub: &FakeHub, token: &str) -> Hub {
    drop(rustls::crypto::ring::default_provider().install_default());
    let config =
        HubConfig { endpoint: hub.endpoint.clone(), token: Secret::new(token), ..HubConfig::default() };
    Hub::new(&config).unwrap()
}

async fn snapshot(hub: &FakeHub, token: &str, revision: &str) -> Result<Snapshot, HubError> {
    let (repo, revision): (_, Revision) = ("org/tiny".parse().unwrap(), revision.parse().unwrap());
    client(hub, token).snapshot(RepoKind::Model, &repo, &revision).await
}

fn file<'a>(snapshot: &'a Snapshot, path: &str) -> &'a RemoteFile {
    snapshot.files.iter().find(|file| file.path == path).unwrap()
}

fn weights() -> Vec<u8> {
    (0..100_000_u32).flat_map(u32::to_le_bytes).collect()
}

async fn filled() -> FakeHub {
    let hub = FakeHub::start().await;
    hub.put(MODEL, "config.json", "{}");
    hub.put(MODEL, "model.safetensors", weights());
    hub.put(MODEL, "a folder/x+y.txt", "text");
    hub
}

#[tokio::test]
async fn every_page_of_a_revision_is_listed_and_its_files_come_as_they_are() {
    let hub = filled().await;
    let found = snapshot(&hub, "", "refs/convert/parquet").await.unwrap();
    assert_eq!(found.commit.to_string(), HUB_COMMIT);
    let paths: Vec<&str> = found.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["a folder/x+y.txt", "config.json", "model.safetensors"]);
    assert!(file(&found, "model.safetensors").sha256.is_some());
    let folder = tempfile::tempdir().unwrap();
    for (place, remote) in found.files.iter().enumerate() {
        let to = folder.path().join(place.to_string());
        let mut told = 0;
        client(&hub, "").download(&found, remote, &to, |bytes| told += bytes).await.unwrap();
        assert_eq!((told, to.metadata().unwrap().len()), (remote.size_bytes, remote.size_bytes));
    }
    assert_eq!(std::fs::read(folder.path().join("2")).unwrap(), weights());
}

#[tokio::test]
async fn a_download_that_breaks_off_goes_on_where_it_was() {
    let hub = filled().await;
    let found = snapshot(&hub, "", "main").await.unwrap();
    hub.content.lock().unwrap().cuts = vec![100_000, 0, 100_000];
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("weights");
    let weights_file = file(&found, "model.safetensors");
    client(&hub, "").download(&found, weights_file, &to, |_| {}).await.unwrap();
    assert_eq!(std::fs::read(&to).unwrap(), weights());
    let asked = hub.ranges("model.safetensors");
    let wanted = [None, Some("bytes=100000-"), Some("bytes=100000-"), Some("bytes=200000-")];
    assert_eq!(asked, wanted.map(|range| range.map(str::to_owned)));
    // What is there already is only checked.
    client(&hub, "").download(&found, weights_file, &to, |_| panic!("nothing is to come")).await.unwrap();
}

#[tokio::test]
async fn other_bytes_than_the_hub_names_are_refused_and_not_kept() {
    let hub = filled().await;
    let found = snapshot(&hub, "", "main").await.unwrap();
    hub.content.lock().unwrap().swapped = vec!["model.safetensors".to_owned(), "a folder/x+y.txt".to_owned()];
    let folder = tempfile::tempdir().unwrap();
    for (path, what) in [("model.safetensors", "sha256"), ("a folder/x+y.txt", "git hash")] {
        let to = folder.path().join("file");
        let refused = client(&hub, "").download(&found, file(&found, path), &to, |_| {}).await.unwrap_err();
        assert!(refused.to_string().contains(what), "{refused}");
        assert!(!to.exists());
    }
}

#[tokio::test]
async fn every_refusal_says_what_it_is() {
    let hub = filled().await;
    let missing = client(&hub, "")
        .snapshot(RepoKind::Dataset, &"org/none".parse().unwrap(), &Revision::default())
        .await
        .unwrap_err();
    assert!(missing.to_string().contains("no dataset `org/none`"), "{missing}");
    assert!(!missing.is_retryable());
    let revision = snapshot(&hub, "", "v9").await.unwrap_err();
    assert!(revision.to_string().contains("no revision `v9`"), "{revision}");

    hub.content.lock().unwrap().private = vec![MODEL.to_owned()];
    let private = snapshot(&hub, "", "main").await.unwrap_err();
    assert!(private.to_string().contains("private"), "{private}");
    let found = snapshot(&hub, HUB_TOKEN, "main").await.unwrap();

    hub.content.lock().unwrap().gated = vec![MODEL.to_owned()];
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("config.json");
    let gated = client(&hub, HUB_TOKEN).download(&found, file(&found, "config.json"), &to, |_| {}).await;
    let gated = gated.unwrap_err();
    assert!(gated.to_string().contains("gated") && !gated.is_retryable(), "{gated}");
    for shown in [private.to_string(), gated.to_string(), format!("{:?}", client(&hub, HUB_TOKEN))] {
        assert!(!shown.contains(HUB_TOKEN), "the token is shown: {shown}");
    }
}

#[tokio::test]
async fn a_hub_that_is_not_there_is_told_apart() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    drop(rustls::crypto::ring::default_provider().install_default());
    let hub = Hub::new(&HubConfig { endpoint, ..HubConfig::default() }).unwrap();
    let away =
        hub.snapshot(RepoKind::Model, &"a/b".parse().unwrap(), &Revision::default()).await.unwrap_err();
    assert!(away.is_retryable() && away.to_string().contains("cannot be reached"), "{away}");
    let none = Hub::new(&HubConfig { endpoint: String::new(), ..HubConfig::default() }).unwrap_err();
    assert!(matches!(none, HubError::NotConfigured));
}
