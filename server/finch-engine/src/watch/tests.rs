use std::{sync::Arc, time::Instant};

use finch_llm::{ClientId, GenerateRequest, GenerateStream, Lane, stream};

use super::{End, Pass, Watch, YieldsTo};
use crate::{
    lanes::{Ask, Job, Lanes},
    network::Interrupter,
    testing::runtime,
};

struct Bench {
    watch: Watch,
    lanes: Arc<Lanes>,
    interrupter: Interrupter,
}

impl Bench {
    fn new() -> Self {
        // Loading the library is what makes its run options.
        drop(runtime());
        let (lanes, interrupter) = (Arc::new(Lanes::default()), Interrupter::new().unwrap());
        let watch = Watch::start(Arc::clone(&lanes), interrupter.clone()).unwrap();
        Self { watch, lanes, interrupter }
    }

    fn submit(&self, client: &str, lane: Lane) -> GenerateStream {
        let (reader, stream) = stream();
        let ask = Ask::Generate(GenerateRequest::new(ClientId::new(client), lane, Vec::new()));
        self.lanes.submit(Job { ask, reader, arrived: Instant::now() });
        stream
    }

    /// How a pass ends that goes on until it is interrupted.
    fn endless(&self, pass: Pass) -> End {
        let wait = || {
            while !self.interrupter.is_interrupted() {
                std::thread::yield_now();
            }
        };
        self.watch.during(pass, wait).1
    }
}

fn pass(yields_to: YieldsTo) -> (Pass, GenerateStream) {
    let (reader, stream) = stream();
    (Pass { reader, yields_to }, stream)
}

fn to(client: &str) -> YieldsTo {
    YieldsTo::Client(ClientId::new(client))
}

#[test]
fn a_wanted_pass_comes_to_its_own_end() {
    let bench = Bench::new();
    let _others = [bench.submit("b", Lane::Interactive), bench.submit("a", Lane::Batch)];
    for yields_to in [to("a"), YieldsTo::Nobody] {
        let (pass, _stream) = pass(yields_to);
        assert_eq!(bench.watch.during(pass, || 7), (7, End::Own));
    }
}

#[test]
fn a_pass_without_a_reader_is_interrupted() {
    let bench = Bench::new();
    let (pass, stream) = pass(YieldsTo::Nobody);
    drop(stream);
    assert_eq!(bench.endless(pass), End::Interrupted);
    assert!(!bench.interrupter.is_interrupted(), "the next pass is free to run");
}

#[test]
fn a_pass_that_a_newer_request_replaces_is_interrupted() {
    let bench = Bench::new();
    let (pass, _stream) = pass(to("a"));
    let _newer = bench.submit("a", Lane::Interactive);
    assert_eq!(bench.endless(pass), End::Interrupted);
}

#[test]
fn a_batch_pass_yields_to_to_an_interactive_job() {
    let bench = Bench::new();
    let (pass, _stream) = pass(YieldsTo::Interactive);
    let _interactive = bench.submit("b", Lane::Interactive);
    assert_eq!(bench.endless(pass), End::Interrupted);
}

#[test]
fn a_pass_is_interrupted_when_the_engine_closes() {
    let bench = Bench::new();
    let (pass, _stream) = pass(to("a"));
    bench.lanes.close();
    assert_eq!(bench.endless(pass), End::Interrupted);
}
