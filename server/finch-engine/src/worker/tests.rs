use std::{sync::Arc, time::Instant};

use finch_llm::{
    CHUNKS_MAX, Chunk, ClientId, Done, GenerateStream, InfillRequest, Lane, LaneLoad, LlmError, Load, Sampling,
    StopReason, stream,
};
use finch_model::{
    manifest::{InfillStyle, Manifest, Quant},
    tiny::TinySpec,
};

use super::{Service, Turn, Worker};
use crate::{
    Kernels, Speculation,
    device::Devices,
    lanes::{Ask, Job, Lanes},
    network::Network,
    prompt::Prompts,
    session::{SessionOptions, Weights},
    speculation::{Costs, Speculator},
    testing::{TinyModel, runtime, wait_for},
    vocabulary::Vocabulary,
};

/// A worker that is driven turn by turn instead of by its thread.
struct Bench {
    worker: Worker,
    lanes: Arc<Lanes>,
    _model: TinyModel,
}

const PREFIX: &str = "fn area(width: u32, height: u32) -> u32 {\n    ";

impl Bench {
    /// Without speculation: a pass gives a token.
    fn new(capacity: usize, slots: usize) -> Self {
        Self::with(capacity, slots, Speculation::Off)
    }

    fn with(capacity: usize, slots: usize, speculation: Speculation) -> Self {
        // Noise must not end an answer by chance.
        Self::stopping_at(Vec::new(), capacity, slots, speculation)
    }

    fn stopping_at(stop: Vec<u32>, capacity: usize, slots: usize, speculation: Speculation) -> Self {
        let model = TinyModel::new(TinySpec::default(), Quant::Fp32);
        let mut manifest = Manifest::read(&model.dir).unwrap();
        manifest.tokens.stop = stop;
        let network = Network::load(
            &runtime(),
            &model.dir,
            &manifest,
            SessionOptions {
                threads: 1,
                capacity,
                kernels: Kernels::Auto,
                devices: Devices::default(),
                weights: Weights::Packed,
            },
        )
        .unwrap();
        let vocabulary = Vocabulary::load(&model.dir, &manifest).unwrap();
        let prompts = Prompts::new(vocabulary, &manifest, Some(InfillStyle::Prefix), network.capacity());
        let lanes = Arc::new(Lanes::default());
        let service = Service { slots, cache_bytes_max: usize::MAX, speculation };
        let mut worker = Worker::new(network, Arc::new(prompts), Arc::clone(&lanes), service).unwrap();
        worker.together = Costs::frozen();
        if let Some(speculator) = &mut worker.speculator {
            *speculator = Speculator::with(Costs::frozen());
        }
        Self { worker, lanes, _model: model }
    }

    fn ask(&self, client: &str, lane: Lane, prefix: &str, sampling: Sampling) -> GenerateStream {
        self.submit(client, lane, prefix, Vec::new(), sampling)
    }

    fn ask_with(&self, client: &str, prefix: &str, references: Vec<Arc<str>>, sampling: Sampling) -> GenerateStream {
        self.submit(client, Lane::Interactive, prefix, references, sampling)
    }

    fn submit(
        &self,
        client: &str,
        lane: Lane,
        prefix: &str,
        references: Vec<Arc<str>>,
        sampling: Sampling,
    ) -> GenerateStream {
        let (reader, stream) = stream();
        let ask = Ask::Infill(InfillRequest {
            client: ClientId::new(client),
            origin: finch_llm::Origin::default(),
            lane,
            prefix: prefix.to_owned(),
            suffix: String::new(),
            context: finch_llm::InfillContext::default(),
            prompt_tokens_max: 1000,
            references,
            sampling,
        });
        self.lanes.submit(Job { ask, reader, arrived: Instant::now() });
        stream
    }

    fn interactive(&self, client: &str, tokens_max: usize) -> GenerateStream {
        self.ask(client, Lane::Interactive, PREFIX, Sampling { tokens_max, ..Sampling::default() })
    }

    fn batch(&self, client: &str, tokens_max: usize) -> GenerateStream {
        self.ask(client, Lane::Batch, PREFIX, Sampling { tokens_max, ..Sampling::default() })
    }

    /// Turns until nothing can be computed.
    fn settle(&mut self) -> Turn {
        loop {
            match self.worker.turn() {
                Turn::Computed => {}
                turn => return turn,
            }
        }
    }

