//! How much memory this process holds, and how its allocator keeps it.

use std::{fs, io, os::unix::process::CommandExt as _, process::Command};

/// Where glibc's allocator reads its settings, before `main`.
const SETTINGS_VARIABLE: &str = "GLIBC_TUNABLES";
/// Freed memory stays with the process, whatever its size, and lies in large pages, in one arena: further ones are made of heaps of
/// 64 MiB, which go back to the system as soon as they are empty.
const SETTINGS: &str = "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=0x4000000000:\
                        glibc.malloc.trim_threshold=0x4000000000:glibc.malloc.arena_max=1";

/// Starts this program anew, under the same process id and with the same arguments, with an allocator that keeps what is freed.
///
/// For an engine, which allocates and frees the same gigabytes again and again: fresh pages cost it a twentieth of its time. Call it
/// first in `main`. It returns when the program was started so before, when a user set the variable, or when it cannot be done; then
/// the process is slower, and nothing else.
pub fn keep_freed_memory() {
    if std::env::vars_os().any(|(name, _)| name == SETTINGS_VARIABLE) {
        return;
    }
    let mut arguments = std::env::args_os();
    let (Ok(program), Some(name)) = (std::env::current_exe(), arguments.next()) else { return };
    let _refused = Command::new(program).arg0(name).args(arguments).env(SETTINGS_VARIABLE, SETTINGS).exec();
}

/// The most memory this process has held resident, in bytes (`VmHWM` of `/proc/self/status`).
pub fn peak_rss_bytes() -> io::Result<u64> {
    field("VmHWM:")
}

/// The memory this process holds resident now, in bytes (`VmRSS`).
pub fn rss_bytes() -> io::Result<u64> {
    field("VmRSS:")
}

fn field(name: &str) -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| io::Error::other(format!("no {name} in /proc/self/status")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn the_peak_includes_what_was_touched() {
        let block = vec![1_u8; 64 << 20];
        assert!(peak_rss_bytes().unwrap() >= 64 << 20, "{}", block.len());
        assert!(rss_bytes().unwrap() <= peak_rss_bytes().unwrap());
    }
}
