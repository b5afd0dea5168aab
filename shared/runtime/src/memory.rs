//! How much memory this process holds.

use std::{fs, io};

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