    fn turns(&mut self, count: usize) {
        for _ in 0..count {
            assert_eq!(self.worker.turn(), Turn::Computed);
        }
    }
}

/// What a stream holds now: text, how many chunks of it, and the end if it is there.
fn taken(stream: &mut GenerateStream) -> (String, usize, Option<Result<Done, LlmError>>) {
    let (mut text, mut chunks) = (String::new(), 0);
    loop {
        let next = wait_for(async {
            tokio::select! {
                biased;
                chunk = stream.next() => chunk,
                () = std::future::ready(()) => None,
            }
        });
        match next {
            None => return (text, chunks, None),
            Some(Err(error)) => return (text, chunks, Some(Err(error))),
            Some(Ok(Chunk::Done(done))) => return (text, chunks, Some(Ok(done))),
            Some(Ok(Chunk::Text(piece))) => {
                text.push_str(&piece);
                chunks += 1;
            }
            Some(Ok(chunk @ (Chunk::Reasoning(_) | Chunk::ToolCall(_) | Chunk::Unsure(_) | Chunk::Scored(_)))) => {
                panic!("{chunk:?} in an infill")
            }
        }
    }
}

#[track_caller]
fn done(stream: &mut GenerateStream) -> (String, Done) {
    match taken(stream) {
        (text, _, Some(Ok(done))) => (text, done),
        other => panic!("not done: {other:?}"),
    }
}

#[track_caller]
fn failed(stream: &mut GenerateStream) -> LlmError {
    match taken(stream) {
        (_, _, Some(Err(error))) => error,
        other => panic!("no error: {other:?}"),
    }
}

/// What the model says alone, undisturbed.
fn alone(tokens_max: usize) -> String {
    let mut bench = Bench::new(512, 2);
    let mut stream = bench.interactive("alone", tokens_max);
    let mut text = String::new();
    loop {
        let turn = bench.settle();
        let (piece, _, end) = taken(&mut stream);
        text.push_str(&piece);
        if let Some(end) = end {
            end.unwrap();
            return text;
        }
        assert_eq!(turn, Turn::Stalled);
    }
}

#[test]
fn counts_are_true_and_the_second_time_all_but_one_token_is_cached() {
    let mut bench = Bench::new(512, 3);
    let mut first = bench.interactive("a", 5);
    assert_eq!(bench.settle(), Turn::Idle);
    let (text, end) = done(&mut first);
    let prompt = end.usage.prompt_tokens;
    assert!(prompt > 10, "{end:?}");
    assert_eq!((end.reason, end.usage.cached_tokens, end.usage.generated_tokens), (StopReason::TokensMax, 0, 5));
    let mut second = bench.interactive("a", 5);
    bench.settle();
    let (again, end) = done(&mut second);
    assert_eq!((end.usage.prompt_tokens, end.usage.cached_tokens), (prompt, prompt - 1));
    assert_eq!(again, text);
}

#[test]
fn a_longer_prompt_computes_only_what_is_new() {
    let mut bench = Bench::new(512, 3);
    let mut first =
        bench.ask("a", Lane::Interactive, "let total = ", Sampling { tokens_max: 1, ..Sampling::default() });
    bench.settle();
    let (_, before) = done(&mut first);
    // A line break is a token of its own here, so the tokens in front stay.
    let mut second =
        bench.ask("a", Lane::Interactive, "let total = \n0", Sampling { tokens_max: 1, ..Sampling::default() });
    bench.settle();
    let (_, after) = done(&mut second);
    assert_eq!(after.usage.cached_tokens, before.usage.prompt_tokens);
    assert_eq!(after.usage.prompt_tokens, before.usage.prompt_tokens + 2);
}

#[test]
fn another_file_does_not_destroy_the_slot_one_came_from() {
    let mut bench = Bench::new(512, 3);
    let first = |bench: &mut Bench, prefix: &str| {
        let mut stream = bench.ask("a", Lane::Interactive, prefix, Sampling { tokens_max: 1, ..Sampling::default() });
        bench.settle();
        done(&mut stream).1.usage
    };
    let here = "mod here;\n0123456789012345678901234567890123456789";
    let there = "mod here;\nABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let cold = first(&mut bench, here);
    let shared = first(&mut bench, there);
    assert!(shared.cached_tokens > 0 && shared.cached_tokens < 12, "{shared:?}");
    assert_eq!(first(&mut bench, here).cached_tokens, cold.prompt_tokens - 1);
}

