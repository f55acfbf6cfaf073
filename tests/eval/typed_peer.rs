//! Typing with llama.cpp as llama.vim does: one request at a time and another try 100 ms later, answers kept by a hash
//! of the text around the cursor and found again while they are typed through, the next request made as if what is shown
//! were accepted.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};

use crate::corpus::{File, scramble};
use crate::infill::{self, Local};
use crate::llama::Server;
use crate::side::{Look, Side, cpu_of};

const ANSWERS_MAX: usize = 250;
const LOOK_BACK_CHARS: usize = 128;
const TRIMMED_LINES: usize = 3;
const RETRY: Duration = Duration::from_millis(100);
const TAIL_CHARS_MAX: usize = 8;
const FIRST_PREDICT_MS: usize = 250;
const AHEAD_PREDICT_MS: usize = 1_000;
const WAIT_MAX: Duration = Duration::from_secs(60);

pub(crate) struct TypedPeer {
    server: Arc<Server>,
    text: String,
    cursor: usize,
    chunks: Vec<Value>,
    answers: HashMap<u64, String>,
    /// The oldest answer first.
    order: VecDeque<u64>,
    job: Option<mpsc::Receiver<(Vec<u64>, Result<String>)>>,
    retry: Option<Instant>,
    shown: String,
    edited: Instant,
    requests: usize,
}

impl TypedPeer {
    pub(crate) fn open(server: Arc<Server>, neighbours: &[&File], head: &str) -> Result<Self> {
        let chunks = infill::ring(neighbours, &[]);
        let warm = json!({
            "input_prefix": "", "input_suffix": "", "prompt": "", "input_extra": chunks, "n_predict": 0,
            "cache_prompt": true, "samplers": [], "t_max_prompt_ms": 1, "t_max_predict_ms": 1,
        });
        server.post("/infill", &warm)?;
        Ok(Self {
            server,
            text: head.to_owned(),
            cursor: head.len(),
            chunks,
            answers: HashMap::new(),
            order: VecDeque::new(),
            job: None,
            retry: None,
            shown: String::new(),
            edited: Instant::now(),
            requests: 0,
        })
    }

    fn local(&self) -> Local {
        Local::at(&self.text[..self.cursor], &self.text[self.cursor..])
    }

    /// Asks about a place, unless there is an answer already or a request is under way.
    fn ask(&mut self, local: &Local, predict_ms_max: usize) -> Result<()> {
        if self.job.is_some() {
            self.retry = Some(Instant::now() + RETRY);
            return Ok(());
        }
        let tail = self.text[self.cursor..].split('\n').next().unwrap_or("");
        let hashes = hashes(local);
        if tail.len() > TAIL_CHARS_MAX || hashes.iter().any(|hash| self.answers.contains_key(hash)) {
            return Ok(());
        }
        let around = infill::around(&self.text[..self.cursor], &self.text[self.cursor..]);
        infill::evict(&mut self.chunks, &around);
        let mut body = local.body(&self.chunks);
        infill::sample_as_published(&mut body, predict_ms_max);
        let (sender, receiver) = mpsc::channel();
        let server = Arc::clone(&self.server);
        std::thread::spawn(move || {
            let answer = server.post("/infill", &body);
            let text = answer.map(|answer| answer["content"].as_str().unwrap_or("").to_owned());
            // Nobody may want it any more.
            sender.send((hashes, text)).ok();
        });
        self.job = Some(receiver);
        self.requests += 1;
        Ok(())
    }

    fn ask_here(&mut self) -> Result<()> {
        let local = self.local();
        self.ask(&local, FIRST_PREDICT_MS)
    }

    /// Shows what is known about this place, and asks ahead of it.
    fn show(&mut self) -> Result<()> {
        let local = self.local();
        self.shown = match self.known(&local) {
            Some(content) => local.shown(&content),
            None => String::new(),
        };
        if self.shown.is_empty() {
            return Ok(());
        }
        let before = format!("{}{}", &self.text[..self.cursor], self.shown);
        self.ask(&Local::at(&before, &self.text[self.cursor..]), AHEAD_PREDICT_MS)
    }

