use std::{path::Path, time::Duration};

use tokio::time::sleep;

use super::*;
use crate::{Chunk, ClientId, Done, Message, Sampling, StopReason, Timings, Usage};

/// What a provider does when it is asked.
#[derive(Debug, Clone)]
enum Acts {
    /// Says its own name after so many milliseconds.
    Says(u64),
    Fails(LlmError),
    /// Says its name and fails then.
    Breaks,
}

struct Scripted {
    id: &'static str,
    acts: Acts,
    asked: Arc<Mutex<Vec<&'static str>>>,
}

impl Scripted {
    fn stream(&self) -> GenerateStream {
        self.asked.lock().unwrap().push(self.id);
        let (sender, stream) = crate::stream();
        let (id, acts) = (self.id, self.acts.clone());
        tokio::spawn(async move {
            let unavailable = || LlmError::Unavailable { reason: "broken".to_owned() };
            let end = match acts {
                Acts::Fails(error) => Err(error),
                Acts::Says(ms) => {
                    sleep(Duration::from_millis(ms)).await;
                    sender.send(Ok(Chunk::Text(id.to_owned()))).await.ok();
                    let (usage, timings) = (Usage::default(), Timings::default());
                    Ok(Chunk::Done(Done { reason: StopReason::EndOfText, usage, timings }))
                }
                Acts::Breaks => {
                    sender.send(Ok(Chunk::Text(id.to_owned()))).await.ok();
                    Err(unavailable())
                }
            };
            sender.send(end).await.ok();
        });
        stream
    }
}

impl Provider for Scripted {
    fn id(&self) -> ProviderId {
        ProviderId::new(self.id)
    }

    fn capabilities(&self) -> Capabilities {
        let model = if matches!(self.acts, Acts::Fails(LlmError::Loading)) { "" } else { "m" };
        Capabilities { model: model.to_owned(), fill_in_the_middle: true, chat: true, ..Capabilities::none() }
    }

    fn generate(&self, _: GenerateRequest) -> GenerateStream {
        self.stream()
    }

    fn scores_tokens(&self, _: &Origin) -> bool {
        self.id == "here"
    }

    fn tokens_of(&self, _: &Origin, text: &str) -> Option<usize> {
        (self.id == "here").then_some(text.len())
    }

    fn infill(&self, _: InfillRequest) -> GenerateStream {
        self.stream()
    }
}

struct Rig {
    router: Router,
    asked: Arc<Mutex<Vec<&'static str>>>,
    events: broadcast::Receiver<RouterEvent>,
}

/// The provider `here` computes here, others are away.
fn rig(providers: &[(&'static str, Acts)], policy: Policy, consent: Consent) -> Rig {
    let asked = Arc::<Mutex<Vec<_>>>::default();
    let listed = |(id, acts): &(&'static str, Acts)| Listed {
        provider: Arc::new(Scripted { id, acts: acts.clone(), asked: Arc::clone(&asked) }),
        place: if *id == "here" { Place::Here } else { Place::Away { host: format!("{id}.example") } },
        cost: 1.0,
    };
    let terms = Terms { policy, rules: Vec::new(), consent: Arc::new(move |_| consent) };
    let providers = providers.iter().map(listed).collect();
    let setup = Setup { providers, terms: Arc::new(terms), hedge: Hedge::Measured };
    let router = Router::new(setup, Handle::current());
    let events = router.events();
    Rig { router, asked, events }
}

fn origin() -> Origin {
    Origin { task: Task::Completion, workspace: Some(Path::new("/w").into()), ..Origin::default() }
}

fn infill(origin: Origin) -> InfillRequest {
    InfillRequest {
        client: ClientId::new("c"),
        origin,
        lane: Lane::Interactive,
        prefix: "a".to_owned(),
        suffix: String::new(),
        context: crate::InfillContext::default(),
        prompt_tokens_max: 10,
        references: Vec::new(),
        sampling: Sampling::default(),
    }
}

fn chat() -> GenerateRequest {
    GenerateRequest::new(ClientId::new("c"), Lane::Batch, vec![Message::User("Hi".to_owned())])
}

/// The text, who is said to have made it, and the kind of the error if it ended with one.
async fn read(mut stream: GenerateStream) -> (String, Option<String>, &'static str) {
    let (mut text, mut kind) = (String::new(), "");
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(Chunk::Text(piece)) => text.push_str(&piece),
            Ok(_) => {}
            Err(error) => kind = error.kind(),
        }
    }
    (text, stream.provenance().map(|provenance| provenance.provider.to_string()), kind)
}

fn unavailable() -> Acts {
    Acts::Fails(LlmError::Unavailable { reason: "down".to_owned() })
}