#[test]
fn the_thread_says_of_which_lanes_it_computes_requests() {
    let mut bench = Bench::new(512, 3);
    let streams = [bench.interactive("a", 100), bench.batch("b", 100), bench.batch("c", 100)];
    bench.turns(3);
    let load = bench.worker.lanes.load();
    // The last slot is kept for whoever types.
    assert_eq!((load.interactive, load.batch), (runs(1, 0), runs(1, 1)));
    drop(streams);
    assert_eq!(bench.worker.turn(), Turn::Idle);
    assert_eq!(bench.worker.lanes.load(), Load::default());
}

fn runs(running: usize, waiting: usize) -> LaneLoad {
    LaneLoad { running, waiting }
}

#[test]
fn a_dropped_stream_ends_its_work_at_the_next_token() {
    let mut bench = Bench::new(512, 3);
    let stream = bench.interactive("a", 100);
    bench.turns(3);
    drop(stream);
    assert_eq!(bench.worker.turn(), Turn::Idle);
}

#[test]
fn a_dropped_stream_ends_a_long_prompt_at_the_next_pass() {
    let mut bench = Bench::new(2000, 3);
    let stream = bench.ask("a", Lane::Interactive, &"0 1 2 ".repeat(150), Sampling::default());
    bench.turns(1);
    let computed = bench.worker.shelves[0].slot.tokens().len();
    assert!(computed > 0 && computed < 200, "{computed} tokens in the first pass");
    drop(stream);
    assert_eq!(bench.worker.turn(), Turn::Idle);
    // What was computed is worth keeping.
    assert_eq!(bench.worker.shelves[0].slot.tokens().len(), computed);
}

#[test]
fn a_job_dropped_before_it_began_never_begins() {
    let mut bench = Bench::new(512, 3);
    drop(bench.batch("a", 10));
    drop(bench.interactive("b", 10));
    assert_eq!(bench.worker.turn(), Turn::Idle);
}

#[test]
fn a_newer_request_of_a_client_replaces_the_running_one() {
    let mut bench = Bench::new(512, 3);
    let mut older = bench.interactive("a", 100);
    bench.turns(3);
    let mut newer = bench.interactive("a", 4);
    bench.settle();
    assert_eq!(failed(&mut older), LlmError::Cancelled);
    assert_eq!(done(&mut newer).1.usage.generated_tokens, 4);
}

#[test]
fn clients_do_not_replace_each_other_and_the_shorter_answer_goes_first() {
    let mut bench = Bench::new(512, 3);
    let mut long = bench.interactive("a", 30);
    bench.turns(3);
    let mut short = bench.interactive("b", 4);
    bench.turns(5);
    assert_eq!(done(&mut short).1.usage.generated_tokens, 4);
    let (_, _, end) = taken(&mut long);
    assert_eq!(end, None);
    bench.settle();
    assert_eq!(done(&mut long).1.usage.generated_tokens, 30);
}

#[test]
fn an_interactive_job_goes_before_a_batch_job_that_then_continues_where_it_was() {
    let mut bench = Bench::new(512, 3);
    let expected = alone(12);
    let mut batch = bench.batch("a", 12);
    bench.turns(4);
    let (mut text, _, end) = taken(&mut batch);
    assert_eq!(end, None);
    let mut interactive = bench.interactive("b", 6);
    // One pass for its prompt, which also gives the first token, and one for each other token.
    bench.turns(6);
    assert_eq!(done(&mut interactive).0, alone(6));
    assert_eq!(taken(&mut batch).0, "");
    // The batch job had 4 tokens and needs one pass for each of the other 8: nothing is computed again.
    bench.turns(8);
    let (rest, end) = done(&mut batch);
    text.push_str(&rest);
    assert_eq!((text, end.usage.generated_tokens), (expected, 12));
    assert_eq!(bench.worker.turn(), Turn::Idle);
}

#[test]
fn batch_jobs_are_served_together() {
    let mut bench = Bench::new(512, 5);
    let expected = alone(9);
    let mut streams: Vec<GenerateStream> = ["a", "b", "c"].map(|client| bench.batch(client, 9)).into();
    // A pass for each prompt, which gives the first token, and then one for a token of each.
    bench.turns(3 + 8);
    assert_eq!(bench.worker.turn(), Turn::Idle);
    for stream in &mut streams {
        let (text, end) = done(stream);
        assert_eq!((text, end.usage.generated_tokens), (expected.clone(), 9));
    }
}

