use std::{fs, path::Path, sync::mpsc, thread};

use finch_llm::{
    ClientId, Done, GenerateRequest, InfillRequest, Lane, LlmError, Message, Provider, ProviderId, Sampling,
};
use finch_model::{
    manifest::{GRAPH_FILE, InfillStyle, MANIFEST_FILE, Quant, TOKENIZER_FILE, WEIGHTS_FILE},
    tiny::{TinyArchitecture, TinySpec},
};

use super::{Engine, EngineOptions};
use crate::{
    device::{Device, Devices},
    testing::{TinyModel, read, runtime},
};

fn infill(client: &str, lane: Lane, tokens_max: usize) -> InfillRequest {
    InfillRequest {
        client: ClientId::new(client),
        origin: finch_llm::Origin::default(),
        lane,
        prefix: "fn main() {\n    let x = ".to_owned(),
        suffix: ";\n}\n".to_owned(),
        context: finch_llm::InfillContext::default(),
        prompt_tokens_max: 100,
        references: Vec::new(),
        sampling: Sampling { tokens_max, ..Sampling::default() },
    }
}

fn tiny(architecture: TinyArchitecture) -> TinyModel {
    TinyModel::new(TinySpec { architecture, ..TinySpec::default() }, Quant::Int8)
}

#[test]
fn an_engine_says_what_it_is_and_answers() {
    for architecture in [TinyArchitecture::Llama, TinyArchitecture::Qwen2] {
        let engine = tiny(architecture).engine(EngineOptions { context_tokens_max: 300, ..EngineOptions::default() });
        let capabilities = engine.capabilities();
        assert_eq!(engine.id(), ProviderId::new("local"));
        assert_eq!((&*capabilities.model, capabilities.context_tokens_max), ("tiny", 300));
        assert_eq!(capabilities.fill_in_the_middle, engine.infill_style() == InfillStyle::Fim);
        let (text, done) = read(engine.infill(infill("a", Lane::Interactive, 8))).unwrap();
        assert!(done.usage.suffix_tokens > 1 && done.usage.generated_tokens >= 1 && !text.is_empty(), "{done:?}");
        let messages = vec![Message::User("Why?".to_owned())];
        let mut request = GenerateRequest::new(ClientId::new("a"), Lane::Batch, messages);
        request.sampling.tokens_max = 8;
        assert!(read(engine.generate(request)).unwrap().1.usage.generated_tokens >= 1);
    }
}

#[test]
fn devices_that_are_not_there_are_told_and_the_next_one_answers() {
    let model = tiny(TinyArchitecture::Llama);
    let answer = |names: &[&str]| {
        let devices = Devices::parse(names).unwrap();
        let engine = model.engine(EngineOptions { devices, context_tokens_max: 512, ..EngineOptions::default() });
        let (text, _) = read(engine.infill(infill("a", Lane::Interactive, 8))).unwrap();
        (text, engine.placement().clone())
    };
    let (expected, alone) = answer(&["cpu"]);
    assert_eq!((alone.used(), alone.complaints().count()), (&[Device::Cpu][..], 0));
    for names in [&["cuda", "cpu"][..], &["coreml"], &["directml:1", "openvino:npu", "cuda:3"]] {
        let (text, placement) = answer(names);
        let wanted: Vec<Device> = Devices::parse(names).unwrap().before_cpu().collect();
        let (last, used) = placement.used().split_last().unwrap();
        assert_eq!((*last, used.len() + placement.complaints().count()), (Device::Cpu, wanted.len()), "{placement:?}");
        for (device, _) in placement.unused() {
            assert!(wanted.contains(device) && !used.contains(device), "{placement:?}");
        }
        // Another device rounds in another way.
        if used.is_empty() {
            assert_eq!(text, expected);
        }
    }
}

#[test]
fn the_infill_style_can_be_overridden() {
    let options = EngineOptions { infill: Some(InfillStyle::Prefix), ..EngineOptions::default() };
    let engine = tiny(TinyArchitecture::Llama).engine(options);
    assert!(!engine.capabilities().fill_in_the_middle);
    let at_a_line_end = InfillRequest { suffix: "\n}\n".to_owned(), ..infill("a", Lane::Interactive, 4) };
    assert_eq!(read(engine.infill(at_a_line_end)).unwrap().1.usage.suffix_tokens, 0);
}

#[test]
fn dropping_the_last_handle_ends_the_thread_and_its_work() {
    let engine = tiny(TinyArchitecture::Llama).engine(EngineOptions::default());
    let stream = engine.clone().infill(infill("a", Lane::Interactive, 1_000_000));
    drop(engine);
    // The thread is joined: what the stream holds now is all there will be.
    match read(stream) {
        Ok(_) => {}
        Err(error) => assert!(matches!(error, LlmError::Unavailable { .. }), "{error}"),
    }
}

#[test]
fn an_engine_that_is_told_to_finish_answers_what_it_has_and_takes_no_more() {
    let engine = tiny(TinyArchitecture::Llama).engine(EngineOptions::default());
    let streams: Vec<_> = (0..3).map(|at| engine.infill(infill(&format!("{at}"), Lane::Batch, 40))).collect();
    engine.finish(std::time::Duration::from_secs(60));
    let late = read(engine.infill(infill("late", Lane::Interactive, 4)));
    assert_eq!(late.unwrap_err(), LlmError::Loading);
    drop(engine);
    streams.into_iter().for_each(|stream| drop(read(stream).unwrap()));
}

