//! `GET /metrics`: the server's counts in the text format that Prometheus reads.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use finch_llm::Load;

use crate::Host;
use crate::counters::{FIRST_MS, First, Numbers};
use crate::serve::Desk;

pub(crate) async fn metrics(State(host): State<Host>, Extension(desk): Extension<Arc<Desk>>) -> Response {
    let seen = Seen {
        version: &host.version,
        numbers: desk.counters.numbers(),
        connections: desk.seats.total(),
        attached: desk.presence.names().len(),
        resident_bytes: crate::status::resident_bytes(),
        load: crate::status::load(&host),
        is_ready: matches!(*host.state.borrow(), finch_llm::ModelState::Ready { .. }),
    };
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text(&seen)).into_response()
}

/// Everything that is told.
struct Seen<'a> {
    version: &'a str,
    numbers: Numbers,
    connections: usize,
    attached: usize,
    resident_bytes: Option<u64>,
    load: Load,
    is_ready: bool,
}

/// What kind of number it is.
#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

type Labels<'a> = &'a [(&'a str, &'a str)];

fn text(seen: &Seen<'_>) -> String {
    let (mut out, numbers) = (Page::default(), &seen.numbers);
    out.one("finch_info", Kind::Gauge, "The program that runs.", &[("version", seen.version)], 1.0);
    out.one("finch_uptime_seconds", Kind::Gauge, "Since the server started.", &[], numbers.uptime_s);
    out.one("finch_model_ready", Kind::Gauge, "Whether the local model is loaded.", &[], seen.is_ready.into());
    out.one("finch_connections", Kind::Gauge, "Connections that are open.", &[], float(seen.connections as u64));
    out.one("finch_clients_attached", Kind::Gauge, "Clients that listen for events.", &[], float(seen.attached as u64));
    if let Some(bytes) = seen.resident_bytes {
        out.one("process_resident_memory_bytes", Kind::Gauge, "Memory in use.", &[], float(bytes));
    }
    out.one("finch_requests_running", Kind::Gauge, "Requests under way.", &[], float(numbers.running));
    out.lanes(&seen.load);
    out.one("finch_requests_total", Kind::Counter, "Requests that came, this one too.", &[], float(numbers.total));
    out.one(
        "finch_requests_failed_total",
        Kind::Counter,
        "Requests that failed by no fault of their own.",
        &[],
        float(numbers.failed),
    );
    out.head("finch_answers_total", Kind::Counter, "Answers, by address and status.");
    for ((path, status), count) in &numbers.by_answer {
        out.sample("finch_answers_total", &[("path", path), ("status", &status.to_string())], float(*count));
    }
    out.head("finch_refused_total", Kind::Counter, "Requests that were not let in, by reason.");
    for (code, count) in &numbers.by_refusal {
        out.sample("finch_refused_total", &[("reason", code)], float(*count));
    }
    out.head("finch_model_errors_total", Kind::Counter, "Answers of models that ended in an error, by kind.");
    for (kind, count) in &numbers.by_error {
        out.sample("finch_model_errors_total", &[("kind", kind)], float(*count));
    }
    out.head("finch_tokens_total", Kind::Counter, "Tokens; cached ones are part of the prompt's.");
    for (kind, count) in [("prompt", numbers.prompt), ("cached", numbers.cached), ("generated", numbers.generated)] {
        out.sample("finch_tokens_total", &[("kind", kind)], float(count));
    }
    let help = "Generated tokens, mean of the last minute.";
    out.one("finch_tokens_per_second", Kind::Gauge, help, &[], numbers.tokens_per_second);
    out.first(&numbers.first);
    out.0
}