#[test]
fn batch_jobs_of_different_lengths_and_texts_do_not_disturb_each_other() {
    let prompts = ["let a = 1;\n", PREFIX, "0 1 2 3 4 5 6 7 8 9\n", "x"];
    let lengths = [3, 20, 11, 16];
    let each: Vec<String> = (prompts.iter().zip(lengths))
        .map(|(prompt, length)| guessing(&mut Bench::new(512, 2), prompt, &[], greedy(length)).0)
        .collect();
    for speculation in [Speculation::Off, Speculation::On] {
        let mut bench = Bench::with(512, 5, speculation);
        let mut streams: Vec<GenerateStream> = (prompts.iter().zip(lengths))
            .map(|(prompt, length)| bench.ask(prompt, Lane::Batch, prompt, greedy(length)))
            .collect();
        assert_eq!(bench.settle(), Turn::Idle);
        let texts: Vec<String> = streams.iter_mut().map(|stream| done(stream).0).collect();
        assert_eq!(texts, each);
    }
}

#[test]
fn a_batch_job_that_leaves_a_gap_does_not_part_its_neighbours() {
    let mut bench = Bench::new(512, 4);
    let mut left = bench.batch("left", 20);
    let mut between = bench.batch("between", 5);
    let mut right = bench.batch("right", 20);
    // Three prompts, four passes for all three, and fifteen for the two that are left.
    bench.turns(3 + 4 + 15);
    assert_eq!(bench.worker.turn(), Turn::Idle);
    assert_eq!(done(&mut between).1.usage.generated_tokens, 5);
    let expected = alone(20);
    assert_eq!((done(&mut left).0, done(&mut right).0), (expected.clone(), expected));
    // What lay between is as it was: asked again, all but its last token is there.
    let mut again = bench.batch("between", 5);
    bench.settle();
    let usage = done(&mut again).1.usage;
    assert_eq!(usage.cached_tokens, usage.prompt_tokens - 1);
}

#[test]
fn a_slot_that_is_full_is_never_written_to_by_its_neighbours() {
    let mut bench = Bench::new(64, 4);
    let mut left = bench.batch("left", 10);
    let mut full = bench.ask("full", Lane::Batch, "0 1 2 3 4 5", greedy(1000));
    let mut right = bench.batch("right", 10);
    bench.settle();
    assert_eq!(done(&mut full).1.reason, StopReason::ContextFull);
    let held = bench.worker.shelves.iter().position(|shelf| shelf.slot.tokens().len() == 64);
    assert!(held.is_some(), "the slot is full and keeps what it holds");
    assert_eq!((done(&mut left).0, done(&mut right).0), (alone(10), alone(10)));
    let mut left = bench.batch("left", 10);
    let mut right = bench.batch("right", 10);
    bench.settle();
    assert_eq!((done(&mut left).0, done(&mut right).0), (alone(10), alone(10)));
}

#[test]
fn a_batch_job_dropped_among_others_ends_alone() {
    let mut bench = Bench::new(512, 4);
    let mut kept = bench.batch("kept", 12);
    let dropped = bench.batch("dropped", 12);
    bench.turns(5);
    drop(dropped);
    bench.settle();
    assert_eq!(done(&mut kept).0, alone(12));
}

#[test]
fn an_interactive_job_stops_all_batch_jobs_at_the_next_token() {
    let mut bench = Bench::new(512, 4);
    let mut batch = [bench.batch("a", 30), bench.batch("b", 30)];
    bench.turns(6);
    let before = batch.each_ref().map(|stream| stream.progress().usage.generated_tokens);
    let mut interactive = bench.interactive("c", 5);
    bench.turns(5);
    assert_eq!(done(&mut interactive).0, alone(5));
    assert_eq!(batch.each_ref().map(|stream| stream.progress().usage.generated_tokens), before);
    bench.settle();
    for stream in &mut batch {
        assert_eq!(done(stream).0, alone(30));
    }
}

#[test]
fn one_slot_stays_free_for_a_person_however_many_batch_jobs_wait() {
    let mut bench = Bench::new(512, 3);
    let _batch: Vec<GenerateStream> = (0..8).map(|at| bench.batch(&format!("client {at}"), 30)).collect();
    bench.turns(4);
    assert_eq!(bench.worker.sequences.len(), 2);
    let mut interactive = bench.interactive("a", 1);
    bench.turns(1);
    assert_eq!(done(&mut interactive).1.usage.generated_tokens, 1);
}

