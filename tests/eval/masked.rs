//! Real files with a hole: what is suggested there, and what stood there.

use std::collections::BTreeMap;
use std::fs::File as Output;
use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use finch_complete::ContextSource;
use serde_json::json;

use crate::corpus::{self, File};
use crate::finch::Finch;
use crate::infill::{Infill, Limits};
use crate::language::Language;
use crate::options::{Common, Masked, or_all};
use crate::peer;
use crate::places::{self, Kind, Place};
use crate::scene::{Answer, Scene, Subject};
use crate::score::{self, Failure, Judged};
use crate::settings::{self, Deadline};
use crate::tables::{self, Cells};

const SECONDS_PER_MINUTE: u64 = 60;

/// What is known of one subject when it was asked about every place.
struct Outcome {
    name: String,
    cells: Cells,
    failures: BTreeMap<Failure, Vec<String>>,
    reasons: BTreeMap<String, usize>,
}

pub(crate) fn print(options: &Masked) -> Result<()> {
    let files = corpus::files()?;
    let languages = or_all(&options.common.language, &Language::ALL);
    let kinds = or_all(&options.kind, &Kind::ALL);
    let places = places::choose(&files, &languages, &kinds, options.skip, options.places);
    println!(
        "{}: {} places in {} files, the first {} passed over",
        options.common.model,
        places.len(),
        files.len(),
        options.skip
    );
    let mut output = options.common.json.as_ref().map(Output::create).transpose()?;
    let mut outcomes = Vec::new();
    // One engine at a time: two pools of threads on the same cores slow each other down.
    for mut subject in subjects(options)? {
        let outcome = ask_all(subject()?.as_mut(), &options.common, &files, &places, &mut output)?;
        outcome.print(options.examples);
        outcomes.push(outcome);
    }
    if let Some((ours, others)) = outcomes.split_first() {
        for other in others {
            tables::compare(&ours.cells, &other.cells, (&ours.name, &other.name));
        }
    }
    Ok(())
}

/// Started when its turn comes.
type Starter = Box<dyn FnMut() -> Result<Box<dyn Subject>>>;

fn subjects(options: &Masked) -> Result<Vec<Starter>> {
    let common = &options.common;
    let mut found: Vec<Starter> = Vec::new();
    for (name, without) in variants(options) {
        let (model, client) = (common.model.clone(), common.client.clone());
        let settings = settings::settings(&without, common.budget, Deadline::Far);
        let binary = Finch::binary(common);
        found.push(Box::new(move || {
            let home = settings::borrowed_home(&model)?;
            let (name, binary, client, settings) = (name.clone(), binary.clone(), client.clone(), settings.clone());
            Ok(Box::new(Finch { name, home, binary, client, settings }))
        }));
    }
    let limits = common.peer.unwrap_or(Limits::Budget);
    if limits != Limits::None {
        let (model, quant) = peer::build(&common.model)?;
        let threads = common.peer_threads.unwrap_or(std::thread::available_parallelism()?.get());
        let tokens_max = finch_complete::Options::default().tokens_max;
        let prompt_tokens_max = common.budget.unwrap_or(finch_complete::Options::default().prompt_tokens_max);
        let name =
            format!("llama.cpp {quant} ({})", if limits == Limits::Published { "as published" } else { "same budget" });
        found.push(Box::new(move || {
            let server = Infill::start(&model, threads, limits)?;
            Ok(Box::new(Infill { server, limits, prompt_tokens_max, tokens_max, name: name.clone() }))
        }));
    }
    Ok(found)
}

/// finch as asked for, and with sources of context switched off.
fn variants(options: &Masked) -> Vec<(String, Vec<ContextSource>)> {
    if options.common.peer_alone {
        return Vec::new();
    }
    let name = |without: &[ContextSource]| {
        without.iter().fold("finch".to_owned(), |name, source| format!("{name} -{}", source.name()))
    };
    let mut found = vec![(name(&options.common.without), options.common.without.clone())];
    if options.each_source {
        found.extend(ContextSource::ALL.map(|source| (name(&[source]), vec![source])));
        found.push(("finch without other context".to_owned(), ContextSource::ALL.to_vec()));
    }
    found
}

