//! An engine child's first act: it dies with its parent, and gives up what it does not need.
//!
//! A parser of user files runs in that child, so this comes before anything else in `main`. Outside of a worker (the
//! variable is not set) nothing is changed.

use std::io;

use nix::{
    sys::{
        prctl,
        resource::{Resource, getrlimit, setrlimit},
        signal::Signal,
    },
    unistd::getppid,
};

/// Names the process id of the worker that runs this engine.
pub const PARENT_VARIABLE: &str = "ANNEAL_PARENT_PID";
/// Open files an engine may have.
const OPEN_FILES: u64 = 4096;

/// Confines this process if a worker runs it: SIGKILL when the worker ends, no core dump, no new privileges, few open files.
pub fn from_environment() -> io::Result<()> {
    let parent = std::env::vars_os().find(|(name, _)| name == PARENT_VARIABLE).map(|(_, value)| value);
    let Some(parent) =
        parent.and_then(|value| value.into_string().ok()).and_then(|text| text.parse::<i32>().ok())
    else {
        return Ok(());
    };
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    prctl::set_no_new_privs()?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, OPEN_FILES.min(most), OPEN_FILES.min(most))?;
    // The worker may have died before the signal was set up.
    if getppid().as_raw() == parent { Ok(()) } else { Err(io::Error::other("the worker has gone")) }
}