#[test]
fn a_warm_up_computes_a_prompt_and_nothing_else() {
    let mut bench = Bench::new(512, 3);
    let mut warm = bench.ask("a", Lane::Warm, PREFIX, greedy(50));
    assert_eq!(bench.settle(), Turn::Idle);
    let (text, end) = done(&mut warm);
    assert_eq!((&*text, end.usage.generated_tokens), ("", 0));
    let mut stream = bench.interactive("a", 1);
    bench.settle();
    let usage = done(&mut stream).1.usage;
    assert_eq!(usage.cached_tokens, usage.prompt_tokens - 1);
}

#[test]
fn a_warm_up_gives_way_at_once_and_what_it_computed_stays() {
    for lane in [Lane::Interactive, Lane::Batch] {
        let mut bench = Bench::new(2000, 3);
        let long = "0 1 2 ".repeat(150);
        let mut warm = bench.ask("a", Lane::Warm, &long, Sampling::default());
        bench.turns(1);
        let computed = bench.worker.shelves[0].slot.tokens().len();
        assert!(computed > 0 && computed < 200, "{computed} tokens in the first pass");
        let mut other = bench.ask("b", lane, PREFIX, greedy(3));
        bench.turns(1);
        assert_eq!(failed(&mut warm), LlmError::Cancelled);
        assert_eq!(other.progress().usage.generated_tokens, 1);
        bench.settle();
        assert_eq!(done(&mut other).0, alone(3));
        let mut again = bench.ask("a", Lane::Interactive, &long, greedy(1));
        bench.settle();
        assert_eq!(done(&mut again).1.usage.cached_tokens, computed);
    }
}

#[test]
fn a_warm_up_waits_until_nothing_else_is_to_be_done_and_the_newest_of_a_client_counts() {
    let mut bench = Bench::new(512, 3);
    let mut batch = bench.batch("a", 5);
    let mut older = bench.ask("b", Lane::Warm, PREFIX, greedy(0));
    let mut newer = bench.ask("b", Lane::Warm, PREFIX, greedy(0));
    assert_eq!(failed(&mut older), LlmError::Cancelled);
    bench.turns(5);
    assert_eq!(done(&mut batch).1.usage.generated_tokens, 5);
    assert_eq!(newer.progress().usage.prompt_tokens, 0);
    assert_eq!(bench.settle(), Turn::Idle);
    assert_eq!(done(&mut newer).1.usage.generated_tokens, 0);
}

#[test]
fn what_slots_keep_is_bounded_and_the_longest_unused_goes_first() {
    let mut bench = Bench::new(512, 4);
    let token_bytes = bench.worker.network.token_bytes();
    bench.worker.cache_bytes_max = 100 * token_bytes;
    let cached = |bench: &mut Bench, prefix: &str| {
        let mut stream = bench.ask("a", Lane::Interactive, prefix, greedy(1));
        bench.settle();
        let held: usize = bench.worker.shelves.iter().map(|shelf| shelf.slot.touched()).sum();
        assert!(held <= 100, "{held} tokens are held");
        done(&mut stream).1.usage.cached_tokens
    };
    let [a, b, c] = ["a", "b", "c"].map(|letter| format!("{letter} {letter}{letter} ").repeat(12));
    assert_eq!(cached(&mut bench, &a), 0);
    assert!(bench.worker.shelves[0].slot.tokens().len() > 34, "{}", bench.worker.shelves[0].slot.tokens().len());
    assert_eq!((cached(&mut bench, &b), cached(&mut bench, &c)), (0, 0));
    // The last two are there, the first had to go.
    assert!(cached(&mut bench, &c) > 0);
    assert_eq!(cached(&mut bench, &a), 0);
}

#[test]
fn batch_work_does_not_wipe_what_a_person_comes_back_to() {
    let mut bench = Bench::new(512, 4);
    let files = ["mod here;\n0123456789", "fn there() {}\nABCDEFGHIJ"];
    for file in files {
        let mut stream = bench.ask("a", Lane::Interactive, file, greedy(1));
        bench.settle();
        done(&mut stream);
    }
    let _batch: Vec<GenerateStream> =
        (0..6).map(|at| bench.ask("b", Lane::Batch, &format!("{at} {at} {at} {at}"), greedy(2))).collect();
    bench.settle();
    // Three at once may run, so the longest unused file had to go, and the other stays.
    let mut stream = bench.ask("a", Lane::Interactive, files[1], greedy(1));
    bench.settle();
    let usage = done(&mut stream).1.usage;
    assert_eq!(usage.cached_tokens, usage.prompt_tokens - 1);
}

