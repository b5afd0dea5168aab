//! `cargo xtask bench stack`: the idle stack, time to the first engine line, latency with many tasks, many clients at once.

use std::{
    collections::HashSet,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anneal_runtime::CancellationToken;
use anyhow::{Context as _, Result, bail};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::{
    api::Api,
    data,
    show::{fact, heading},
    stack::{Setup, Stack, on_stack},
};

const IDLE: Duration = Duration::from_secs(20);
const QUEUED_TASKS: usize = 1000;
const CLIENTS: usize = 50;
const STARTS: usize = 9;

/// Measures and prints; fails only when something is lost.
pub(crate) async fn run(folder: &Path, parts: &Path, interrupted: &CancellationToken) -> Result<()> {
    let folder = folder.join("bench");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let setup = Setup { folder: &folder, parts, without: &[] };
    let mut spec = Value::Null;
    on_stack(&setup, interrupted, async |stack| {
        idle(stack).await?;
        let api = Api::new(&stack.url, &stack.key)?;
        spec = task_that_fails_at_once(&api, &folder, parts).await?;
        first_line(&api, &spec).await
    })
    .await?;
    // Nobody takes evaluations here: what is queued stays queued.
    let setup = Setup { without: &["evaluator"], ..setup };
    on_stack(&setup, interrupted, async |stack| many_tasks(&Api::new(&stack.url, &stack.key)?, &spec).await)
        .await
}

/// An evaluation whose engine starts, says so, and gives up at the model: starting is measured, not loading.
async fn task_that_fails_at_once(api: &Api, folder: &Path, parts: &Path) -> Result<Value> {
    let files = data::prepare(&folder.join("data"), parts)?;
    let query = [("name", "bench"), ("kind", "evaluation"), ("filename", "bench.jsonl")];
    let dataset = api.post_file("/api/v1/datasets", &query, &files.questions).await?;
    let model = tiny_model(api, folder).await?;
    Ok(json!({
        "kind": "evaluation", "model_source": "builtin", "model": model,
        "datasets": [{"benchmark": "custom_multiple_choice", "dataset": dataset["id"], "limit": 1}],
    }))
}

/// A model that the API accepts and the engine refuses.
async fn tiny_model(api: &Api, folder: &Path) -> Result<Value> {
    let path = folder.join("tiny.gguf");
    fs::write(&path, tiny_gguf())?;
    let made = api.post("/api/v1/models", &json!({"name": "tiny", "source": "builtin"})).await?;
    let id = made["id"].as_str().context("no model id")?;
    api.put_file(&format!("/api/v1/models/{id}/files/tiny.gguf"), &path).await?;
    api.post(&format!("/api/v1/models/{id}/complete"), &json!({})).await?;
    Ok(made["id"].clone())
}

/// A sound GGUF file (version 3) of one small tensor, that says it is a Llama and nothing more of it.
fn tiny_gguf() -> Vec<u8> {
    const ALIGNMENT: usize = 32;
    const TEXT: u32 = 8;
    const F32: u32 = 0;
    let shape = [4_u64, 8];
    let mut file = b"GGUF".to_vec();
    let text = |file: &mut Vec<u8>, text: &str| {
        file.extend((text.len() as u64).to_le_bytes());
        file.extend(text.as_bytes());
    };
    file.extend(3_u32.to_le_bytes());
    // One tensor, one entry of metadata.
    file.extend([1_u64, 1].map(u64::to_le_bytes).concat());
    text(&mut file, "general.architecture");
    file.extend(TEXT.to_le_bytes());
    text(&mut file, "llama");
    text(&mut file, "token_embd.weight");
    file.extend((shape.len() as u32).to_le_bytes());
    file.extend(shape.map(u64::to_le_bytes).concat());
    file.extend(F32.to_le_bytes());
    file.extend(0_u64.to_le_bytes());
    file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
    let elements: u64 = shape.iter().product();
    file.resize(file.len() + 4 * elements as usize, 0);
    file
}

/// Resident memory and processor time of our processes, `anneal up` included, while nothing happens.
async fn idle(stack: &Stack) -> Result<()> {
    heading(1, "Idle stack");
    tokio::time::sleep(Duration::from_secs(5)).await;
    let ours: Vec<_> = stack.pids.iter().filter(|(name, _)| name != "nats-server").collect();
    let before: f64 = ours.iter().map(|(_, pid)| cpu_seconds(*pid)).sum::<Result<f64>>()?;
    tokio::time::sleep(IDLE).await;
    let after: f64 = ours.iter().map(|(_, pid)| cpu_seconds(*pid)).sum::<Result<f64>>()?;
    let mut total = 0.0;
    for (name, pid) in &ours {
        let megabytes = resident_megabytes(*pid)?;
        total += megabytes;
        fact(name, &format!("{megabytes:.1} MB"));
    }
    fact("all together", &format!("{total:.1} MB resident, without nats-server"));
    fact("processor", &format!("{:.2} % of a core", 100.0 * (after - before) / IDLE.as_secs_f64()));
    Ok(())
}

fn cpu_seconds(pid: i32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit(')').next().context("odd /proc stat")?;
    let ticks: f64 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<f64>().ok()).sum();
    Ok(ticks / 100.0)
}

fn resident_megabytes(pid: i32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
    let kibibytes: f64 = line.split_whitespace().nth(1).context("no VmRSS")?.parse()?;
    Ok(kibibytes * 1024.0 / 1e6)
}

