//! The peer's builds and its own speed program, for the figures that stand beside ours.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use finch_model::{Manifest, Quant};
use serde_json::Value;

use crate::{home, llama};

/// The peer's build of the file that a model was made from, at the same width: its fastest.
pub(crate) fn build(id: &str) -> Result<(PathBuf, &'static str)> {
    let quant = match Manifest::read(&home::model(id)?)?.quant {
        Quant::Int4 => "Q4_0",
        Quant::Int8 => "Q8_0",
        Quant::Fp16 => "F16",
        Quant::Fp32 => "F32",
    };
    Ok((quantised(&home::source(id)?, quant)?, quant))
}

/// Makes a build of `source` with llama.cpp's own quantiser, once.
fn quantised(source: &Path, quant: &str) -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/test-tools/peer-models");
    std::fs::create_dir_all(&folder)?;
    let name = source.file_stem().context("no name")?.to_string_lossy();
    let target = folder.join(format!("{name}-{quant}.gguf"));
    if !target.is_file() {
        let part = target.with_extension("part");
        let status = llama::program("llama-quantize")?
            .args(["--allow-requantize".as_ref(), source.as_os_str(), part.as_os_str(), quant.as_ref(), "2".as_ref()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        ensure!(status.success(), "llama-quantize failed");
        std::fs::rename(&part, &target)?;
    }
    Ok(target)
}

/// Tokens a second by the peer's own measurement: `prompt` tokens in one go and `generated` one by one, each behind
/// `depth` others. One of the two is zero.
pub(crate) fn tokens_per_s(
    model: &Path,
    threads: usize,
    (prompt, generated): (usize, usize),
    depth: usize,
) -> Result<f64> {
    let [threads, prompt, generated, depth] = [threads, prompt, generated, depth].map(|number| number.to_string());
    let output = llama::program("llama-bench")?
        .args(["-t", &threads, "-p", &prompt, "-n", &generated, "-d", &depth, "-r", "3", "-o", "json", "-m"])
        .arg(model)
        .stderr(Stdio::null())
        .output()?;
    ensure!(output.status.success(), "llama-bench failed");
    let tests: Value = serde_json::from_slice(&output.stdout)?;
    tests[0]["avg_ts"].as_f64().context("llama-bench printed no speed")
}
