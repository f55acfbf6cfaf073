//! How good the suggestions of a model are: real code with a hole in a line, and what the model puts there.
//!
//! Every place is asked twice, with the text before the cursor alone and with fill-in-the-middle, so that the
//! catalogue can record which of the two a model is better at.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use finch_engine::{Engine, EngineOptions};
use finch_llm::{Chunk, ClientId, InfillRequest, Lane, Provider as _, Sampling};
use finch_model::InfillStyle;

use crate::corpus::{self, Language};
use crate::home;

/// Bytes of context on each side: about 350 and 100 tokens, as the product sends.
const PREFIX_BYTES: usize = 1_400;
const SUFFIX_BYTES: usize = 400;
const PROMPT_TOKENS_MAX: usize = 512;
const ANSWER_TOKENS_MAX: usize = 32;

/// What is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hole {
    WholeLine,
    RestOfLine,
}

struct Place {
    language: Language,
    hole: Hole,
    prefix: String,
    wanted: String,
    suffix: String,
}

#[derive(Default)]
struct Score {
    places: usize,
    exact: usize,
    likeness: f64,
    first_word: usize,
    time: Duration,
}

pub(crate) fn print(id: &str, count: usize, skip: usize) -> Result<()> {
    let places = places(count, skip)?;
    println!("evaluation of {id}: {} places, greedy, first line", places.len());
    println!("{:<24} {:>3}  {:>14}  {:>10}  {:>10}  {:>7}", "", "n", "exact", "likeness", "first word", "ms");
    for style in [InfillStyle::Prefix, InfillStyle::Fim] {
        let options = EngineOptions { infill: Some(style), ..EngineOptions::default() };
        let engine = home::engine(id, options)?;
        if style == InfillStyle::Fim && !engine.capabilities().fill_in_the_middle {
            println!("{style:?}: this model has no fill-in-the-middle tokens");
            continue;
        }
        let mut total = Score::default();
        for (language, hole) in kinds() {
            let mut score = Score::default();
            for place in places.iter().filter(|place| (place.language, place.hole) == (language, hole)) {
                judge(&engine, place, &mut score)?;
            }
            row(&format!("{style:?} {language:?} {hole:?}"), &score);
            total.add(&score);
        }
        row(&format!("{style:?} all"), &total);
    }
    Ok(())
}

fn kinds() -> [(Language, Hole); 4] {
    use {Hole::*, Language::*};
    [(Python, WholeLine), (Python, RestOfLine), (Rust, WholeLine), (Rust, RestOfLine)]
}

fn row(name: &str, score: &Score) {
    let n = score.places.max(1);
    println!(
        "{name:<24} {:>3}  {:>4} {:>8.3}  {:>10.3}  {:>10.3}  {:>7.0}",
        score.places,
        score.exact,
        score.exact as f64 / n as f64,
        score.likeness / n as f64,
        score.first_word as f64 / n as f64,
        score.time.as_secs_f64() * 1e3 / n as f64,
    );
}

impl Score {
    fn add(&mut self, other: &Self) {
        self.places += other.places;
        self.exact += other.exact;
        self.likeness += other.likeness;
        self.first_word += other.first_word;
        self.time += other.time;
    }
}

fn judge(engine: &Engine, place: &Place, score: &mut Score) -> Result<()> {
    let started = Instant::now();
    let text = first_line(engine, place)?;
    score.time += started.elapsed();
    let (said, wanted) = (text.trim_end(), place.wanted.trim_end());
    score.places += 1;
    score.exact += usize::from(said == wanted);
    score.likeness += strsim::normalized_levenshtein(said, wanted);
    score.first_word += usize::from(said.split_whitespace().next() == wanted.split_whitespace().next());
    Ok(())
}

fn first_line(engine: &Engine, place: &Place) -> Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let mut stream = engine.infill(InfillRequest {
            client: ClientId::new("evaluation"),
            origin: finch_llm::Origin::default(),
            lane: Lane::Interactive,
            prefix: place.prefix.clone(),
            suffix: place.suffix.clone(),
            context: finch_llm::InfillContext::default(),
            prompt_tokens_max: PROMPT_TOKENS_MAX,
            references: Vec::new(),
            sampling: Sampling { tokens_max: ANSWER_TOKENS_MAX, stop: vec!["\n".to_owned()], ..Sampling::default() },
        });
        let mut text = String::new();
        loop {
            match stream.next().await.context("the engine ended without an answer")?? {
                Chunk::Text(more) => text.push_str(&more),
                Chunk::Reasoning(_) | Chunk::ToolCall(_) | Chunk::Unsure(_) | Chunk::Scored(_) => {}
                Chunk::Done(_) => return Ok(text),
            }
        }
    })
}

/// The same number of places for each language and kind of hole, one a file; `skip` files of each kind are passed over,
/// so that a second run can ask about others.
fn places(count: usize, skip: usize) -> Result<Vec<Place>> {
    let mut found = Vec::new();
    for (language, hole) in kinds() {
        let mut all = Vec::new();
        for (number, path) in corpus::files(language)?.iter().enumerate() {
            if all.len() == skip + count.div_ceil(4) {
                break;
            }
            let Ok(text) = std::fs::read_to_string(path) else { continue };
            if (number % 2 == 0) == (hole == Hole::WholeLine) {
                all.extend(place_in(&text, language, hole, corpus::scramble(&text)));
            }
        }
        ensure!(all.len() == skip + count.div_ceil(4), "the corpus has too little {language:?}");
        found.extend(all.into_iter().skip(skip));
    }
    Ok(found)
}

fn place_in(text: &str, language: Language, hole: Hole, seed: u64) -> Option<Place> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    if lines.len() < 60 {
        return None;
    }
    let common: HashSet<&str> = HashSet::from(["}", "{", ")", "]", "};", "});", "else:", "try:", "pass"]);
    let candidates: Vec<usize> = (25..lines.len() - 10)
        .filter(|&line| {
            let code = lines[line].trim();
            let comment =
                ["#", "//", "\"", "'", "*", "use ", "import ", "from "].iter().any(|head| code.starts_with(head));
            (15..90).contains(&code.len()) && code.is_ascii() && !comment && !common.contains(code)
        })
        .collect();
    let line = *candidates.get(usize::try_from(seed % candidates.len().max(1) as u64).ok()?)?;
    let start: usize = lines[..line].iter().map(|line| line.len()).sum();
    let content = lines[line].trim_end();
    let cut = start + cut_in(content, hole)?;
    let end = start + content.len();
    Some(Place {
        language,
        hole,
        prefix: text[text.ceil_char_boundary(cut.saturating_sub(PREFIX_BYTES))..cut].to_owned(),
        wanted: text[cut..end].to_owned(),
        suffix: text[end..text.floor_char_boundary((end + SUFFIX_BYTES).min(text.len()))].to_owned(),
    })
}

/// After the indentation, or at the end of a word some way into the line.
fn cut_in(content: &str, hole: Hole) -> Option<usize> {
    let indent = content.len() - content.trim_start().len();
    match hole {
        Hole::WholeLine => Some(indent),
        Hole::RestOfLine => {
            let from = indent + (content.len() - indent) * 2 / 5;
            let bytes = content.as_bytes();
            let word = |at: usize| bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_';
            (from..content.len().checked_sub(4)?).find(|&at| at > 0 && word(at - 1) && !word(at))
        }
    }
}
