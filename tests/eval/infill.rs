//! llama.cpp's fill-in-the-middle endpoint, asked as llama.vim asks it: 256 lines before the cursor and 64 behind it, a
//! ring of chunks from the files visited before, and llama.vim's rules for what is not shown.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use serde_json::{Value, json};

use crate::corpus::File;
use crate::llama::Server;
use crate::scene::{Answer, Scene, Subject};

const PREFIX_LINES: usize = 256;
const SUFFIX_LINES: usize = 64;
const CHUNKS_MAX: usize = 16;
const CHUNK_LINES: usize = 64;
/// Of the lines around a visited place, so many are picked.
const PICKED_LINES: usize = CHUNK_LINES / 2;
/// A chunk that is more like the text at the cursor than this only tempts the model to repeat it.
const SIMILARITY_MAX: f64 = 0.5;
const PREDICT_TOKENS_MAX: usize = 128;
const PREFIX_PERCENT: usize = 35;
const SUFFIX_PERCENT: usize = 15;

/// What the peer may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Limits {
    /// finch's budget for prompt and answer, and no limits of time.
    Budget,
    /// What llama.vim publishes.
    Published,
    /// The peer is not asked.
    None,
}

pub(crate) struct Infill {
    pub(crate) server: Server,
    pub(crate) limits: Limits,
    pub(crate) prompt_tokens_max: usize,
    pub(crate) tokens_max: usize,
    pub(crate) name: String,
}

impl Infill {
    pub(crate) fn start(model: &Path, threads: usize, limits: Limits) -> Result<Server> {
        match limits {
            Limits::Budget | Limits::None => {
                Server::start_with(model, threads, &["--batch-size", "2048", "--ctx-size", "8192"])
            }
            Limits::Published => Server::start_with(
                model,
                threads,
                &["--batch-size", "1024", "--ubatch-size", "1024", "--ctx-size", "32768", "--cache-reuse", "256"],
            ),
        }
    }

    /// The budget is shared out as finch shares it.
    fn trim(&self, local: &mut Local, extra: &mut Vec<Value>) -> Result<()> {
        if self.limits == Limits::Published {
            return Ok(());
        }
        let share = |percent: usize| self.prompt_tokens_max * percent / 100;
        local.prefix = self.end_of(&local.prefix, share(PREFIX_PERCENT))?;
        local.suffix = self.start_of(&local.suffix, share(SUFFIX_PERCENT))?;
        let mut left = share(100 - PREFIX_PERCENT - SUFFIX_PERCENT);
        let mut kept = Vec::new();
        // The nearest chunk stands last.
        while let Some(mut chunk) = extra.pop() {
            let text = self.start_of(chunk["text"].as_str().unwrap_or(""), left)?;
            if text.is_empty() {
                break;
            }
            left -= self.server.tokenize(&text)?.len().min(left);
            chunk["text"] = text.into();
            kept.insert(0, chunk);
        }
        *extra = kept;
        Ok(())
    }

    /// The last lines that have no more than so many tokens.
    fn end_of(&self, text: &str, tokens_max: usize) -> Result<String> {
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let count = self.lines_within(lines.len(), tokens_max, |count| lines[lines.len() - count..].concat())?;
        Ok(lines[lines.len() - count..].concat())
    }

    /// The first lines that have no more than so many tokens.
    fn start_of(&self, text: &str, tokens_max: usize) -> Result<String> {
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let count = self.lines_within(lines.len(), tokens_max, |count| lines[..count].concat())?;
        Ok(lines[..count].concat())
    }

    fn lines_within(&self, lines: usize, tokens_max: usize, text: impl Fn(usize) -> String) -> Result<usize> {
        let (mut fits, mut too_many) = (0, lines + 1);
        while too_many - fits > 1 {
            let middle = fits + (too_many - fits) / 2;
            if self.server.tokenize(&text(middle))?.len() <= tokens_max {
                fits = middle;
            } else {
                too_many = middle;
            }
        }
        Ok(fits)
    }

    fn body(&self, local: &Local, extra: &[Value]) -> Value {
        let mut body = local.body(extra);
        match self.limits {
            Limits::Budget | Limits::None => {
                body["n_predict"] = self.tokens_max.into();
                body["top_k"] = 40.into();
                body["top_p"] = 0.9.into();
                // The likeliest of what llama.vim's samplers leave.
                body["samplers"] = json!(["top_k", "top_p", "infill", "temperature"]);
                body["temperature"] = 0.into();
            }
            Limits::Published => sample_as_published(&mut body, 1_000),
        }
        body
    }
}

/// llama.vim's samplers and limits; the seed makes two runs alike.
pub(crate) fn sample_as_published(body: &mut Value, predict_ms_max: usize) {
    body["n_predict"] = PREDICT_TOKENS_MAX.into();
    body["top_k"] = 40.into();
    body["top_p"] = 0.9.into();
    body["samplers"] = json!(["top_k", "top_p", "infill"]);
    body["t_max_prompt_ms"] = 500.into();
    body["t_max_predict_ms"] = predict_ms_max.into();
    body["seed"] = 1.into();
}

