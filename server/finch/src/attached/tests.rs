use std::sync::atomic::AtomicUsize;

use finch_llm::{Chunk, ClientId, Done, Lane, StopReason, Timings, Usage};

use super::*;

/// Says these chunks one after the other, and then nothing more.
struct Says(&'static str, Vec<Result<Chunk, LlmError>>);

impl Says {
    fn whole(model: &'static str) -> Self {
        let done = Done { reason: StopReason::EndOfText, usage: Usage::default(), timings: Timings::default() };
        Self(model, vec![Ok(Chunk::Text(format!("by {model}"))), Ok(Chunk::Done(done))])
    }
}

impl Provider for Says {
    fn id(&self) -> ProviderId {
        ProviderId::new("local")
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { model: self.0.to_owned(), chat: true, ..Capabilities::none() }
    }

    fn generate(&self, _: GenerateRequest) -> GenerateStream {
        let (sender, stream) = stream();
        self.1.iter().for_each(|chunk| sender.try_send(chunk.clone()).unwrap());
        stream
    }

    fn infill(&self, _: InfillRequest) -> GenerateStream {
        unreachable!("nothing is filled in here")
    }
}

/// What came of two questions: the texts, or the error, and whether it was all the daemon's.
#[derive(Debug, PartialEq, Eq)]
struct Came {
    answers: [Result<String, LlmError>; 2],
    by_daemon: bool,
    loads: usize,
}

async fn asked(attached: &Attached) -> Result<String, LlmError> {
    let mut text = String::new();
    let mut stream = attached.generate(GenerateRequest::new(ClientId::new("test"), Lane::Interactive, Vec::new()));
    loop {
        match stream.next().await.expect("it ended without an end")? {
            Chunk::Text(more) => text.push_str(&more),
            Chunk::Done(_) => return Ok(text),
            chunk => panic!("{chunk:?}"),
        }
    }
}

/// Asks twice where the daemon says this.
async fn came(daemon: Says, here: fn() -> anyhow::Result<Says>) -> Came {
    let loads = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&loads);
    let load = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new(here()?) as Arc<dyn Provider>)
    };
    let attached = Attached::new(Arc::new(daemon), Box::new(load), Handle::current());
    let answers = [asked(&attached).await, asked(&attached).await];
    Came { answers, by_daemon: attached.is_by_daemon(), loads: loads.load(Ordering::Relaxed) }
}

fn both(answer: Result<&str, LlmError>) -> [Result<String, LlmError>; 2] {
    [answer.clone().map(str::to_owned), answer.map(str::to_owned)]
}

#[tokio::test]
async fn a_daemon_that_answers_is_all_there_is() {
    let came = came(Says::whole("daemon"), || Ok(Says::whole("here"))).await;
    assert_eq!(came, Came { answers: both(Ok("by daemon")), by_daemon: true, loads: 0 });
}

#[tokio::test]
async fn what_no_daemon_answers_is_answered_here_by_a_model_that_is_loaded_once() {
    let gone = LlmError::Unavailable { reason: "the connection to the daemon broke; ask again".to_owned() };
    for error in [LlmError::Loading, gone, LlmError::Protocol { reason: "what?".to_owned() }] {
        let came = came(Says("daemon", vec![Err(error)]), || Ok(Says::whole("here"))).await;
        assert_eq!(came, Came { answers: both(Ok("by here")), by_daemon: false, loads: 1 });
    }
}

#[tokio::test]
async fn what_the_request_is_to_blame_for_is_told_and_not_asked_again() {
    for error in [
        LlmError::Cancelled,
        LlmError::Overloaded,
        LlmError::ContextTooLong { tokens: 2, tokens_max: 1 },
        LlmError::Refused { reason: "no such grammar".to_owned() },
    ] {
        let came = came(Says("daemon", vec![Err(error.clone())]), || Ok(Says::whole("here"))).await;
        assert_eq!(came, Came { answers: both(Err(error)), by_daemon: false, loads: 0 });
    }
}

#[tokio::test]
async fn an_answer_that_has_begun_is_not_begun_again() {
    let gone = LlmError::Unavailable { reason: "gone".to_owned() };
    let said = vec![Ok(Chunk::Text("Once upon".to_owned())), Err(gone.clone())];
    let came = came(Says("daemon", said), || Ok(Says::whole("here"))).await;
    assert_eq!((came.answers, came.loads), (both(Err(gone)), 0));
}

#[tokio::test]
async fn a_model_that_is_being_loaded_outlives_whoever_wanted_it_first() {
    let (load_now, wait) = std::sync::mpsc::channel::<()>();
    let (wait, loads) = (std::sync::Mutex::new(wait), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&loads);
    let load = move || {
        wait.lock().unwrap().recv()?;
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new(Says::whole("here")) as Arc<dyn Provider>)
    };
    let daemon = Says("daemon", vec![Err(LlmError::Loading)]);
    let attached = Attached::new(Arc::new(daemon), Box::new(load), Handle::current());
    assert!(!attached.has_turned_here().await, "nobody has asked yet");
    let first = asked(&attached);
    assert!(tokio::time::timeout(std::time::Duration::from_millis(50), first).await.is_err());
    load_now.send(()).unwrap();
    assert!(attached.has_turned_here().await);
    assert_eq!((asked(&attached).await, loads.load(Ordering::Relaxed)), (Ok("by here".to_owned()), 1));
}

#[tokio::test]
async fn a_model_that_cannot_be_loaded_here_either_says_why() {
    let came = came(Says("daemon", vec![Err(LlmError::Loading)]), || anyhow::bail!("its files are damaged")).await;
    let reason = "its files are damaged".to_owned();
    assert_eq!((came.answers, came.loads), (both(Err(LlmError::Unavailable { reason })), 1));
}
