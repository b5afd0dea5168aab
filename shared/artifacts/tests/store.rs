//! The object store's client against a real S3 server.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::{fs, path::Path, time::Duration};

use anneal_artifacts::{
    ArtifactError, Key, MANIFEST, ManifestFile, ObjectStore, ObjectsConfig, Prefix, sha256_of_file,
};
use anneal_domain::id::{CheckpointId, RequestId, TaskId, WorkspaceId};
use anneal_testkit::{Mode, Objects, Proxy};
use bytes::Bytes;

fn config(endpoint: String) -> ObjectsConfig {
    ObjectsConfig {
        endpoint,
        access_key: Objects::ACCESS_KEY.to_owned(),
        secret_key: Objects::SECRET_KEY.to_owned().into(),
        ..ObjectsConfig::default()
    }
}

async fn start() -> (Objects, ObjectStore, Prefix) {
    let objects = Objects::start().await;
    let store = ObjectStore::connect(&config(objects.endpoint()));
    store.check().await.unwrap();
    (objects, store, Prefix::task(WorkspaceId::new(), TaskId::new()))
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Bytes that do not repeat within a part.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}

#[tokio::test]
async fn a_folder_comes_back_as_it_was() {
    let (_objects, store, task) = start().await;
    let local = tempfile::tempdir().unwrap();
    let big = noise(40 << 20);
    write(&local.path().join("model.safetensors"), &big);
    write(
        &local.path().join("tensorboard/events.out.tfevents.1767323045.a-host-with-quite-a-long-name"),
        b"x",
    );
    write(&local.path().join("empty"), b"");
    write(&local.path().join(MANIFEST), b"an older manifest gives way");
    // The longest keys there are: a checkpoint's.
    let prefix = task.checkpoint(CheckpointId::new(), RequestId::new());
    let folder = store.put_folder(&prefix, local.path()).await.unwrap();
    assert_eq!((folder.files, folder.size_bytes), (3, (40 << 20) + 1));

    let back = tempfile::tempdir().unwrap();
    let manifest = store.get_folder(&prefix, Some(&folder.manifest_sha256), back.path()).await.unwrap();
    assert_eq!(manifest.files.len(), 3);
    assert!(fs::read(back.path().join("model.safetensors")).unwrap() == big);
    assert_eq!(fs::read(back.path().join("empty")).unwrap(), b"");
    assert!(back.path().join(MANIFEST).is_file());

    let key = prefix.file("model.safetensors").unwrap();
    assert_eq!(store.get_range(&key, 5..9).await.unwrap(), &big[5..9]);
    assert_eq!(store.list(&task).await.unwrap().len(), 4);
    assert_eq!(store.delete_prefix(&task).await.unwrap(), 4);
    assert!(store.list(&task).await.unwrap().is_empty());
    assert!(matches!(store.get_bytes(&key).await, Err(ArtifactError::NotFound(_))));
}