/// Who answers a completion and who was asked for it.
#[track_caller]
fn check(
    providers: &[(&'static str, Acts)],
    policy: Policy,
    consent: Consent,
    answer: (&str, &str),
    asked: &[&str],
) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    let (providers, asked, answer) = (providers.to_vec(), asked.join(" "), (answer.0.to_owned(), answer.1.to_owned()));
    async move {
        let rig = rig(&providers, policy, consent);
        let (text, from, kind) = read(rig.router.infill(infill(origin()))).await;
        assert_eq!((&text, kind), (&answer.0, answer.1.as_str()), "{caller}");
        assert_eq!(from.filter(|_| kind.is_empty()).unwrap_or_default(), text, "{caller}");
        assert_eq!(rig.asked.lock().unwrap().join(" "), asked, "{caller}");
    }
}

const FIRST: Policy = Policy::LocalFirst;

#[tokio::test(start_paused = true)]
async fn the_first_that_says_something_answers() {
    let cloud = ("cloud", Acts::Says(10));
    check(&[("here", Acts::Says(10)), cloud.clone()], FIRST, Consent::Given, ("here", ""), &["here"]).await;
    check(&[("here", unavailable()), cloud.clone()], FIRST, Consent::Given, ("cloud", ""), &["here", "cloud"]).await;
    check(
        &[("a", unavailable()), ("b", unavailable()), cloud.clone()],
        FIRST,
        Consent::Given,
        ("cloud", ""),
        &["a", "b", "cloud"],
    )
    .await;
    let loading = ("here", Acts::Fails(LlmError::Loading));
    check(&[loading, cloud], FIRST, Consent::Given, ("cloud", ""), &["here", "cloud"]).await;
}

#[tokio::test(start_paused = true)]
async fn nobody_beyond_this_machine_is_asked_without_consent() {
    let cloud = ("cloud", Acts::Says(10));
    for consent in [Consent::Unknown, Consent::Refused] {
        check(&[("here", unavailable()), cloud.clone()], FIRST, consent, ("", "unavailable"), &["here"]).await;
        check(std::slice::from_ref(&cloud), FIRST, consent, ("", "refused"), &[]).await;
    }
    check(&[("here", unavailable()), cloud], Policy::LocalOnly, Consent::Given, ("", "unavailable"), &["here"]).await;
}

#[tokio::test(start_paused = true)]
async fn who_is_late_gets_company_and_the_first_chunk_wins() {
    let given = Consent::Given;
    check(&[("here", Acts::Says(5000)), ("cloud", Acts::Says(200))], FIRST, given, ("cloud", ""), &["here", "cloud"])
        .await;
    check(&[("here", Acts::Says(1100)), ("cloud", Acts::Says(200))], FIRST, given, ("here", ""), &["here", "cloud"])
        .await;
    let hangs = Acts::Says(600_000);
    check(
        &[("a", hangs.clone()), ("b", hangs.clone()), ("c", Acts::Says(10))],
        FIRST,
        given,
        ("c", ""),
        &["a", "b", "c"],
    )
    .await;
    // A conversation costs, and nobody types on meanwhile.
    let rig = rig(&[("a", Acts::Says(30_000)), ("b", Acts::Says(1))], FIRST, given);
    assert_eq!(read(rig.router.generate(chat())).await.0, "a");
    assert_eq!(*rig.asked.lock().unwrap(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn what_breaks_after_the_first_chunk_is_told_and_not_mended() {
    let rig = rig(&[("a", Acts::Breaks), ("b", Acts::Says(1))], FIRST, Consent::Given);
    let found = read(rig.router.infill(infill(origin()))).await;
    assert_eq!(found, ("a".to_owned(), Some("a".to_owned()), "unavailable"));
    // It is left alone then.
    assert_eq!(read(rig.router.infill(infill(origin()))).await.0, "b");
    assert_eq!(*rig.asked.lock().unwrap(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_cancelled_is_sent_nowhere_else() {
    check(
        &[("here", Acts::Fails(LlmError::Cancelled)), ("cloud", Acts::Says(1))],
        FIRST,
        Consent::Given,
        ("", "cancelled"),
        &["here"],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn that_nobody_answers_is_said_once_a_minute() {
    let mut rig = rig(&[("a", unavailable())], FIRST, Consent::Given);
    for _ in 0..5 {
        assert_eq!(read(rig.router.infill(infill(origin()))).await.0, "");
    }
    let said = |event: RouterEvent| matches!(event, RouterEvent::AllFailed { .. });
    assert!(said(rig.events.try_recv().unwrap()));
    assert!(rig.events.try_recv().is_err());
    let later = Instant::now() + limits::NOTICE_INTERVAL;
    rig.router.shared.all_failed("again", later);
    assert!(said(rig.events.try_recv().unwrap()));
}

#[tokio::test(start_paused = true)]
async fn six_that_are_down_are_no_storm_and_one_notice_a_minute() {
    let down = ["a", "b", "c", "d", "e", "f"].map(|id| (id, unavailable()));
    let mut rig = rig(&down, FIRST, Consent::Given);
    // A person types for a minute.
    for _ in 0..119 {
        read(rig.router.infill(infill(origin()))).await;
        sleep(Duration::from_millis(500)).await;
    }
    assert!(rig.asked.lock().unwrap().len() <= 10, "{:?}", rig.asked.lock().unwrap());
    let mut notices = 0;
    while let Ok(event) = rig.events.try_recv() {
        notices += u32::from(matches!(event, RouterEvent::AllFailed { .. }));
    }
    assert_eq!(notices, 1);
    // Who asks a question is not sent away.
    read(rig.router.generate(chat())).await;
    assert_eq!(rig.asked.lock().unwrap().len(), 12);
}

#[tokio::test(start_paused = true)]
async fn consent_is_wanted_where_a_cloud_would_be_of_use() {
    let cloud = ("cloud", Acts::Says(1));
    let wanted = |rig: &mut Rig| match rig.events.try_recv() {
        Ok(RouterEvent::ConsentWanted { provider, host, .. }) => format!("{provider} {host}"),
        other => format!("{other:?}"),
    };
    let mut loading = rig(&[("here", Acts::Fails(LlmError::Loading)), cloud.clone()], FIRST, Consent::Unknown);
    assert!(!loading.router.is_ready(&origin()));
    assert_eq!(wanted(&mut loading), "cloud cloud.example");
    let mut late = rig(&[("here", Acts::Says(3000)), cloud.clone()], FIRST, Consent::Unknown);
    assert_eq!(read(late.router.infill(infill(origin()))).await.0, "here");
    assert_eq!(wanted(&mut late), "cloud cloud.example");
    let mut quick = rig(&[("here", Acts::Says(3)), cloud.clone()], FIRST, Consent::Unknown);
    assert_eq!(read(quick.router.infill(infill(origin()))).await.0, "here");
    assert!(!wanted(&mut quick).starts_with("cloud"));
    let mut bound = rig(&[("here", Acts::Fails(LlmError::Loading)), cloud], Policy::LocalOnly, Consent::Unknown);
    assert!(!bound.router.is_ready(&origin()));
    assert!(!wanted(&mut bound).starts_with("cloud"));
}

#[tokio::test(start_paused = true)]
async fn who_is_named_is_asked_alone() {
    let rig = rig(&[("here", Acts::Says(1)), ("cloud", Acts::Says(1))], FIRST, Consent::Unknown);
    let named = Origin { named: Some(ProviderId::new("cloud")), ..Origin::default() };
    let found = read(rig.router.generate(GenerateRequest { origin: named, ..chat() })).await;
    assert_eq!((found.0.as_str(), rig.asked.lock().unwrap().as_slice()), ("cloud", ["cloud"].as_slice()));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_asked_for_yet_stays_here() {
    let rig = rig(&[("here", Acts::Says(3000)), ("cloud", Acts::Says(1))], FIRST, Consent::Given);
    let found = read(rig.router.infill(infill(Origin { is_ahead: true, ..origin() }))).await;
    assert_eq!((found.0.as_str(), rig.asked.lock().unwrap().as_slice()), ("here", ["here"].as_slice()));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_goes_stops_everybody() {
    let rig = rig(&[("a", unavailable()), ("b", Acts::Says(1000)), ("c", Acts::Says(1))], FIRST, Consent::Given);
    let stream = rig.router.generate(chat());
    sleep(Duration::from_millis(10)).await;
    drop(stream);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(*rig.asked.lock().unwrap(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn other_settings_hold_from_the_next_request() {
    let rig = rig(&[("a", unavailable())], FIRST, Consent::Given);
    assert_eq!(read(rig.router.generate(chat())).await.2, "unavailable");
    let asked = Arc::clone(&rig.asked);
    let provider = Arc::new(Scripted { id: "b", acts: Acts::Says(1), asked });
    let terms = Terms { policy: FIRST, rules: Vec::new(), consent: Arc::new(|_| Consent::Unknown) };
    let listed = Listed { provider, place: Place::ThisMachine, cost: 0.0 };
    rig.router.reconfigure(Setup { providers: vec![listed], terms: Arc::new(terms), hedge: Hedge::Never });
    assert_eq!(read(rig.router.generate(chat())).await.0, "b");
}

#[tokio::test]
async fn what_is_said_of_a_named_provider_is_its_own() {
    let Rig { router, asked, .. } =
        rig(&[("here", Acts::Says(0)), ("far", Acts::Says(0))], Policy::LocalFirst, Consent::Given);
    let named = Origin { named: Some(ProviderId::new("far")), ..origin() };
    assert_eq!(router.provenance_for(&origin()).provider.as_str(), "here");
    assert_eq!(router.provenance_for(&named).provider.as_str(), "far");
    assert_eq!((router.tokens_of(&origin(), "four"), router.tokens_of(&named, "four")), (Some(4), None));
    assert_eq!((router.scores_tokens(&origin()), router.scores_tokens(&named)), (true, false));
    let scored = |origin: Origin| {
        let mut request = infill(origin);
        request.sampling.alternatives = Some(0);
        request
    };
    let refused = router.infill(scored(named)).next().await.unwrap().unwrap_err();
    assert!(matches!(refused, LlmError::Refused { .. }), "{refused}");
    assert!(asked.lock().unwrap().is_empty());
    assert!(router.infill(scored(origin())).next().await.unwrap().is_ok());
    assert_eq!(*asked.lock().unwrap(), ["here"]);
}
