//! Resident memory of a language server whose model has answered, read from the kernel.

use anyhow::Result;

use crate::editor;

pub(crate) fn print(id: &str) -> Result<()> {
    let mut server = editor::Server::start(Some(id))?;
    server.initialize()?;
    server.wait_until_ready()?;
    let loaded = server.resident_mib()?;
    for line in 0..3 {
        server.complete_in("memory.py", &editor::python(200), line * 40)?;
    }
    println!(
        "memory, {id}: {loaded} MiB after loading, {} MiB after three prompts in three places",
        server.resident_mib()?
    );
    Ok(())
}