impl Subject for Infill {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn ask(&mut self, scene: &Scene) -> Result<Answer> {
        let place = scene.place;
        let mut local = Local::at(&place.prefix, &place.suffix);
        let mut extra = ring(&scene.neighbours, &around(&place.prefix, &place.suffix));
        self.trim(&mut local, &mut extra)?;
        let started = Instant::now();
        let answer = self.server.post("/infill", &self.body(&local, &extra))?;
        let time = started.elapsed();
        let text = local.shown(answer["content"].as_str().unwrap_or(""));
        let reason = text.is_empty().then(|| "nothing to show".to_owned());
        Ok(Answer {
            text,
            replaced: 0,
            reason,
            time,
            prompt_tokens: answer["tokens_evaluated"].as_u64().unwrap_or(0),
            generated_tokens: answer["tokens_predicted"].as_u64().unwrap_or(0),
        })
    }
}

/// The text around the cursor, as the endpoint wants it.
pub(crate) struct Local {
    pub(crate) prefix: String,
    pub(crate) middle: String,
    pub(crate) suffix: String,
    indent: usize,
    /// The cursor's line before the cursor as it is in the document.
    line: String,
    /// Lines below the cursor's.
    below: Vec<String>,
    tail: String,
}

impl Local {
    pub(crate) fn at(before: &str, behind: &str) -> Self {
        let (above, line) = before.rsplit_once('\n').unwrap_or(("", before));
        let (tail, below) = behind.split_once('\n').unwrap_or((behind, ""));
        let above: Vec<&str> = above.split('\n').collect();
        let below: Vec<String> = below.split('\n').take(SUFFIX_LINES).map(str::to_owned).collect();
        let is_blank = line.trim().is_empty() && tail.trim().is_empty();
        let (middle, shown_tail) = if is_blank { ("", "") } else { (line, tail) };
        let indent = if is_blank { 0 } else { line.len() - line.trim_start().len() };
        Self {
            prefix: above[above.len().saturating_sub(PREFIX_LINES)..].join("\n") + "\n",
            middle: middle.to_owned(),
            suffix: format!("{shown_tail}\n{}\n", below.join("\n")),
            indent,
            line: line.to_owned(),
            below,
            tail: tail.to_owned(),
        }
    }

    pub(crate) fn body(&self, extra: &[Value]) -> Value {
        json!({
            "input_prefix": self.prefix, "prompt": self.middle, "input_suffix": self.suffix, "input_extra": extra,
            "n_indent": self.indent, "stream": false, "cache_prompt": true,
        })
    }

    /// What llama.vim would show of an answer.
    pub(crate) fn shown(&self, content: &str) -> String {
        let mut content = content.trim_end_matches('\n').to_owned();
        if self.line.trim().is_empty() && self.tail.trim().is_empty() {
            let lead = content.len() - content.trim_start_matches([' ', '\t']).len();
            content.drain(..lead.min(self.line.len()));
        }
        let lines: Vec<&str> = content.split('\n').collect();
        let below: Vec<&str> = self.below.iter().map(String::as_str).collect();
        if content.trim().is_empty() || content == self.tail || repeats(&self.line, &lines, &below) {
            return String::new();
        }
        content
    }
}

/// Whether an answer is what stands below already.
fn repeats(line: &str, said: &[&str], below: &[&str]) -> bool {
    if said.len() > 1 && said[0].is_empty() && below.starts_with(&said[1..]) {
        return true;
    }
    let Some(next) = below.iter().position(|line| !line.trim().is_empty()) else { return false };
    if format!("{line}{}", said[0]) != below[next] {
        return false;
    }
    let behind = &below[next + 1..];
    match said.len() {
        1 => true,
        2 => behind.first().is_some_and(|line| line.starts_with(said[1])),
        _ => behind.starts_with(&said[1..]),
    }
}

/// The lines at the cursor that chunks are compared with.
pub(crate) fn around<'a>(before: &'a str, behind: &'a str) -> Vec<&'a str> {
    let above: Vec<&str> = before.lines().rev().take(CHUNK_LINES / 2).collect();
    above.into_iter().rev().chain(behind.lines().take(CHUNK_LINES / 2)).collect()
}

/// Chunks of the files, the nearest last, without those that are like the text at the cursor.
pub(crate) fn ring(files: &[&File], around: &[&str]) -> Vec<Value> {
    let each = CHUNKS_MAX / files.len().max(1);
    let mut found = Vec::new();
    for file in files {
        let lines: Vec<&str> = file.text.lines().collect();
        for chunk in lines.chunks(PICKED_LINES).take(each) {
            if similarity(chunk, around) <= SIMILARITY_MAX {
                found.push(json!({"text": chunk.join("\n") + "\n", "filename": file.path}));
            }
        }
    }
    found
}

/// Forgets chunks that have become like the text at the cursor.
pub(crate) fn evict(chunks: &mut Vec<Value>, around: &[&str]) {
    chunks.retain(|chunk| {
        let lines: Vec<&str> = chunk["text"].as_str().unwrap_or("").lines().collect();
        similarity(&lines, around) <= SIMILARITY_MAX
    });
}

fn similarity(a: &[&str], b: &[&str]) -> f64 {
    let common = a.iter().filter(|line| b.contains(line)).count();
    2.0 * common as f64 / (a.len() + b.len()).max(1) as f64
}
