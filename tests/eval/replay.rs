//! Real files typed key by key. The typist takes what is shown exactly when it is what the file has next, which costs
//! one key, and types on otherwise: the share of keys that this saves, and what it costs.

use std::fs::File as Output;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::json;

use crate::corpus::{self, File};
use crate::finch::Finch;
use crate::infill::{Infill, Limits};
use crate::language::Language;
use crate::options::{Replay, or_all};
use crate::peer;
use crate::script::{self, After, Script};
use crate::settings::{self, Deadline};
use crate::side::Side;
use crate::tables::percentile_ms;
use crate::typed_finch::TypedFinch;
use crate::typed_peer::TypedPeer;

const SECONDS_PER_MINUTE: u64 = 60;
const BYTES_MIN: usize = 6_000;
const KEYS: f64 = 1_000.0;

/// What typing some files came to.
#[derive(Default)]
struct Total {
    /// Keys without any suggestion.
    keys: usize,
    pressed: usize,
    requests: usize,
    looks: usize,
    shown: usize,
    accepted: usize,
    accepted_chars: usize,
    cpu: Duration,
    times: Vec<Duration>,
}

/// How the typing goes and where it is written down.
struct Session<'a> {
    gap: Duration,
    until: Instant,
    output: &'a mut Option<Output>,
    name: &'a str,
    path: &'a str,
}

pub(crate) fn print(options: &Replay) -> Result<()> {
    let common = &options.common;
    let files = corpus::files()?;
    let chosen = choose(&files, &or_all(&common.language, &Language::ALL), options.skip, options.files);
    println!(
        "{}: {} files, at most {} keys of each, {} ms between keys",
        common.model,
        chosen.len(),
        options.keys,
        options.gap_ms
    );
    let mut output = common.json.as_ref().map(Output::create).transpose()?;
    let mut totals = Vec::new();
    if !common.peer_alone {
        let finch = Finch {
            name: "finch".to_owned(),
            home: settings::borrowed_home(&common.model)?,
            binary: Finch::binary(common),
            client: common.client.clone(),
            settings: settings::settings(&common.without, common.budget, Deadline::Usual),
        };
        totals.push(type_all("finch", options, &files, &chosen, &mut output, |file, neighbours, head| {
            Ok(Box::new(TypedFinch::open(&finch, file, neighbours, head)?))
        })?);
    }
    if common.peer != Some(Limits::None) {
        let (model, quant) = peer::build(&common.model)?;
        let threads = common.peer_threads.unwrap_or(std::thread::available_parallelism()?.get());
        let server = Arc::new(Infill::start(&model, threads, Limits::Published)?);
        let name = format!("llama.cpp {quant}, as llama.vim asks it");
        totals.push(type_all(&name, options, &files, &chosen, &mut output, |_, neighbours, head| {
            Ok(Box::new(TypedPeer::open(Arc::clone(&server), neighbours, head)?))
        })?);
    }
    if let [ours, theirs] = totals.as_slice() {
        compare(ours, theirs);
    }
    Ok(())
}

/// Files long enough to type, languages in turn.
fn choose(files: &[File], languages: &[Language], skip: usize, count: usize) -> Vec<usize> {
    let rows: Vec<Vec<usize>> = languages
        .iter()
        .map(|&language| {
            let fits = |at: &usize| files[*at].language == language && files[*at].text.len() >= BYTES_MIN;
            (0..files.len()).filter(fits).collect()
        })
        .collect();
    let longest = rows.iter().map(Vec::len).max().unwrap_or(0);
    let turns = (0..longest).flat_map(|at| rows.iter().filter_map(move |row| row.get(at).copied()));
    turns.skip(skip).take(count).collect()
}

fn type_all(
    name: &str,
    options: &Replay,
    files: &[File],
    chosen: &[usize],
    output: &mut Option<Output>,
    open: impl Fn(&File, &[&File], &str) -> Result<Box<dyn Side>>,
) -> Result<Total> {
    println!("\n{name}");
    println!(
        "{:<44}{:>6}{:>8}{:>7}{:>7}{:>7}{:>7}{:>8}{:>8}{:>9}",
        "", "keys", "saved", "asked", "looks", "shown", "taken", "p50 ms", "p95 ms", "cpu s/1k"
    );
    let until = Instant::now() + Duration::from_secs(options.common.minutes * SECONDS_PER_MINUTE);
    let mut all = Total::default();
    for &at in chosen {
        let file = &files[at];
        let mut neighbours = corpus::neighbours(files, at, options.common.neighbours);
        neighbours.reverse();
        let script = script::script(&file.text, options.keys);
        let mut side = open(file, &neighbours, &script.head)?;
        let gap = Duration::from_millis(options.gap_ms);
        let mut session = Session { gap, until, output, name, path: &file.path };
        let before = side.cpu()?;
        let mut total = session.write(side.as_mut(), &script)?;
        total.requests = side.requests();
        total.cpu = side.cpu()? - before;
        total.print(&format!("{}/{}", file.package, file.path));
        all.add(total);
    }
    all.print("all");
    Ok(all)
}