    /// The answer for this place, or what is left of an answer that is being typed through.
    fn known(&self, local: &Local) -> Option<String> {
        if let Some(answer) = self.answers.get(&hash(&local.prefix, &local.middle, &local.suffix)) {
            return Some(answer.clone());
        }
        let before = format!("{}{}", local.prefix, local.middle);
        let starts = before.char_indices().rev().take(LOOK_BACK_CHARS).map(|(at, _)| at);
        let rests = starts.filter_map(|at| {
            let answer = self.answers.get(&hash(&before[..at], "", &local.suffix))?;
            answer.strip_prefix(&before[at..]).filter(|rest| !rest.is_empty())
        });
        rests.max_by_key(|rest| rest.len()).map(str::to_owned)
    }

    /// Lets things happen until `until`, or until nothing is under way.
    fn run(&mut self, until: Instant) -> Result<()> {
        while self.job.is_some() || self.retry.is_some() {
            let next = self.retry.map_or(until, |retry| retry.min(until));
            let left = next.saturating_duration_since(Instant::now());
            match &self.job {
                Some(job) => match job.recv_timeout(left) {
                    Ok((hashes, text)) => {
                        self.job = None;
                        self.keep(hashes, text?);
                        if self.shown.is_empty() {
                            self.show()?;
                        }
                        if !self.shown.is_empty() {
                            return Ok(());
                        }
                    }
                    Err(mpsc::RecvTimeoutError::Timeout) => {}
                    Err(mpsc::RecvTimeoutError::Disconnected) => bail!("the request was lost"),
                },
                None => std::thread::sleep(left),
            }
            let now = Instant::now();
            if self.retry.is_some_and(|retry| retry <= now) {
                self.retry = None;
                self.ask_here()?;
            }
            if now >= until {
                return Ok(());
            }
        }
        Ok(())
    }

    fn keep(&mut self, hashes: Vec<u64>, text: String) {
        for hash in hashes {
            if self.order.len() == ANSWERS_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.answers.remove(&oldest);
            }
            if self.answers.insert(hash, text.clone()).is_none() {
                self.order.push_back(hash);
            }
        }
    }
}

impl Side for TypedPeer {
    fn edit(&mut self, range: Range<usize>, text: &str, cursor: usize) -> Result<()> {
        self.text.replace_range(range, text);
        self.cursor = cursor;
        self.edited = Instant::now();
        self.show()?;
        self.ask_here()
    }

    fn pause(&mut self, gap: Duration) -> Result<()> {
        let until = Instant::now() + gap;
        while Instant::now() < until {
            self.run(until)?;
            std::thread::sleep(until.saturating_duration_since(Instant::now()).min(Duration::from_millis(1)));
        }
        Ok(())
    }

    fn look(&mut self) -> Result<Look> {
        let until = Instant::now() + WAIT_MAX;
        while self.shown.is_empty() && (self.job.is_some() || self.retry.is_some()) {
            self.run(until)?;
            ensure!(Instant::now() < until, "the peer did not answer within {WAIT_MAX:?}");
        }
        Ok(Look { text: self.shown.clone(), replaced: 0, time: self.edited.elapsed() })
    }

    fn accept(&mut self) -> Result<()> {
        Ok(())
    }

    fn requests(&self) -> usize {
        self.requests
    }

    fn cpu(&self) -> Result<Duration> {
        cpu_of(self.server.pid())
    }
}

/// An answer counts for the place, and for one whose window begins up to three lines further down.
fn hashes(local: &Local) -> Vec<u64> {
    let mut prefix = local.prefix.as_str();
    let mut found = vec![hash(prefix, &local.middle, &local.suffix)];
    for _ in 0..TRIMMED_LINES {
        match prefix.split_once('\n') {
            Some((_, rest)) if !rest.is_empty() => prefix = rest,
            _ => break,
        }
        found.push(hash(prefix, &local.middle, &local.suffix));
    }
    found
}

fn hash(prefix: &str, middle: &str, suffix: &str) -> u64 {
    scramble(&[prefix, middle, "\0", suffix].concat())
}