#[test]
fn a_running_sequence_is_never_evicted() {
    let mut bench = Bench::new(512, 3);
    bench.worker.cache_bytes_max = 0;
    let mut stream = bench.interactive("a", 20);
    bench.settle();
    assert_eq!(done(&mut stream).0, alone(20));
    assert!(bench.worker.shelves.iter().all(|shelf| shelf.slot.touched() == 0));
}

#[test]
fn a_reader_that_does_not_keep_up_pauses_its_sequence_and_no_other() {
    let mut bench = Bench::new(512, 3);
    let expected = alone(150);
    let mut slow = bench.interactive("slow", 150);
    assert_eq!(bench.settle(), Turn::Stalled);
    assert!(slow.progress().usage.generated_tokens < 150, "the sequence does not run ahead of its reader");
    let mut quick = bench.interactive("quick", 6);
    assert_eq!(bench.settle(), Turn::Stalled);
    assert_eq!(done(&mut quick).1.usage.generated_tokens, 6);
    let (mut text, chunks, end) = taken(&mut slow);
    assert_eq!((chunks, end), (CHUNKS_MAX, None));
    loop {
        bench.settle();
        let (piece, _, end) = taken(&mut slow);
        text.push_str(&piece);
        if let Some(end) = end {
            assert_eq!(end.unwrap().usage.generated_tokens, 150);
            break;
        }
        assert!(!piece.is_empty(), "the sequence goes on once there is room");
    }
    assert_eq!(text, expected);
}

#[test]
fn a_paused_sequence_ends_when_its_reader_goes() {
    let mut bench = Bench::new(512, 3);
    let slow = bench.interactive("slow", 150);
    assert_eq!(bench.settle(), Turn::Stalled);
    drop(slow);
    assert_eq!(bench.worker.turn(), Turn::Idle);
}

#[test]
fn a_replaced_job_with_a_full_channel_still_hears_of_it() {
    let mut bench = Bench::new(512, 3);
    let mut slow = bench.interactive("a", 150);
    assert_eq!(bench.settle(), Turn::Stalled);
    let mut newer = bench.interactive("a", 2);
    assert_eq!(bench.settle(), Turn::Stalled);
    assert_eq!(done(&mut newer).1.usage.generated_tokens, 2);
    let (_, chunks, end) = taken(&mut slow);
    assert_eq!((chunks, end), (CHUNKS_MAX, None));
    assert_eq!(bench.settle(), Turn::Idle);
    let (_, _, end) = taken(&mut slow);
    assert_eq!(end, Some(Err(LlmError::Cancelled)));
}

#[test]
fn the_answer_ends_where_the_context_does() {
    let mut bench = Bench::new(64, 2);
    let mut stream = bench.interactive("a", 1000);
    bench.settle();
    let (_, end) = done(&mut stream);
    assert_eq!(end.reason, StopReason::ContextFull);
    // The last token is shown and not computed.
    assert_eq!(end.usage.prompt_tokens + end.usage.generated_tokens, 65);
}

#[test]
fn a_stop_text_ends_the_answer_and_is_not_in_it() {
    let full = alone(30);
    let ends: Vec<usize> = full.char_indices().map(|(at, _)| at).collect();
    let stop = &full[ends[8]..ends[11]];
    let mut bench = Bench::new(512, 3);
    let sampling = Sampling { tokens_max: 30, stop: vec!["never".to_owned(), stop.to_owned()], ..Sampling::default() };
    let mut stream = bench.ask("a", Lane::Interactive, PREFIX, sampling);
    bench.settle();
    let (text, end) = done(&mut stream);
    assert_eq!((&*text, end.reason), (&full[..full.find(stop).unwrap()], StopReason::StopText));
    assert!(end.usage.generated_tokens < 30);
}

#[test]
fn no_tokens_wanted_means_none_and_a_warm_slot() {
    let mut bench = Bench::new(512, 3);
    let mut stream = bench.interactive("a", 0);
    bench.settle();
    let (text, end) = done(&mut stream);
    assert_eq!((&*text, end.reason, end.usage.generated_tokens), ("", StopReason::TokensMax, 0));
    let mut stream = bench.interactive("a", 1);
    bench.settle();
    let (_, end) = done(&mut stream);
    assert_eq!(end.usage.cached_tokens, end.usage.prompt_tokens - 1);
}

