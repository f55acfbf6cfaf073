//! `finch model probe`: a model loaded, timed and tried out, for people and for scripts.

use anyhow::Result;
use finch_engine::estimate::Speed;
use finch_engine::probe::{self, Abilities, ProbeReport};
use serde::Serialize;

use super::super::print;
use super::installed;
use crate::Exit;
use crate::local;
use crate::progress::Step;
use crate::surroundings::Surroundings;
use crate::trial;

pub(super) fn run(surroundings: &Surroundings, id: Option<&str>, json: bool) -> Result<Exit> {
    let folder = match id {
        Some(id) => installed(surroundings, id)?,
        None => local::wanted_model(surroundings)?,
    };
    let (runtime, options) = (local::runtime(surroundings)?, local::options(surroundings));
    let step = Step::start("measuring");
    trial::admit(surroundings, &folder)?;
    let report = probe::probe(&runtime, &folder, options)?;
    step.done();
    let step = Step::start("trying out");
    let abilities = probe::examine(&runtime, &folder, options)?;
    step.done();
    if json {
        print(&format!("{:#}\n", serde_json::to_value(Probe::of(&report, &abilities))?))?;
    } else {
        print(&said(&report, &abilities))?;
    }
    Ok(Exit::Done)
}

fn said(report: &ProbeReport, abilities: &Abilities) -> String {
    let speed = |speed: &Speed| {
        let prefill = speed.prefill_tokens_per_s.map_or("?".to_owned(), |speed| format!("{speed:.0}"));
        format!("reads {prefill} tokens/s, writes {:.0} tokens/s", speed.decode_tokens_per_s)
    };
    let products = report.rates.products_per_s.map_or("?".to_owned(), |rate| format!("{:.0}", rate / 1e9));
    let memory = report.memory_bytes.map_or(String::new(), |bytes| format!(", takes {} MB", bytes.div_ceil(1_000_000)));
    let (far_tokens, far) = report.far;
    let complaints: String = report.placement.complaints().map(|complaint| format!("  {complaint}\n")).collect();
    format!(
        "{} ({}, {}, {} threads, on {})\n{complaints}  loads in {:.1} s{memory}\n  measured: {}, {far:.0} tokens/s behind {far_tokens} tokens\n  \
         expected: {}\n  at most:  {}, as memory is read with {:.1} GB/s and {products} billion numbers a second are multiplied\n  \
         context {} tokens of {}, asked for infills by {}\n  fill-in-the-middle {}, chat {}, tools {}\n",
        report.model,
        report.architecture,
        report.quant,
        report.threads,
        report.placement,
        report.load.as_secs_f64(),
        speed(&report.measured),
        speed(&report.expected),
        speed(&report.limit),
        report.rates.bandwidth_bytes_per_s / 1e9,
        report.context_tokens,
        report.context_tokens_max,
        report.infill,
        abilities.fill_in_the_middle,
        abilities.chat,
        abilities.tools,
    )
}

/// `finch model probe --json`. The fields are a promise to scripts.
#[derive(Debug, Serialize)]
struct Probe {
    model: String,
    architecture: String,
    quant: String,
    /// How the model is asked for what stands between two texts: fim or prefix.
    infill: String,
    /// Each `no` without anything in the model's files, `claimed` if it did not do it when asked, `yes` if it did.
    fill_in_the_middle: String,
    chat: String,
    tools: String,
    /// Tokens the model holds.
    context_tokens_max: usize,
    /// Tokens it is run with.
    context_tokens: usize,
    load_ms: u128,
    threads: usize,
    /// Where it computes, in order.
    devices: Vec<String>,
    /// A sentence for each device that was wanted and is not used.
    devices_unused: Vec<String>,
    /// Behind a prompt of 256 tokens.
    prefill_tokens_per_s: f64,
    decode_tokens_per_s: f64,
    /// At the end of a context of so many tokens.
    far_context_tokens: usize,
    far_decode_tokens_per_s: f64,
    expected_prefill_tokens_per_s: Option<f64>,
    expected_decode_tokens_per_s: f64,
    /// If nothing but multiplying and reading weights took time.
    limit_prefill_tokens_per_s: Option<f64>,
    limit_decode_tokens_per_s: f64,
    bandwidth_bytes_per_s: f64,
    products_per_s: Option<f64>,
    memory_bytes: Option<u64>,
}

impl Probe {
    fn of(report: &ProbeReport, abilities: &Abilities) -> Self {
        Self {
            model: report.model.clone(),
            architecture: report.architecture.clone(),
            quant: report.quant.to_string(),
            infill: report.infill.to_string(),
            fill_in_the_middle: abilities.fill_in_the_middle.to_string(),
            chat: abilities.chat.to_string(),
            tools: abilities.tools.to_string(),
            context_tokens_max: report.context_tokens_max,
            context_tokens: report.context_tokens,
            load_ms: report.load.as_millis(),
            threads: report.threads,
            devices: report.placement.used().iter().map(ToString::to_string).collect(),
            devices_unused: report.placement.complaints().collect(),
            prefill_tokens_per_s: report.measured.prefill_tokens_per_s.unwrap_or_default(),
            decode_tokens_per_s: report.measured.decode_tokens_per_s,
            far_context_tokens: report.far.0,
            far_decode_tokens_per_s: report.far.1,
            expected_prefill_tokens_per_s: report.expected.prefill_tokens_per_s,
            expected_decode_tokens_per_s: report.expected.decode_tokens_per_s,
            limit_prefill_tokens_per_s: report.limit.prefill_tokens_per_s,
            limit_decode_tokens_per_s: report.limit.decode_tokens_per_s,
            bandwidth_bytes_per_s: report.rates.bandwidth_bytes_per_s,
            products_per_s: report.rates.products_per_s,
            memory_bytes: report.memory_bytes,
        }
    }
}