/// From the answer of `POST` (the task is committed) to the first stage the engine reports.
async fn first_line(api: &Api, spec: &Value) -> Result<()> {
    heading(2, "From commit to the engine's first line");
    let mut milliseconds = Vec::new();
    for _ in 0..STARTS {
        let task = api.post("/api/v1/tasks", &json!({"name": "bench start", "spec": spec})).await?;
        let id = task["id"].as_str().context("no id")?;
        milliseconds.push(until_first_stage(api, id).await?);
        // The next one finds an idle worker.
        until_ended(api, id).await?;
    }
    fact("milliseconds", &summary(&mut milliseconds));
    Ok(())
}

/// Both ends are the platform's own records: the task's commit, and the time of its first engine stage.
async fn until_first_stage(api: &Api, id: &str) -> Result<f64> {
    for _ in 0..500 {
        let events = api.get(&format!("/api/v1/tasks/{id}/events")).await?;
        let rows = events["data"].as_array().context("no events")?;
        let queued = rows.iter().find(|row| row["event"]["event"] == "queued");
        let engine = rows
            .iter()
            .find(|row| row["event"]["event"] == "stage_changed" && row["event"]["stage"] != "fetch");
        if let (Some(queued), Some(engine)) = (queued, engine) {
            let from = milliseconds_of(&queued["time"])?;
            let to = engine["event"]["at_ms"].as_f64().context("no at_ms")?;
            return Ok(to - from);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bail!("task {id} reported no stage within ten seconds")
}

async fn until_ended(api: &Api, id: &str) -> Result<()> {
    for _ in 0..500 {
        let task = api.get(&format!("/api/v1/tasks/{id}")).await?;
        if task["state"] == "failed" {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bail!("task {id} did not fail within ten seconds")
}

/// Milliseconds since midnight of an RFC 3339 time, plus its day: enough to subtract within a run.
fn milliseconds_of(time: &Value) -> Result<f64> {
    let text = time.as_str().context("no time")?;
    let parsed = unix_milliseconds(text).with_context(|| format!("unreadable time {text}"))?;
    Ok(parsed)
}

/// Unix milliseconds of `YYYY-MM-DDTHH:MM:SS.fffZ` (days from civil, Hinnant 2013).
fn unix_milliseconds(text: &str) -> Option<f64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<f64>().ok();
    let (year, month, day) = (number(0..4)? as i64, number(5..7)? as i64, number(8..10)? as i64);
    let (year, month_index) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * month_index + 2) / 5 + day - 1;
    let days =
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    let seconds = text.get(17..)?.trim_end_matches('Z').parse::<f64>().ok()?;
    Some(
        days as f64 * 86_400_000.0
            + number(11..13)? * 3_600_000.0
            + number(14..16)? * 60_000.0
            + seconds * 1000.0,
    )
}

/// Creates many tasks from many clients at once, then times list and show.
async fn many_tasks(api: &Api, spec: &Value) -> Result<()> {
    heading(3, "A thousand queued tasks, fifty clients at once");
    let began = Instant::now();
    let each = QUEUED_TASKS / CLIENTS;
    let clients = (0..CLIENTS).map(|client| async move {
        let mut ids = Vec::new();
        for task in 0..each {
            let body = json!({"name": format!("bench {client}-{task}"), "spec": spec});
            let made = api.post("/api/v1/tasks", &body).await?;
            ids.push(made["id"].as_str().context("no id")?.to_owned());
        }
        anyhow::Ok(ids)
    });
    let mut ids = Vec::new();
    for made in join_all(clients).await {
        ids.extend(made?);
    }
    let seconds = began.elapsed().as_secs_f64();
    fact("created", &format!("{} in {seconds:.1} s: {:.0} a second", ids.len(), ids.len() as f64 / seconds));
    let mut list = Vec::new();
    let mut show = Vec::new();
    for id in ids.iter().step_by(10) {
        let began = Instant::now();
        api.get("/api/v1/tasks?limit=50").await?;
        list.push(began.elapsed().as_secs_f64() * 1000.0);
        let began = Instant::now();
        api.get(&format!("/api/v1/tasks/{id}")).await?;
        show.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    fact("list, ms", &summary(&mut list));
    fact("show, ms", &summary(&mut show));
    nothing_lost(api, &ids).await
}

/// Every acknowledged task is listed, and still queued: what was timed is a list of that many queued tasks.
async fn nothing_lost(api: &Api, ids: &[String]) -> Result<()> {
    let queued = api.list("/api/v1/tasks?state=queued").await?;
    let queued: HashSet<&str> = queued.iter().filter_map(|task| task["id"].as_str()).collect();
    let lost = ids.iter().filter(|id| !queued.contains(id.as_str())).count();
    fact("lost", &lost.to_string());
    if lost > 0 {
        bail!("{lost} acknowledged tasks are not listed as queued");
    }
    Ok(())
}

fn summary(values: &mut [f64]) -> String {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
    format!("median {:.1}, p95 {:.1}, least {:.1}, most {:.1}", at(0.5), at(0.95), at(0.0), at(1.0))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn the_tiny_model_is_a_sound_file_that_no_engine_can_open_as_a_model() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tiny.gguf");
        fs::write(&path, tiny_gguf()).unwrap();
        anneal_model::gguf::Gguf::open(&path).unwrap();
        assert!(anneal_model::Source::open(&path).is_err());
    }

    #[test]
    fn times_of_the_api_are_read_to_the_millisecond() {
        assert_eq!(unix_milliseconds("1970-01-02T00:00:01.5Z"), Some(86_401_500.0));
        assert_eq!(unix_milliseconds("2026-01-02T03:04:05.678Z"), Some(1_767_323_045_678.0));
        assert_eq!(unix_milliseconds("yesterday"), None);
    }
}
