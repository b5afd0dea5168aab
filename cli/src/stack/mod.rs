//! `anneal up`: the whole platform on this machine, as child processes that end with this one.
//!
//! It owns the data folder: secrets are made once and kept, configuration files are written anew at every start. It
//! deliberately knows nothing of what the services do; each gets the file it documents in its own `config.rs`.

mod child;
mod error;
mod files;
mod health;
mod nats;
mod options;
mod ports;
mod programs;
mod secrets;
mod services;
mod shim;
mod supervisor;

pub use error::StackError;
pub use options::UpOptions;
pub use shim::{ShimArguments, shim};

use std::time::Duration;

use anneal_runtime::shutdown;

use self::{
    files::Files, ports::Ports, programs::Programs, secrets::Secrets, services::Service,
    supervisor::Supervisor,
};

/// How long the whole stack may take to come up.
const START: Duration = Duration::from_secs(60);

/// Starts the stack, says where it is, and stays until SIGINT or SIGTERM. Call it on an executor of one thread: children
/// die with the thread that started them.
pub async fn up(options: UpOptions) -> Result<(), StackError> {
    let shutdown = shutdown::on_signal()?;
    let files = Files::open(&options.data)?;
    let secrets = Secrets::load_or_make(&files)?;
    let ports = Ports::choose(options.listen)?;
    nats::write(&files, &secrets, &ports, &options.sync_interval)?;
    services::write(&files, &secrets, &ports, &options)?;

    let mut stages = services::stages(&secrets, &ports);
    for stage in &mut stages {
        stage.retain(|service| !options.without.iter().any(|name| name == service.name));
    }
    let programs = Programs::find(&options.parts, stages.iter().flatten().map(|service| service.program))?;
    let mut stack = Supervisor::new(files.clone(), programs);
    let started = tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        started = start(&mut stack, stages) => started,
    };
    if started.is_ok() && !shutdown.is_cancelled() {
        files.write_ready(&options, &ports, &secrets, &stack.pids())?;
        say(&format!("ready: {}", ports.url()));
        say(&format!("admin key: {}", files.admin_key().display()));
        say(&format!("logs: {}", files.logs().display()));
        stack.watch(&shutdown, |pids| files.write_ready(&options, &ports, &secrets, pids)).await?;
    }
    say("stopping");
    stack.stop().await;
    started
}

async fn start(stack: &mut Supervisor, stages: Vec<Vec<Service>>) -> Result<(), StackError> {
    let deadline = tokio::time::Instant::now() + START;
    for stage in stages {
        for service in &stage {
            stack.start(service)?;
        }
        for service in &stage {
            stack.wait_ready(service, deadline).await?;
        }
    }
    Ok(())
}

/// A line for the person at the terminal.
pub(crate) fn say(line: &str) {
    use std::io::Write;
    // A closed terminal is no reason to end.
    writeln!(std::io::stderr(), "anneal up: {line}").ok();
}