#[tokio::test]
async fn a_file_may_lie_elsewhere_in_its_thing_and_what_is_kept_survives_the_removal_around_it() {
    let (_objects, store, task) = start().await;
    let (upload, folder) = (task.join("file/one").unwrap(), task.join("manifest/one").unwrap());
    let stored = store.put_bytes(&upload.file("weights").unwrap(), Bytes::from_static(b"w")).await.unwrap();
    let file = ManifestFile {
        path: "model/weights".to_owned(),
        size_bytes: stored.size_bytes,
        sha256: stored.sha256,
        object: Some(upload.file("weights").unwrap()),
    };
    let made = store.put_manifest(&folder, vec![file.clone()]).await.unwrap();
    let back = tempfile::tempdir().unwrap();
    store.get_folder(&folder, Some(&made.manifest_sha256), back.path()).await.unwrap();
    assert_eq!(fs::read(back.path().join("model/weights")).unwrap(), b"w");
    let local = fs::read_to_string(back.path().join(MANIFEST)).unwrap();
    assert!(!local.contains("object"), "on a disk every file lies at its path: {local}");

    let stranger = Prefix::task(WorkspaceId::new(), TaskId::new());
    let refused = store.put_manifest(&stranger, vec![file]).await.unwrap_err();
    assert!(matches!(refused, ArtifactError::Key(_)), "{refused}");

    store.put_bytes(&task.file("file/two/weights").unwrap(), Bytes::from_static(b"x")).await.unwrap();
    let kept = [Prefix::parse(upload.file("weights").unwrap().as_str()).unwrap(), folder];
    assert_eq!(store.delete_prefix_but(&task, &kept).await.unwrap(), 1);
    assert_eq!(store.list(&task).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_stream_of_any_length_is_stored_whole() {
    let (_objects, store, task) = start().await;
    for (name, size) in [("none", 0), ("one", 1), ("part", 16 << 20), ("more", (16 << 20) + 1)] {
        let bytes = noise(size);
        let pieces: Vec<_> = bytes.chunks(1 << 20).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let key = task.file(name).unwrap();
        let stored = store.put_stream(&key, futures::stream::iter(pieces)).await.unwrap();
        assert_eq!(stored.size_bytes, size as u64);
        assert!(store.get_bytes(&key).await.unwrap() == bytes, "{name}");
    }
    let broken = vec![Ok(Bytes::from(noise(17 << 20))), Err(std::io::Error::other("the client left"))];
    let key = task.file("broken").unwrap();
    let error = store.put_stream(&key, futures::stream::iter(broken)).await.unwrap_err();
    assert!(matches!(error, ArtifactError::Source(_)));
    assert_eq!(store.size(&key).await.unwrap(), None);
}

#[tokio::test]
async fn corruption_and_missing_files_are_noticed() {
    let (objects, store, task) = start().await;
    let local = tempfile::tempdir().unwrap();
    write(&local.path().join("a"), b"hello");
    let folder = store.put_folder(&task, local.path()).await.unwrap();
    let stored = objects.root().join(Objects::BUCKET).join(task.as_str());

    fs::write(stored.join("a"), b"hellO").unwrap();
    let back = tempfile::tempdir().unwrap();
    let error = store.get_folder(&task, Some(&folder.manifest_sha256), back.path()).await.unwrap_err();
    assert!(matches!(error, ArtifactError::Corrupt { .. }), "{error}");
    assert!(!back.path().join("a").exists() && !back.path().join(MANIFEST).exists());

    fs::remove_file(stored.join("a")).unwrap();
    let error = store.get_folder(&task, None, back.path()).await.unwrap_err();
    assert!(matches!(error, ArtifactError::NotFound(_)), "{error}");

    fs::write(stored.join(MANIFEST), br#"{"files":[{"path":"../../x","size":1,"sha256":"00"}]}"#).unwrap();
    let error = store.get_folder(&task, Some(&folder.manifest_sha256), back.path()).await.unwrap_err();
    assert!(matches!(error, ArtifactError::Corrupt { .. }), "{error}");
    let error = store.get_folder(&task, None, back.path()).await.unwrap_err();
    assert!(matches!(error, ArtifactError::Key(_)), "{error}");
}

#[tokio::test]
async fn links_and_special_files_are_never_followed() {
    let (_objects, store, task) = start().await;
    let local = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/etc/passwd", local.path().join("a")).unwrap();
    let error = store.put_folder(&task, local.path()).await.unwrap_err();
    assert!(matches!(error, ArtifactError::NotAFile(_)), "{error}");
}

#[tokio::test]
async fn presigned_links_work_without_credentials_and_for_their_key_only() {
    let (_objects, store, task) = start().await;
    let key = task.file("a").unwrap();
    store.put_bytes(&key, Bytes::from_static(b"hello")).await.unwrap();
    let link = store.presign_get(&key, Duration::from_secs(60), Some("模型.txt")).await.unwrap();
    let got = http(&link, "GET", b"").await;
    assert!(got.starts_with("HTTP/1.1 200") && got.ends_with("hello"), "{got}");
    assert!(got.to_lowercase().contains("content-disposition: attachment"), "{got}");
    let other = link.replace("/a?", "/b?");
    assert!(http(&other, "GET", b"").await.starts_with("HTTP/1.1 403"));

    let new = task.file("new").unwrap();
    let link = store.presign_put(&new, Duration::from_secs(60), 3).await.unwrap();
    assert!(http(&link, "PUT", b"larger").await.starts_with("HTTP/1.1 403"));
    assert!(http(&link, "PUT", b"abc").await.starts_with("HTTP/1.1 200"));
    assert_eq!(store.get_bytes(&new).await.unwrap(), "abc");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_fetched_again() {
    let objects = Objects::start().await;
    let proxy = Proxy::start(objects.address()).await;
    let store = ObjectStore::connect(&config(format!("http://{}", proxy.address())));
    let task = Prefix::task(WorkspaceId::new(), TaskId::new());
    let local = tempfile::tempdir().unwrap();
    write(&local.path().join("a"), &noise(3 << 20));
    let key = task.file("a").unwrap();
    let stored = store.put_file(&key, &local.path().join("a")).await.unwrap();
    proxy.set(Mode::CutAfter(1 << 20));
    let back = local.path().join("back");
    let fetch = store.get_to_file(&key, &stored, &back);
    let heal = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        proxy.set(Mode::Pass);
    };
    let (fetched, ()) = tokio::join!(fetch, heal);
    fetched.unwrap();
    assert_eq!(sha256_of_file(&back).await.unwrap(), stored);
}

#[tokio::test]
async fn wrong_credentials_are_refused_at_once() {
    let objects = Objects::start().await;
    let wrong = ObjectsConfig { secret_key: "wrong".to_owned().into(), ..config(objects.endpoint()) };
    let key = Key::try_from("a".to_owned()).unwrap();
    let error = ObjectStore::connect(&wrong).put_bytes(&key, Bytes::new()).await.unwrap_err();
    assert!(!error.is_retryable(), "{error}");
}

/// One plain HTTP request, as a browser would send it.
async fn http(link: &str, method: &str, body: &[u8]) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (host, path) = link.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut socket = tokio::net::TcpStream::connect(host).await.unwrap();
    let head = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
