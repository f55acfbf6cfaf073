//! `finch model list`: what is installed and what can be fetched, whether it fits, and how fast it may be here.
//!
//! Memory and speed are told from sizes and a short measurement of this machine; no model is loaded.

use std::path::Path;

use anyhow::Result;
use finch_engine::estimate::Sizes;
use finch_model::catalogue::{Catalogue, Entry};
use finch_model::manifest::{Manifest, ModelId};
use serde::Serialize;

use super::super::{print, table};
use crate::Exit;
use crate::choice::{Cost, Here};
use crate::local;
use crate::surroundings::Surroundings;

/// One line of `finch model list`. The fields are a promise to scripts.
#[derive(Debug, Default, Serialize)]
struct Row {
    id: String,
    installed: bool,
    /// `finch setup` would take it here.
    suited: bool,
    quant: String,
    /// Bytes on disk when installed, bytes to fetch when not.
    bytes: u64,
    licence: String,
    /// Mean divergence of the build from its source weights, where it is known.
    kl: Option<f64>,
    /// Why an installed model cannot be used.
    problem: Option<String>,
    /// Memory with one full context; null where the model's sizes are not known.
    memory_bytes: Option<u64>,
    /// Whether so much is available now, where the system tells.
    fits: Option<bool>,
    /// Tokens of a prompt in a second; null before ONNX Runtime is installed.
    expected_prefill_tokens_per_s: Option<f64>,
    /// Tokens of an answer in a second.
    expected_decode_tokens_per_s: Option<f64>,
}

impl Row {
    fn with_cost(self, cost: Option<Cost>) -> Self {
        let Some(Cost { memory_bytes, fits, expected }) = cost else { return self };
        Self {
            memory_bytes: Some(memory_bytes),
            fits,
            expected_prefill_tokens_per_s: expected.prefill_tokens_per_s,
            expected_decode_tokens_per_s: Some(expected.decode_tokens_per_s),
            ..self
        }
    }
}

pub(super) fn run(surroundings: &Surroundings, json: bool) -> Result<Exit> {
    let here = Here::measure(surroundings);
    let installed = local::installed(&surroundings.home);
    let mut rows: Vec<Row> =
        installed.iter().map(|id| installed_row(id, &surroundings.home.model(id), &here)).collect();
    let catalogue = Catalogue::builtin();
    let absent = catalogue.models().iter().filter(|entry| !installed.contains(&entry.id));
    rows.extend(absent.map(|entry| catalogue_row(entry, &here)));
    let suited = here.suited(&catalogue).map(|entry| entry.id.as_str());
    for row in &mut rows {
        row.suited = Some(&*row.id) == suited;
    }
    if json {
        print(&format!("{:#}\n", serde_json::to_value(&rows)?))?;
    } else {
        print(&said(&rows, &here))?;
    }
    Ok(Exit::Done)
}

fn installed_row(id: &ModelId, folder: &Path, here: &Here) -> Row {
    let row = Row { id: id.to_string(), installed: true, ..Row::default() };
    let read = || -> Result<(Manifest, Sizes)> {
        let manifest = Manifest::read(folder)?;
        let sizes = Sizes::read(folder, &manifest)?;
        Ok((manifest, sizes))
    };
    match read() {
        Ok((manifest, sizes)) => Row {
            quant: manifest.quant.to_string(),
            bytes: manifest.bytes(),
            licence: manifest.licence,
            kl: manifest.build.kl,
            ..row
        }
        .with_cost(Some(here.cost(&sizes))),
        Err(error) => Row { problem: Some(format!("{error:#}")), ..row },
    }
}

fn catalogue_row(entry: &Entry, here: &Here) -> Row {
    Row {
        id: entry.id.to_string(),
        quant: entry.quant.to_string(),
        bytes: entry.file.bytes,
        licence: entry.licence.clone(),
        kl: entry.kl.get(&entry.quant).copied(),
        ..Row::default()
    }
    .with_cost(here.cost_of(entry))
}

