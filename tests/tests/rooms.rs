//! The house itself: which room may know which, who alone may use what, and that every crate obeys the lints.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::{collections::BTreeMap, fs, path::Path};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

fn metadata() -> Metadata {
    MetadataCommand::new().no_deps().exec().unwrap()
}

fn root() -> &'static Path {
    Path::new("..")
}

/// Package name → its folder below the root, and the packages it needs outside tests.
fn rooms() -> BTreeMap<String, (String, Vec<String>)> {
    let metadata = metadata();
    metadata
        .workspace_packages()
        .into_iter()
        .map(|package| {
            let folder = package.manifest_path.parent().unwrap();
            let folder = folder.strip_prefix(&metadata.workspace_root).unwrap().to_string();
            let needs = package
                .dependencies
                .iter()
                .filter(|dependency| dependency.kind != DependencyKind::Development)
                .map(|dependency| dependency.name.clone())
                .collect();
            (package.name.to_string(), (folder, needs))
        })
        .collect()
}

#[test]
fn arrows_point_from_services_to_shared_to_domain() {
    let rooms = rooms();
    for (package, (folder, needs)) in &rooms {
        for need in needs.iter().filter_map(|need| rooms.get(need).map(|(folder, _)| (need, folder))) {
            let (name, target) = need;
            assert!(!target.starts_with("services/"), "{package} imports the service {name}");
            assert!(!target.starts_with("cli"), "{package} imports the command line");
            if folder.starts_with("shared/") && package != "anneal-testkit" {
                assert!(target.starts_with("shared/"), "shared room {package} imports {name} ({target})");
            }
        }
    }
    let of_ours = |package: &str| -> Vec<&str> {
        rooms[package].1.iter().filter(|need| rooms.contains_key(*need)).map(String::as_str).collect()
    };
    assert!(of_ours("anneal-domain").is_empty(), "the domain knows no other room");
    assert_eq!(of_ours("anneal-contracts"), ["anneal-domain"]);
    assert_eq!(
        of_ours("anneal-hub"),
        ["anneal-datasets", "anneal-runtime"],
        "the hub's client knows no platform"
    );
    assert!(of_ours("anneal-comparison").is_empty(), "a comparison knows no other room");
}

#[test]
fn each_client_library_has_one_user() {
    let rooms = rooms();
    let users = |library: &str| -> Vec<&str> {
        rooms
            .iter()
            .filter(|(_, (_, needs))| needs.iter().any(|need| need == library))
            .map(|(package, _)| package.as_str())
            .collect()
    };
    assert_eq!(users("async-nats"), ["anneal-bus"]);
    assert_eq!(users("aws-sdk-s3"), ["anneal-artifacts"]);
    assert_eq!(users("ort"), ["anneal-onnx"]);
    for engine in ["anneal-trainer", "anneal-evaluator", "anneal-compiler"] {
        let needs = &rooms[engine].1;
        assert!(
            !needs.iter().any(|need| need == "anneal-store" || need == "sea-orm"),
            "{engine} knows a database"
        );
    }
}

#[test]
fn every_crate_inherits_the_lints_and_takes_versions_from_the_workspace() {
    for (package, (folder, _)) in rooms() {
        let manifest = fs::read_to_string(root().join(&folder).join("Cargo.toml")).unwrap();
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{package} does not inherit the workspace lints"
        );
        let pinned = manifest
            .lines()
            .skip_while(|line| !line.contains("dependencies]"))
            .find(|line| line.contains("version = \"") || line.contains("= \"0") || line.contains("= \"1"));
        assert_eq!(pinned, None, "{package} pins a version of its own");
    }
}

#[test]
fn only_the_kernels_hold_unsafe_code() {
    let mut found = Vec::new();
    visit(root(), &mut |path, text| {
        let inside = path.strip_prefix(root()).unwrap();
        let word = ["allow(unsafe", "_code"].concat();
        if !inside.starts_with("shared/kernels")
            && (text.contains(&word) || text.contains(&word.replace("allow", "expect")))
        {
            found.push(inside.to_owned());
        }
    });
    assert!(found.is_empty(), "unsafe code outside shared/kernels: {found:?}");
}

#[test]
fn every_module_says_what_it_owns() {
    let mut silent = Vec::new();
    visit(root(), &mut |path, text| {
        let generated_or_include = text.trim_start().is_empty();
        if !generated_or_include && !text.trim_start().starts_with("//!") {
            silent.push(path.strip_prefix(root()).unwrap().to_owned());
        }
    });
    assert!(silent.is_empty(), "modules without `//!`: {silent:?}");
}

/// Calls `f` with every Rust source of the checkout.
fn visit(folder: &Path, f: &mut impl FnMut(&Path, &str)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" && name != "node_modules" {
                visit(&path, f);
            }
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            f(&path, &fs::read_to_string(&path).unwrap());
        }
    }
}