#[test]
fn the_same_seed_gives_the_same_answer() {
    let mut bench = Bench::new(512, 3);
    let mut answer = |seed| {
        let sampling = Sampling { temperature: 1.0, seed, tokens_max: 12, ..Sampling::default() };
        let mut stream = bench.ask("a", Lane::Interactive, PREFIX, sampling);
        bench.settle();
        done(&mut stream).0
    };
    let first = answer(1);
    assert_eq!(answer(1), first);
    assert_ne!(answer(2), first);
}

#[test]
fn too_many_stop_texts_are_refused() {
    let mut bench = Bench::new(512, 3);
    let sampling = Sampling { stop: vec!["x".to_owned(); 1000], ..Sampling::default() };
    let mut stream = bench.ask("a", Lane::Interactive, PREFIX, sampling);
    bench.settle();
    assert!(matches!(failed(&mut stream), LlmError::Refused { .. }));
}

#[test]
fn progress_is_known_before_the_end() {
    let mut bench = Bench::new(512, 3);
    let stream = bench.interactive("a", 10);
    bench.turns(4);
    let usage = stream.progress().usage;
    assert_eq!((usage.generated_tokens, usage.cached_tokens), (4, 0));
    assert!(usage.prompt_tokens > 10);
}

/// Asks a worker that guesses ahead, of `references`, and runs it to its end.
fn guessing(bench: &mut Bench, prefix: &str, references: &[&str], sampling: Sampling) -> (String, Done) {
    let references = references.iter().map(|&text| text.into()).collect();
    let mut stream = bench.ask_with("a", prefix, references, sampling);
    let mut text = String::new();
    loop {
        bench.settle();
        let (piece, _, end) = taken(&mut stream);
        text.push_str(&piece);
        if let Some(end) = end {
            return (text, end.unwrap());
        }
    }
}

fn greedy(tokens_max: usize) -> Sampling {
    Sampling { tokens_max, ..Sampling::default() }
}

/// Prompts whose answers repeat, do not, or are known in advance.
const PROMPTS: [&str; 5] = [
    PREFIX,
    "0 1 2 3 0 1 2 3 0 1 2 3 ",
    "if a {\n    b\n}\nif a {\n    c\n}\nif a {\n",
    "the quick brown fox jumps over the lazy dog",
    "\n\n\n\n",
];

#[test]
fn guessing_ahead_never_changes_a_greedy_answer() {
    let mut plain = Bench::new(512, 3);
    let mut ahead = Bench::with(512, 3, Speculation::On);
    let (mut drafted, mut accepted) = (0, 0);
    for prompt in PROMPTS {
        let (expected, end) = guessing(&mut plain, prompt, &[], greedy(80));
        assert_eq!((end.usage.drafted_tokens, end.usage.accepted_tokens), (0, 0));
        let whole = format!("{prompt}{expected}");
        let wrong = format!("{prompt}{}", expected.chars().rev().collect::<String>());
        for references in [&[][..], &[whole.as_str()], &[wrong.as_str()], &[wrong.as_str(), whole.as_str()]] {
            let (text, end) = guessing(&mut ahead, prompt, references, greedy(80));
            assert_eq!((text, end.usage.generated_tokens), (expected.clone(), 80));
            assert!(end.usage.accepted_tokens <= end.usage.drafted_tokens, "{end:?}");
            drafted += end.usage.drafted_tokens;
            accepted += end.usage.accepted_tokens;
        }
    }
    assert!(drafted > accepted && accepted > 100, "{accepted} of {drafted} guesses were right");
}

#[test]
fn right_guesses_save_passes() {
    let expected = alone(40);
    let mut bench = Bench::with(512, 3, Speculation::On);
    let known = format!("{PREFIX}{expected}");
    let mut stream = bench.ask_with("a", PREFIX, vec![known.as_str().into()], greedy(40));
    let mut passes = 0;
    while bench.worker.turn() == Turn::Computed {
        passes += 1;
    }
    let (text, end) = done(&mut stream);
    assert_eq!(text, expected);
    // One for the prompt gives a token, each other one and as many as were guessed right.
    assert_eq!(passes + end.usage.accepted_tokens, 40);
    assert!(end.usage.accepted_tokens > 10, "{end:?}");
}