#[test]
fn many_clients_are_served_at_once() {
    let engine = tiny(TinyArchitecture::Llama).engine(EngineOptions::default());
    let expected = read(engine.infill(infill("first", Lane::Interactive, 12))).unwrap().0;
    let (sender, texts) = mpsc::channel();
    for at in 0..8 {
        let (engine, sender) = (engine.clone(), sender.clone());
        thread::spawn(move || {
            let lane = if at % 2 == 0 { Lane::Interactive } else { Lane::Batch };
            for _ in 0..3 {
                sender.send(read(engine.infill(infill(&format!("client {at}"), lane, 12))).unwrap().0).unwrap();
            }
        });
    }
    drop(sender);
    let texts: Vec<String> = texts.iter().collect();
    assert_eq!(texts.len(), 24);
    assert!(texts.iter().all(|text| *text == expected), "{texts:?} and not only {expected:?}");
}

/// How a request ended that another one of the same client came behind.
fn replaced(engine: &Engine) -> Result<Done, LlmError> {
    let older = engine.infill(infill("a", Lane::Interactive, 1_000_000));
    let newer = engine.infill(infill("a", Lane::Interactive, 4));
    let end = read(older).map(|(_, done)| done);
    assert!(read(newer).is_ok());
    end
}

/// The whole answer of a tiny model takes some milliseconds, and a busy machine may let this thread wait as long
/// between the two requests. What happens when they meet is tested step by step with the worker.
#[test]
fn a_keystroke_replaces_the_one_before() {
    let engine = tiny(TinyArchitecture::Llama).engine(EngineOptions::default());
    let met = (0..50).map(|_| replaced(&engine)).find_map(Result::err);
    assert_eq!(met, Some(LlmError::Cancelled));
}

#[test]
fn a_directory_without_a_model_is_a_clear_error() {
    let error = Engine::load(&runtime(), Path::new("/no/such/model"), EngineOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "no model in /no/such/model: it has no model.toml");
}

#[test]
fn a_file_cut_short_is_an_error_that_names_it() {
    for file in [GRAPH_FILE, WEIGHTS_FILE, TOKENIZER_FILE, MANIFEST_FILE] {
        let model = tiny(TinyArchitecture::Llama);
        let path = model.dir.join(file);
        let whole = fs::read(&path).unwrap();
        for length in [0, 1, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..length]).unwrap();
            let result = Engine::load(&runtime(), &model.dir, EngineOptions::default());
            // A manifest without its last byte, a line break, is whole.
            if let Err(error) = result {
                assert!(error.to_string().contains(file), "{error}");
            } else {
                assert_eq!((file, length), (MANIFEST_FILE, whole.len() - 1));
            }
        }
    }
}

/// Loads and runs a damaged model: an error is fine, and so is noise.
fn survives(model: &TinyModel) {
    if let Ok(engine) = Engine::load(&runtime(), &model.dir, EngineOptions::default())
        && let Err(error) = read(engine.infill(infill("a", Lane::Interactive, 3)))
    {
        let expected =
            matches!(error, LlmError::Unavailable { .. } | LlmError::Protocol { .. } | LlmError::ContextTooLong { .. });
        assert!(expected, "{error:?}");
    }
}

#[test]
fn flipped_bits_never_bring_the_process_down() {
    let model = TinyModel::new(
        TinySpec { layers: 1, hidden: 32, heads: 2, ff: 32, vocab: 300, ..TinySpec::default() },
        Quant::Int8,
    );
    for file in [GRAPH_FILE, WEIGHTS_FILE, TOKENIZER_FILE, MANIFEST_FILE] {
        let path = model.dir.join(file);
        let whole = fs::read(&path).unwrap();
        for flip in 0..40 {
            let mut bytes = whole.clone();
            let at = (flip * 2_654_435_761 + 17) % bytes.len();
            bytes[at] ^= 1 << (flip % 8);
            fs::write(&path, &bytes).unwrap();
            survives(&model);
        }
        fs::write(&path, &whole).unwrap();
    }
    assert!(read(model.engine(EngineOptions::default()).infill(infill("a", Lane::Interactive, 3))).is_ok());
}

#[test]
fn weights_that_are_no_numbers_are_an_error_that_says_so() {
    let model = TinyModel::new(TinySpec { layers: 1, ..TinySpec::default() }, Quant::Fp32);
    let path = model.dir.join(WEIGHTS_FILE);
    let length = fs::metadata(&path).unwrap().len();
    fs::write(&path, vec![0xff; usize::try_from(length).unwrap()]).unwrap();
    let error = read(model.engine(EngineOptions::default()).infill(infill("a", Lane::Interactive, 3))).unwrap_err();
    assert!(error.to_string().contains("its weights are damaged"), "{error}");
}

#[test]
fn what_one_engine_computed_the_next_one_has() {
    let model = tiny(TinyArchitecture::Llama);
    let folder = tempfile::tempdir().unwrap();
    let ask = |keep: bool| {
        let options = EngineOptions::default();
        let engine = if keep {
            Engine::load_keeping(&runtime(), &model.dir, options, folder.path()).unwrap()
        } else {
            model.engine(options)
        };
        read(engine.infill(infill("a", Lane::Interactive, 6))).unwrap()
    };
    let (text, cold) = ask(true);
    assert_eq!(cold.usage.cached_tokens, 0);
    let (again, warm) = ask(true);
    assert_eq!(again, text);
    assert!(warm.usage.cached_tokens * 2 > warm.usage.prompt_tokens, "{warm:?}");
    // Who was not told to keep anything reads nothing and writes nothing.
    let path = folder.path().join("tiny.kv");
    fs::remove_file(&path).unwrap();
    assert_eq!(ask(false).1.usage.cached_tokens, 0);
    assert!(!path.exists());
    // A damaged file costs the warm start and nothing else.
    ask(true);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    fs::write(&path, bytes).unwrap();
    let (text_after, cold) = ask(true);
    assert_eq!((text_after, cold.usage.cached_tokens), (text, 0));
}