fn ask_all(
    subject: &mut dyn Subject,
    common: &Common,
    files: &[File],
    places: &[Place],
    output: &mut Option<Output>,
) -> Result<Outcome> {
    let until = Instant::now() + Duration::from_secs(common.minutes * SECONDS_PER_MINUTE);
    let mut outcome =
        Outcome { name: subject.name(), cells: Cells::new(), failures: BTreeMap::new(), reasons: BTreeMap::new() };
    for place in places {
        if Instant::now() > until {
            bail!("out of time at place {}: go on with --skip {0}", place.number);
        }
        let mut neighbours = corpus::neighbours(files, place.file, common.neighbours);
        neighbours.reverse();
        let scene = Scene { place, file: &files[place.file], neighbours };
        let answer = subject.ask(&scene)?;
        let judged = score::judge(place, &answer)?;
        if let Some(output) = output {
            writeln!(output, "{}", line(&outcome.name, &scene, &answer, &judged))?;
        }
        outcome.add(&scene, &answer, &judged);
    }
    Ok(outcome)
}

fn line(name: &str, scene: &Scene, answer: &Answer, judged: &Judged) -> serde_json::Value {
    let place = scene.place;
    json!({
        "subject": name, "place": place.number, "package": scene.file.package, "path": scene.file.path,
        "offset": place.prefix.len(), "language": place.language.id(), "kind": place.kind.name(),
        "wanted": place.wanted, "said": answer.text, "replaced": answer.replaced, "reason": answer.reason,
        "exact": judged.exact, "whole": judged.whole, "likeness": judged.likeness, "first_word": judged.first_word,
        "kept": judged.kept, "parses": judged.parses, "duplicates": judged.duplicates, "breaks": judged.breaks,
        "failure": judged.failure.map(Failure::name), "ms": answer.time.as_secs_f64() * 1e3,
        "prompt_tokens": answer.prompt_tokens, "generated_tokens": answer.generated_tokens,
    })
}

impl Outcome {
    fn add(&mut self, scene: &Scene, answer: &Answer, judged: &Judged) {
        let place = scene.place;
        for language in [None, Some(place.language)] {
            for kind in [None, Some(place.kind)] {
                self.cells.entry((language, kind)).or_default().add(judged, answer);
            }
        }
        if answer.text.is_empty() {
            let reason = answer.reason.clone().unwrap_or_else(|| "none".to_owned());
            *self.reasons.entry(reason).or_default() += 1;
        }
        if let Some(failure) = judged.failure {
            let before = place.prefix.rsplit('\n').next().unwrap_or("");
            let after = place.suffix.split('\n').find(|line| !line.trim().is_empty()).unwrap_or("");
            let reason = answer.reason.as_deref().unwrap_or("");
            self.failures.entry(failure).or_default().push(format!(
                "    [{}] {}/{} {}\n      {before}|{:?}\n      said   {:?} {reason}\n      behind {after:?}",
                place.number,
                scene.file.package,
                scene.file.path,
                place.kind.name(),
                place.wanted,
                answer.text
            ));
        }
    }

    fn print(&self, examples: usize) {
        tables::print(&self.name, &self.cells);
        let count = |failure| self.failures.get(&failure).map_or(0, Vec::len);
        println!(
            "to be 0: repeats what stands behind {}, breaks a file that parses {}, silent without a reason {}",
            count(Failure::Duplicates),
            count(Failure::Breaks),
            count(Failure::Unexplained)
        );
        let reasons: Vec<String> = self.reasons.iter().map(|(reason, times)| format!("{reason} {times}")).collect();
        println!("silence: {}", if reasons.is_empty() { "never".to_owned() } else { reasons.join(", ") });
        for failure in Failure::ALL {
            if count(failure) > 0 {
                println!("  {:>4} {}", count(failure), failure.name());
                for example in self.failures[&failure].iter().take(examples) {
                    println!("{example}");
                }
            }
        }
    }
}
