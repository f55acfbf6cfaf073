//! Resident memory of a language server whose model has answered, read from the kernel; llama.cpp's server beside it.

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::{corpus, editor, llama, peer};

pub(crate) fn print(id: &str) -> Result<()> {
    let mut server = editor::Server::start(Some(id))?;
    server.initialize()?;
    server.wait_until_ready()?;
    let loaded = server.resident_mib()?;
    for line in 0..3 {
        server.complete_in("memory.py", &editor::python(200), line * 40)?;
    }
    let ours = server.resident_mib()?;
    drop(server);
    let (theirs, build) = theirs(id)?;
    println!("memory, {id}: {loaded} MiB after loading, {ours} MiB after three prompts in three places");
    println!("  llama.cpp {build} {theirs} MiB after three prompts, ratio {:.2}", ours as f64 / theirs as f64);
    Ok(())
}

fn theirs(id: &str) -> Result<(u64, &'static str)> {
    let (model, build) = peer::build(id)?;
    let server = llama::Server::start(&model, std::thread::available_parallelism()?.get())?;
    for number in 0..3 {
        let body = json!({ "prompt": corpus::snippet(number, 1_500)?, "n_predict": 12, "temperature": 0 });
        server.post("/completion", &body)?;
    }
    Ok((editor::resident_mib(child("llama-server")?)?, build))
}

/// The child of this process that runs a program.
fn child(program: &str) -> Result<u32> {
    let own = std::process::id().to_string();
    let mut processes = std::fs::read_dir("/proc")?.flatten().filter_map(|entry| {
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let (head, fields) = stat.rsplit_once(')')?;
        let found = head.ends_with(program) && fields.split_whitespace().nth(1) == Some(own.as_str());
        found.then(|| entry.file_name().to_str()?.parse().ok()).flatten()
    });
    processes.next().with_context(|| format!("{program} does not run"))
}
