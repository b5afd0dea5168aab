//! Which device a name means.

use candle_core::Device;

use crate::{Result, error::refuse};

/// The device called `cpu`, `cuda` (the first one) or `cuda:N`; `auto` is the first CUDA device of a build with the feature `cuda`
/// where there is one, the CPU otherwise.
pub fn device(name: &str) -> Result<Device> {
    match name {
        "cpu" => return Ok(Device::Cpu),
        "auto" => return Ok(cuda(0).unwrap_or(Device::Cpu)),
        _ => {}
    }
    let index =
        if name == "cuda" { Some(0) } else { name.strip_prefix("cuda:").and_then(|n| n.parse().ok()) };
    match index {
        Some(index) => cuda(index),
        None => refuse("device", format!("{name:?} is not one of `auto`, `cpu`, `cuda` and `cuda:N`")),
    }
}

#[cfg(feature = "cuda")]
fn cuda(index: usize) -> Result<Device> {
    match Device::new_cuda(index) {
        Ok(device) => Ok(device),
        Err(error) => {
            // What candle says may have a backtrace below it.
            let reason = error.to_string();
            refuse(
                "device",
                format!("`cuda:{index}` does not open: {}", reason.lines().next().unwrap_or_default()),
            )
        }
    }
}

#[cfg(not(feature = "cuda"))]
fn cuda(index: usize) -> Result<Device> {
    refuse(
        "device",
        format!("`cuda:{index}`: this build has no CUDA (`cargo xtask cuda` makes one that has)"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_understood_or_refused() {
        assert!(device("cpu").is_ok_and(|device| device.is_cpu()));
        assert!(device("auto").is_ok());
        let said = |name| device(name).map_or_else(|error| error.to_string(), |_| String::new());
        assert!(said("gpu").contains("`cuda:N`"), "{}", said("gpu"));
        assert!(said("cuda:x").contains("`cuda:N`"), "{}", said("cuda:x"));
        assert!(said("cuda:99").contains("`cuda:99`"), "{}", said("cuda:99"));
    }
}