#[test]
fn guessing_ahead_never_changes_what_a_seed_draws() {
    let mut plain = Bench::new(512, 3);
    let mut ahead = Bench::with(512, 3, Speculation::On);
    let (mut drafted, mut accepted) = (0, 0);
    for seed in 0..150 {
        let sampling = Sampling { temperature: 0.3, top_k: Some(4), seed, ..greedy(12) };
        let (expected, _) = guessing(&mut plain, PREFIX, &[], sampling.clone());
        let (text, end) = guessing(&mut ahead, PREFIX, &[], sampling);
        assert_eq!(text, expected, "seed {seed}");
        drafted += end.usage.drafted_tokens;
        accepted += end.usage.accepted_tokens;
    }
    assert!(drafted > accepted && accepted > 50, "{accepted} of {drafted} guesses were right");
}

#[test]
fn an_answer_guessed_ahead_still_ends_where_it_should() {
    let full = alone(40);
    let known = format!("{PREFIX}{full}");
    let ends: Vec<usize> = full.char_indices().map(|(at, _)| at).collect();
    let mut bench = Bench::with(512, 3, Speculation::On);
    for tokens_max in [1, 2, 3, 7, 40] {
        let (text, end) = guessing(&mut bench, PREFIX, &[&known], greedy(tokens_max));
        assert_eq!((end.reason, end.usage.generated_tokens), (StopReason::TokensMax, tokens_max));
        assert!(full.starts_with(&text), "{text:?} is no beginning of {full:?}");
    }
    for at in [1, 5, 9, 14] {
        let stop = &full[ends[at]..ends[at + 2]];
        let sampling = Sampling { stop: vec![stop.to_owned()], ..greedy(40) };
        let (text, end) = guessing(&mut bench, PREFIX, &[&known], sampling);
        assert_eq!((&*text, end.reason), (&full[..full.find(stop).unwrap()], StopReason::StopText));
    }
    let mut small = Bench::with(64, 2, Speculation::On);
    let (_, end) = guessing(&mut small, PREFIX, &[&known], greedy(1000));
    assert_eq!(end.reason, StopReason::ContextFull);
    assert_eq!(end.usage.prompt_tokens + end.usage.generated_tokens, 65);
}

#[test]
fn a_stop_token_among_right_guesses_ends_the_answer() {
    let expected = alone(40);
    let known = format!("{PREFIX}{expected}");
    let stop = Bench::new(512, 3).worker.prompts.vocabulary().encode(&expected).unwrap()[7];
    let mut plain = Bench::stopping_at(vec![stop], 512, 3, Speculation::Off);
    let mut ahead = Bench::stopping_at(vec![stop], 512, 3, Speculation::On);
    let (text, end) = guessing(&mut plain, PREFIX, &[], greedy(40));
    assert_eq!(end.reason, StopReason::EndOfText);
    let (again, end_ahead) = guessing(&mut ahead, PREFIX, &[&known], greedy(40));
    assert_eq!((again, end_ahead.reason), (text, StopReason::EndOfText));
    assert_eq!(end_ahead.usage.generated_tokens, end.usage.generated_tokens);
}

#[test]
fn a_slot_holds_only_what_was_said_after_wrong_guesses() {
    let mut bench = Bench::with(512, 2, Speculation::On);
    let right: String = alone(20).chars().take(6).collect();
    let wrong = format!("{PREFIX}{right}~~~~~~~~~~~~~~~~");
    let (text, end) = guessing(&mut bench, PREFIX, &[&wrong], greedy(20));
    assert!(end.usage.drafted_tokens > end.usage.accepted_tokens, "{end:?}");
    let vocabulary = bench.worker.prompts.vocabulary();
    let held: Vec<u8> =
        (bench.worker.shelves[0].slot.tokens().iter()).flat_map(|&token| vocabulary.bytes(token)).copied().collect();
    let held = String::from_utf8_lossy(&held).into_owned();
    assert!(format!("{PREFIX}{text}").starts_with(&held), "{held:?}");
}

#[test]
fn a_dropped_answer_is_guessed_when_it_is_asked_for_again() {
    let mut bench = Bench::with(512, 2, Speculation::On);
    let (expected, _) = guessing(&mut bench, PREFIX, &[], greedy(30));
    let (again, end) = guessing(&mut bench, PREFIX, &[], greedy(30));
    assert_eq!(again, expected);
    assert!(end.usage.accepted_tokens > 10, "{end:?}");
}
