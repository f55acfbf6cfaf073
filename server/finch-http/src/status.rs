//! `GET /v1/status`: what the daemon is doing, for people and for `finch daemon status`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};

use finch_llm::{Load, Task};

use crate::serve::Desk;
use crate::wire::{MemoryWire, RequestsWire, StateWire, Status, TokensWire};
use crate::{Asked, Host, LOCAL};

pub(crate) async fn status(State(host): State<Host>, Extension(desk): Extension<Arc<Desk>>) -> Json<Status> {
    let numbers = desk.counters.numbers();
    let state = StateWire::from(host.state.borrow().clone());
    let lanes = Some(load(&host).into());
    Json(Status {
        version: host.version,
        pid: std::process::id(),
        uptime_s: desk.started.elapsed().as_secs(),
        state,
        models: host.models.offers().into_iter().map(|offer| offer.id).collect(),
        clients: desk.presence.names(),
        requests: RequestsWire {
            running: numbers.running,
            total: numbers.total,
            refused: numbers.by_refusal.values().sum(),
            failed: numbers.failed,
        },
        lanes,
        tokens: TokensWire { prompt: numbers.prompt, cached: numbers.cached, generated: numbers.generated },
        tokens_per_second: numbers.tokens_per_second,
        memory: MemoryWire { resident_bytes: resident_bytes() },
    })
}

/// What the local model computes and what waits for it: nothing where there is no model.
pub(crate) fn load(host: &Host) -> Load {
    let local = host.models.find(Asked { model: LOCAL, task: Task::Chat });
    local.and_then(|found| found.provider.load()).unwrap_or_default()
}

/// What this process has in memory, where the system tells it in a file.
pub(crate) fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
