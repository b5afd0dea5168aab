//! `cargo xtask cuda`: the engines with the feature `cuda`, built with a CUDA toolkit of pinned wheels. No GPU is needed to build.

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{
    cargo::{program, root, run, say, target_dir},
    parts,
};

/// Compute capability where neither `CUDA_COMPUTE_CAP` nor a GPU of this machine says another: candle's kernels are kept as PTX,
/// which the driver compiles for every later GPU.
const COMPUTE_CAPABILITY: &str = "80";

/// Fetches the toolkit and builds the trainer and the evaluator.
pub(crate) fn build() -> Result<()> {
    parts::fetch_these(parts::CUDA)?;
    let toolkit = parts::folder().join("cuda");
    let link = linkable(&toolkit)?;
    let target = target_dir()?.join("cuda");
    let mut search = vec![toolkit.join("bin")];
    search.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    say("the engines with the feature `cuda`");
    run(Command::new(program())
        .args(["build", "--release", "--locked"])
        .args(["--package", "anneal-trainer", "--package", "anneal-evaluator", "--bins"])
        .args(["--features", "anneal-trainer/cuda,anneal-evaluator/cuda"])
        .env("CUDA_HOME", &toolkit)
        .env("CUDA_PATH", &toolkit)
        .env("NVCC", toolkit.join("bin/nvcc"))
        .env("CUDA_COMPUTE_CAP", compute_capability())
        .env("PATH", env::join_paths(search)?)
        .env("LIBRARY_PATH", &link)
        .env("RUSTFLAGS", format!("-Clink-arg=-Wl,-rpath,{}", toolkit.join("lib").display()))
        .env("CARGO_TARGET_DIR", &target)
        .current_dir(root()))?;
    say(&format!("built below {}; the driver's libcuda.so.1 is all they need besides", target.display()));
    Ok(())
}

/// `90` for a GPU of compute capability 9.0.
fn compute_capability() -> String {
    if let Some(asked) = env::var_os("CUDA_COMPUTE_CAP") {
        return asked.to_string_lossy().into_owned();
    }
    let found =
        Command::new("nvidia-smi").args(["--query-gpu=compute_cap", "--format=csv,noheader"]).output();
    let found = found.ok().filter(|output| output.status.success());
    let digits = found.and_then(|output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Some(text.lines().next()?.trim().replace('.', "")).filter(|digits| !digits.is_empty())
    });
    digits.unwrap_or_else(|| COMPUTE_CAPABILITY.to_owned())
}

/// A folder the linker finds the libraries in: the wheels' have versioned names only, and the driver's library comes with the
/// driver, so that its place is taken by one that holds nothing but the names.
fn linkable(toolkit: &Path) -> Result<PathBuf> {
    let link = toolkit.join("link");
    fs::create_dir_all(&link)?;
    for entry in fs::read_dir(toolkit.join("lib"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some((stem, _)) = name.split_once(".so.") {
            let plain = link.join(format!("{stem}.so"));
            if !plain.is_symlink() {
                symlink(&path, plain)?;
            }
        }
    }
    let header = toolkit.join("include/cuda.h");
    let header =
        fs::read_to_string(&header).with_context(|| format!("{} cannot be read", header.display()))?;
    let source = link.join("driver.c");
    let functions: Vec<String> = driver_functions(&header)
        .into_iter()
        .map(|name| format!("int {name}(void) {{ return 34; }}\n"))
        .collect();
    // 34: CUDA_ERROR_STUB_LIBRARY.
    fs::write(&source, functions.concat())?;
    run(Command::new("cc")
        .args(["-shared", "-Wl,-soname,libcuda.so.1", "-o"])
        .arg(link.join("libcuda.so"))
        .arg(&source))?;
    Ok(link)
}

/// Names of the driver's functions in its header: `cuInit`, `cuMemAlloc_v2` and so on.
fn driver_functions(header: &str) -> Vec<&str> {
    let words = header.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    let mut functions: Vec<&str> = words
        .filter(|word| {
            let third = word.as_bytes().get(2);
            word.starts_with("cu") && third.is_some_and(u8::is_ascii_uppercase)
        })
        .collect();
    functions.sort_unstable();
    functions.dedup();
    functions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drivers_functions_are_found_under_all_their_names() {
        let header = "#define cuMemAlloc cuMemAlloc_v2\nCUresult CUDAAPI cuInit(unsigned int Flags);\n\
                      typedef enum cudaError_enum CUresult; CUresult CUDAAPI cuMemAlloc(CUdeviceptr *p);";
        assert_eq!(driver_functions(header), ["cuInit", "cuMemAlloc", "cuMemAlloc_v2"]);
    }
}
