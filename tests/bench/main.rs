//! Figures, printed: `cargo bench --bench bench -- NAME [OPTION…]`. None is asserted but for what must never happen, such as
//! feedback that is lost, in `daemon`, `flood` and `soak`.
//!
//! A figure that names a peer measures the peer in the same run, on the same weights and with the same threads, and
//! prints the ratio. docs/benchmarks.md says what each one means and what it printed on which machine.

#![expect(clippy::print_stdout, reason = "printing is what a benchmark is for")]

mod agent;
mod ahead;
mod builds;
#[path = "../support/client.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "it belongs to the tests, which need more of it")]
mod client;
mod clients;
#[path = "../support/closed_port.rs"]
mod closed_port;
#[path = "../support/cloud_faults.rs"]
mod cloud_faults;
mod clouds;
mod corpus;
mod daemon;
mod echo;
mod editor;
mod evaluation;
mod faults;
#[path = "../support/faulty.rs"]
mod faulty;
mod feedback;
mod grep;
mod home;
mod keys;
#[path = "../support/llama.rs"]
mod llama;
#[path = "../support/llmock.rs"]
#[expect(
    dead_code,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "it belongs to the tests, which need more of it"
)]
mod llmock;
mod memory;
mod peer;
#[path = "../support/scripted.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "it belongs to the tests, which need more of it")]
mod scripted;
mod soak;
mod speed;
#[path = "../support/text_editor.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "it belongs to the tests, which need more of it")]
mod text_editor;
mod warm;

use anyhow::{Result, bail};

const USAGE: &str = "one of: builds MODEL | speed MODEL | ahead MODEL [PLACES] | clients MODEL | clouds | daemon [MODEL [KILLS]] | kills MODEL KILLS | flood [MODEL] | soak [MINUTES] | warm [MODEL] | keys | editor [MODEL] | grep | agent | memory [MODEL…] | evaluation MODEL [PLACES [SKIP]] | faults";

fn main() -> Result<()> {
    // Clients of HTTP want it, though nothing is encrypted here.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        bail!("a TLS provider was already installed");
    }
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let mut arguments = arguments.iter().map(String::as_str);
    let Some(name) = arguments.next() else {
        println!("{USAGE}");
        return Ok(());
    };
    let rest: Vec<&str> = arguments.collect();
    println!("machine: {}", machine());
    match (name, rest.as_slice()) {
        ("builds", [model]) => builds::print(model),
        ("speed", [model]) => speed::print(model),
        ("ahead", [model]) => ahead::print(model, 40),
        ("ahead", [model, places]) => ahead::print(model, places.parse()?),
        ("clients", [model]) => clients::print(model),
        ("clouds", []) => clouds::print(),
        ("daemon", []) => daemon::print("qwen2.5-coder-0.5b", 10),
        ("daemon", [model]) => daemon::print(model, 10),
        ("daemon", [model, kills]) => daemon::print(model, kills.parse()?),
        ("kills", [model, kills]) => daemon::kills::print(model, kills.parse()?),
        ("flood", []) => daemon::flood::print("smollm2-135m"),
        ("flood", [model]) => daemon::flood::print(model),
        ("soak", []) => soak::print(2.0),
        ("soak", [minutes]) => soak::print(minutes.parse()?),
        ("warm", []) => warm::print("qwen2.5-coder-0.5b"),
        ("warm", [model]) => warm::print(model),
        ("keys", []) => keys::print(),
        ("editor", []) => editor::print("qwen2.5-coder-0.5b"),
        ("editor", [model]) => editor::print(model),
        ("memory", models) => models.iter().try_for_each(|model| memory::print(model)),
        ("faults", []) => faults::print(),
        ("grep", []) => grep::print(),
        ("agent", []) => agent::print(),
        ("evaluation", [model]) => evaluation::print(model, 200, 0),
        ("evaluation", [model, places]) => evaluation::print(model, places.parse()?, 0),
        ("evaluation", [model, places, skip]) => evaluation::print(model, places.parse()?, skip.parse()?),
        _ => bail!("{USAGE}"),
    }
}

/// The processor and its count, as the figures depend on both.
fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{}, {cores} threads", name.trim_matches([' ', '\t', ':']))
}