impl Session<'_> {
    fn write(&mut self, side: &mut dyn Side, script: &Script) -> Result<Total> {
        let mut total = Total::default();
        for block in &script.blocks {
            let whole = block.text.strip_suffix('\n').unwrap_or(&block.text);
            let text = whole.trim_start_matches([' ', '\t']);
            let indent = &whole[..whole.len() - text.len()];
            let start = block.at + indent.len();
            total.keys += script::keys_of(text);
            // An indented line is opened for the block, so that nothing stands behind the cursor.
            side.edit(block.at..block.at, &format!("{indent}\n"), start)?;
            side.pause(self.gap)?;
            let (mut typed, mut since) = (0, 0);
            while typed < text.len() {
                if Instant::now() > self.until {
                    bail!("out of time");
                }
                let key = script::key(&text[typed..]);
                let cursor = start + typed;
                side.edit(cursor..cursor, key, cursor + key.len())?;
                typed += key.len();
                total.pressed += 1;
                since += 1;
                match script::after(&text[..typed], &text[typed..], since) {
                    After::NextKey => side.pause(self.gap)?,
                    After::Slip(chars) => self.slip(side, start + typed, &text[typed - chars..typed])?,
                    After::Look => {
                        since = 0;
                        typed = self.look(side, start, (text, typed), &mut total)?;
                    }
                }
            }
        }
        Ok(total)
    }

    /// Takes what is shown as long as it is what the file has next; returns how much is typed then.
    fn look(
        &mut self,
        side: &mut dyn Side,
        at: usize,
        (text, mut typed): (&str, usize),
        total: &mut Total,
    ) -> Result<usize> {
        while typed < text.len() {
            let look = side.look()?;
            let takes = look.replaced == 0 && !look.text.is_empty() && text[typed..].starts_with(&look.text);
            total.looks += 1;
            total.shown += usize::from(!look.text.is_empty());
            total.times.push(look.time);
            if let Some(output) = self.output {
                let ms = look.time.as_secs_f64() * 1e3;
                let line = text[..typed].rsplit('\n').next().unwrap_or("");
                let next: String = text[typed..].chars().take(look.text.chars().count().max(40)).collect();
                let row = json!({
                    "subject": self.name, "path": self.path, "line": line, "next": next, "shown": look.text,
                    "taken": takes, "ms": ms,
                });
                writeln!(output, "{row}")?;
            }
            if !takes {
                break;
            }
            side.accept()?;
            let cursor = at + typed;
            side.edit(cursor..cursor, &look.text, cursor + look.text.len())?;
            typed += look.text.len();
            total.pressed += 1;
            total.accepted += 1;
            total.accepted_chars += look.text.chars().count();
        }
        Ok(typed)
    }

    /// Takes the last characters back, one by one, and types them again. These keys are the same on both sides and are
    /// not counted.
    fn slip(&self, side: &mut dyn Side, cursor: usize, text: &str) -> Result<()> {
        for back in 1..=text.len() {
            side.edit(cursor - back..cursor - back + 1, "", cursor - back)?;
            side.pause(self.gap)?;
        }
        for (at, _) in text.char_indices() {
            let start = cursor - text.len() + at;
            side.edit(start..start, &text[at..=at], start + 1)?;
            side.pause(self.gap)?;
        }
        Ok(())
    }
}

impl Total {
    fn add(&mut self, other: Self) {
        self.keys += other.keys;
        self.pressed += other.pressed;
        self.requests += other.requests;
        self.looks += other.looks;
        self.shown += other.shown;
        self.accepted += other.accepted;
        self.accepted_chars += other.accepted_chars;
        self.cpu += other.cpu;
        self.times.extend(other.times);
    }

    fn saved(&self) -> f64 {
        1.0 - self.pressed as f64 / self.keys.max(1) as f64
    }

    fn cpu_per_1000_keys(&self) -> f64 {
        self.cpu.as_secs_f64() / self.keys.max(1) as f64 * KEYS
    }

    fn print(&self, name: &str) {
        let short: String = name.chars().rev().take(43).collect::<Vec<_>>().into_iter().rev().collect();
        println!(
            "{short:<44}{:>6}{:>7.1}%{:>7}{:>7}{:>7}{:>7}{:>8.0}{:>8.0}{:>9.1}",
            self.keys,
            self.saved() * 100.0,
            self.requests,
            self.looks,
            self.shown,
            self.accepted,
            percentile_ms(&self.times, 0.5),
            percentile_ms(&self.times, 0.95),
            self.cpu_per_1000_keys(),
        );
    }
}

fn compare(ours: &Total, theirs: &Total) {
    let ratio = |a: f64, b: f64| if b == 0.0 { f64::NAN } else { a / b };
    println!("\nfinch / llama.cpp:");
    println!("  keys saved {:.2}", ratio(ours.saved(), theirs.saved()));
    for (name, share) in [("p50", 0.5), ("p95", 0.95)] {
        println!("  {name} {:.2}", ratio(percentile_ms(&ours.times, share), percentile_ms(&theirs.times, share)));
    }
    println!("  processor time {:.2}", ratio(ours.cpu_per_1000_keys(), theirs.cpu_per_1000_keys()));
}