/// Counts up to 2^53 are exact; Prometheus has no other numbers.
fn float(count: u64) -> f64 {
    count as f64
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn one(&mut self, name: &str, kind: Kind, help: &str, labels: Labels<'_>, value: f64) {
        self.head(name, kind, help);
        self.sample(name, labels, value);
    }

    fn head(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    fn sample(&mut self, name: &str, labels: Labels<'_>, value: f64) {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        match labels.is_empty() {
            true => self.line(format_args!("{name} {value}")),
            false => self.line(format_args!("{name}{{{}}} {value}", labels.join(","))),
        }
    }

    fn lanes(&mut self, load: &Load) {
        let name = "finch_lane_requests";
        self.head(name, Kind::Gauge, "Requests that the local model computes, and that wait for it.");
        for (lane, load) in [("interactive", load.interactive), ("batch", load.batch), ("warm", load.warm)] {
            for (state, count) in [("running", load.running), ("waiting", load.waiting)] {
                self.sample(name, &[("lane", lane), ("state", state)], float(count as u64));
            }
        }
    }

    fn first(&mut self, first: &First) {
        let name = "finch_first_token_seconds";
        self.head(name, Kind::Histogram, "From a request's arrival at its model to the first part of the answer.");
        let mut within = 0;
        for (count, ms) in first.within.iter().zip(FIRST_MS) {
            within += count;
            self.sample(&format!("{name}_bucket"), &[("le", &(float(ms) / 1000.0).to_string())], float(within));
        }
        let all = float(first.within.iter().sum());
        self.sample(&format!("{name}_bucket"), &[("le", "+Inf")], all);
        self.sample(&format!("{name}_sum"), &[], first.seconds);
        self.sample(&format!("{name}_count"), &[], all);
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").unwrap_or_else(|_| unreachable!("a String takes all"));
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use finch_llm::LaneLoad;

    use super::*;

    #[test]
    fn the_page_is_what_prometheus_reads() {
        let mut first = First { within: [0; FIRST_MS.len() + 1], seconds: 1.25 };
        (first.within[1], first.within[3], first.within[FIRST_MS.len()]) = (2, 1, 1);
        let numbers = Numbers {
            uptime_s: 1.5,
            running: 1,
            total: 7,
            failed: 1,
            by_answer: BTreeMap::from([(("/health", 200), 3), (("other", 404), 1)]),
            by_refusal: BTreeMap::from([("host", 2)]),
            by_error: BTreeMap::new(),
            prompt: 10,
            cached: 4,
            generated: 3,
            tokens_per_second: 0.05,
            first,
        };
        let seen = Seen {
            version: "1\"\\\n",
            numbers,
            connections: 2,
            attached: 1,
            resident_bytes: Some(1_048_576),
            load: Load { batch: LaneLoad { running: 2, waiting: 3 }, ..Load::default() },
            is_ready: true,
        };
        let page = text(&seen);
        let samples: Vec<&str> = page.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [
                r#"finch_info{version="1\"\\\n"} 1"#,
                "finch_uptime_seconds 1.5",
                "finch_model_ready 1",
                "finch_connections 2",
                "finch_clients_attached 1",
                "process_resident_memory_bytes 1048576",
                "finch_requests_running 1",
                r#"finch_lane_requests{lane="interactive",state="running"} 0"#,
                r#"finch_lane_requests{lane="interactive",state="waiting"} 0"#,
                r#"finch_lane_requests{lane="batch",state="running"} 2"#,
                r#"finch_lane_requests{lane="batch",state="waiting"} 3"#,
                r#"finch_lane_requests{lane="warm",state="running"} 0"#,
                r#"finch_lane_requests{lane="warm",state="waiting"} 0"#,
                "finch_requests_total 7",
                "finch_requests_failed_total 1",
                r#"finch_answers_total{path="/health",status="200"} 3"#,
                r#"finch_answers_total{path="other",status="404"} 1"#,
                r#"finch_refused_total{reason="host"} 2"#,
                r#"finch_tokens_total{kind="prompt"} 10"#,
                r#"finch_tokens_total{kind="cached"} 4"#,
                r#"finch_tokens_total{kind="generated"} 3"#,
                "finch_tokens_per_second 0.05",
                r#"finch_first_token_seconds_bucket{le="0.01"} 0"#,
                r#"finch_first_token_seconds_bucket{le="0.025"} 2"#,
                r#"finch_first_token_seconds_bucket{le="0.05"} 2"#,
                r#"finch_first_token_seconds_bucket{le="0.1"} 3"#,
                r#"finch_first_token_seconds_bucket{le="0.25"} 3"#,
                r#"finch_first_token_seconds_bucket{le="0.5"} 3"#,
                r#"finch_first_token_seconds_bucket{le="1"} 3"#,
                r#"finch_first_token_seconds_bucket{le="2.5"} 3"#,
                r#"finch_first_token_seconds_bucket{le="5"} 3"#,
                r#"finch_first_token_seconds_bucket{le="10"} 3"#,
                r#"finch_first_token_seconds_bucket{le="+Inf"} 4"#,
                "finch_first_token_seconds_sum 1.25",
                "finch_first_token_seconds_count 4",
            ]
        );
        let types = page.lines().filter(|line| line.starts_with("# TYPE")).count();
        assert_eq!(types, page.lines().filter(|line| line.starts_with("# HELP")).count());
        assert!(page.contains("# TYPE finch_first_token_seconds histogram\n"));
    }
}