/// The list for people.
fn said(rows: &[Row], here: &Here) -> String {
    let heads = ["model", "bits", "size", "memory", "reads", "writes", "licence", ""].map(str::to_owned);
    let lines: Vec<[String; 8]> = std::iter::once(heads).chain(rows.iter().map(columns)).collect();
    let available = match here.available_bytes {
        Some(bytes) => format!("{} MB of memory are available and ", bytes / 1_000_000),
        None => String::new(),
    };
    let bandwidth = here.rates.bandwidth_bytes_per_s / 1e9;
    format!(
        "{}\n{available}memory is read with {bandwidth:.1} GB/s; speeds are expected ones, in tokens a second, \
         and `finch model probe` measures them\n",
        table::aligned(&lines, &[])
    )
}

fn columns(row: &Row) -> [String; 8] {
    let megabytes = |bytes: u64| format!("{} MB", bytes.div_ceil(1_000_000));
    let speed = |speed: Option<f64>| speed.map_or("?".to_owned(), |speed| format!("{speed:.0}"));
    let state = match (&row.problem, row.installed, row.fits) {
        (Some(problem), ..) => format!("cannot be used: {problem}"),
        (None, true, Some(false)) => "installed, and does not fit now".to_owned(),
        (None, true, _) => "installed".to_owned(),
        (None, false, Some(false)) => "can be pulled, and would not fit now".to_owned(),
        (None, false, _) => "can be pulled".to_owned(),
    };
    let suited = if row.suited { ", suits this machine" } else { "" };
    [
        row.id.clone(),
        row.quant.clone(),
        if row.bytes > 0 { megabytes(row.bytes) } else { String::new() },
        row.memory_bytes.map_or("?".to_owned(), megabytes),
        speed(row.expected_prefill_tokens_per_s),
        speed(row.expected_decode_tokens_per_s),
        row.licence.clone(),
        state + suited,
    ]
}

#[cfg(test)]
mod tests {
    use finch_engine::machine::Rates;

    use super::{Here, Row, said};

    #[test]
    fn a_list_says_what_fits_and_how_fast_it_may_be() {
        let here = Here {
            available_bytes: Some(900_000_000),
            rates: Rates { bandwidth_bytes_per_s: 12.34e9, products_per_s: None },
            context_tokens: 4096,
        };
        let large = Row {
            id: "large".to_owned(),
            quant: "int8".to_owned(),
            bytes: 720_000_000,
            licence: "Apache-2.0".to_owned(),
            memory_bytes: Some(1_085_941_760),
            fits: Some(false),
            expected_decode_tokens_per_s: Some(18.4),
            ..Row::default()
        };
        let small = Row {
            id: "a-smaller-one".to_owned(),
            installed: true,
            suited: true,
            quant: "int4".to_owned(),
            bytes: 99_000_001,
            licence: "MIT".to_owned(),
            memory_bytes: Some(600_000_000),
            fits: Some(true),
            expected_prefill_tokens_per_s: Some(1034.0),
            expected_decode_tokens_per_s: Some(101.0),
            ..Row::default()
        };
        let broken = Row {
            id: "broken".to_owned(),
            installed: true,
            problem: Some("it has no graph".to_owned()),
            ..Row::default()
        };
        let expected = "\
model          bits  size    memory   reads  writes  licence
large          int8  720 MB  1086 MB  ?      18      Apache-2.0  can be pulled, and would not fit now
a-smaller-one  int4  100 MB  600 MB   1034   101     MIT         installed, suits this machine
broken                       ?        ?      ?                   cannot be used: it has no graph

900 MB of memory are available and memory is read with 12.3 GB/s; speeds are expected ones, in tokens a second, and \
`finch model probe` measures them
";
        assert_eq!(said(&[large, small, broken], &here), expected);
    }
}
