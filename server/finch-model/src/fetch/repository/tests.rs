use serde_json::{Value as Json, json};

use super::{reference::Pick, *};
use crate::{
    digest::Digest,
    fetch::tests::{Bench, Reply, Server},
    tiny::{HubSpec, TinySpec, write_hub, write_tiny_gguf},
};

const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";
const LIST: &str = "get /api/models/owner/name/revision/main?blobs=true http/1.1";

fn large(path: &str, bytes: &[u8]) -> Json {
    let sum = Digest::of_bytes(bytes).to_string();
    json!({ "rfilename": path, "size": bytes.len(), "blobId": "x", "lfs": { "sha256": sum, "size": bytes.len(), "pointerSize": 1 } })
}

fn small(path: &str, bytes: &[u8]) -> Json {
    json!({ "rfilename": path, "size": bytes.len(), "blobId": "x" })
}

fn listing(files: &[Json]) -> Vec<u8> {
    json!({ "id": "owner/name", "sha": REVISION, "cardData": { "license": "mit" }, "siblings": files })
        .to_string()
        .into_bytes()
}

fn get(file: &str) -> String {
    format!("get /owner/name/resolve/{REVISION}/{file} http/1.1").to_ascii_lowercase()
}

async fn fetch_from(bench: &mut Bench, reference: &str) -> Result<FetchedRepository, FetchError> {
    let reference = reference.parse().unwrap();
    let Bench { options, pace, events, .. } = &*bench;
    let (options, pace, mut events) = (options.clone(), pace.clone(), events.clone());
    let fetched = fetch(&reference, &bench.home(), &options, &pace, &mut |event| events.push(event)).await;
    bench.events = events;
    fetched
}

/// Fetches with these replies; all of them are needed, in the order of these requests.
#[track_caller]
fn check(reference: &str, replies: Vec<Reply>, requests: &[String]) -> (Result<FetchedRepository, FetchError>, Bench) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = Server::start(replies).await;
        let mut bench = Bench::hub_only(1, &server);
        let fetched = fetch_from(&mut bench, reference).await;
        assert_eq!(server.requests(), requests);
        (fetched, bench)
    })
}

#[track_caller]
fn check_refused(reference: &str, replies: Vec<Reply>, parts: &[&str]) {
    let mut requests = vec![LIST.to_owned()];
    requests.truncate(replies.len());
    let text = check(reference, replies, &requests).0.expect_err("refused").to_string();
    assert!(parts.iter().all(|part| text.contains(part)), "{text}");
}

fn ok(bytes: &[u8]) -> Reply {
    Reply::new("200 OK", &format!("Content-Length: {}\nETag: W/\"x\"", bytes.len()), bytes)
}

#[test]
fn a_model_is_named_by_repository_file_or_choice() {
    let check = |text: &str, repo: &str, pick: Pick| {
        let reference: HubReference = text.parse().unwrap();
        assert_eq!((reference.repo(), reference.pick(), reference.to_string()), (repo, &pick, text.to_owned()));
    };
    check("Qwen/Qwen2.5-0.5B", "Qwen/Qwen2.5-0.5B", Pick::Only);
    check("a/b/c.gguf", "a/b", Pick::File("c.gguf".to_owned()));
    check("a/b/Q4_K_M/c.GGUF", "a/b", Pick::File("Q4_K_M/c.GGUF".to_owned()));
    check("a/b:Q4_K_M", "a/b", Pick::Labelled("Q4_K_M".to_owned()));
    for text in ["", "a", "a/", "/b", "a/b/", "a/b/c.bin", "a/../c.gguf", "a/b/../../c.gguf", "a/b:", "a/b:x/y"] {
        assert!(text.parse::<HubReference>().is_err(), "{text}");
    }
    for text in ["a b/c", "a/b?x", "https://hub/a/b", "a/.b", "a/b/c.gguf:Q4_0", "a/b#c", "-a/b"] {
        assert!(text.parse::<HubReference>().is_err(), "{text}");
    }
}

/// What is chosen among files, by path; an error by a part of its text.
#[track_caller]
fn check_choice(files: &[&str], reference: &str, expected: Result<&[&str], &str>) {
    let files: Vec<Json> = files.iter().map(|file| small(file, b"x")).collect();
    let listing = Listing::parse(&listing(&files)).unwrap();
    let reference: HubReference = reference.parse().unwrap();
    let chosen = listing.choose(reference.pick()).map(|choice| match choice {
        Choice::Gguf(file) => vec![file.path.as_str()],
        Choice::Directory(files) => files.into_iter().map(|file| file.path.as_str()).collect(),
    });
    match (chosen, expected) {
        (Ok(chosen), Ok(expected)) => assert_eq!(chosen, expected),
        (Err(problem), Err(part)) => assert!(problem.contains(part), "{problem}"),
        (chosen, expected) => panic!("{chosen:?} where {expected:?} is expected"),
    }
}

#[test]
fn what_is_there_decides_what_is_fetched() {
    let quants = ["m-q4_0.gguf", "m-q4_k_m.gguf", "m-q4_k.gguf", "sub/m.Q8_0.gguf", "mmproj-m.gguf", "README.md"];
    check_choice(&quants, "a/b:Q4_K_M", Ok(&["m-q4_k_m.gguf"]));
    check_choice(&quants, "a/b:q4_k", Ok(&["m-q4_k.gguf"]));
    check_choice(&quants, "a/b:Q8_0", Ok(&["sub/m.Q8_0.gguf"]));
    check_choice(&quants, "a/b:Q5_0", Err("no GGUF file of it is called Q5_0; name one of its files"));
    check_choice(&quants, "a/b:m", Err("m is not one file"));
    check_choice(&quants, "a/b/m-q4_0.gguf", Ok(&["m-q4_0.gguf"]));
    check_choice(&quants, "a/b/no.gguf", Err("it has no no.gguf; name one of its files"));
    check_choice(&quants, "a/b", Err("it has several GGUF files; name one of its files behind the repository"));
    check_choice(&["m.gguf", "README.md"], "a/b", Ok(&["m.gguf"]));
    check_choice(&["m-00001-of-00002.gguf"], "a/b", Err("is one of several pieces"));
    let layout = ["config.json", "model.safetensors", "consolidated.safetensors", "tokenizer.json", "x.py", "m.gguf"];
    check_choice(&layout, "a/b", Ok(&["config.json", "tokenizer.json"]));
    check_choice(&layout, "a/b/m.gguf", Ok(&["m.gguf"]));
    let index = ["config.json", "model.safetensors.index.json", "model-00001-of-00001.safetensors"];
    check_choice(&index, "a/b", Ok(&["config.json", "model.safetensors.index.json"]));
    check_choice(&["config.json", "pytorch_model.bin"], "a/b", Err("neither config.json with safetensors nor a GGUF"));
    check_choice(&["../x.gguf", "a b.gguf"], "a/b", Err("nor a GGUF file"));
}

#[test]
fn a_list_of_files_that_says_too_little_is_refused() {
    let check = |text: &str, part: &str| {
        let problem = Listing::parse(text.as_bytes()).unwrap_err();
        assert!(problem.contains(part), "{problem}");
    };
    check("<html>", "cannot be read");
    check("{}", "which revision");
    check(r#"{"sha": "../x"}"#, "which revision");
    check(r#"{"sha": "abc", "siblings": [{"rfilename": "a"}]}"#, "how long a is");
}

#[test]
fn one_gguf_file_arrives_from_the_revision_that_was_listed() {
    let file = vec![7; 3000];
    let list = listing(&[small("README.md", b"x"), large("sub/M.gguf", &file)]);
    let replies = vec![ok(&list), Reply::whole(&file, "\"a\"").cut(1000), Reply::rest(&file, 1000, "\"a\"")];
    let rest = format!("{} | range: bytes=1000- | if-range: \"a\"", get("sub/M.gguf"));
    let (fetched, bench) = check("owner/name", replies, &[LIST.to_owned(), get("sub/M.gguf"), rest]);
    let directory = bench.path("owner/name");
    assert_eq!(fetched.unwrap(), FetchedRepository { path: directory.join("M.gguf"), licence: Some("mit".to_owned()) });
    assert!(fs::read(directory.join("M.gguf")).unwrap() == file);
    forget_repository(&"owner/name".parse().unwrap(), &bench.home()).unwrap();
    assert_eq!(bench.names(), [""; 0]);
    forget_repository(&"owner/name".parse().unwrap(), &bench.home()).unwrap();
}

/// A small model in the layout of a hub, its files in the order in which they are fetched, and the list of them.
fn model(shards: usize) -> (tempfile::TempDir, Vec<(String, Vec<u8>)>) {
    let root = tempfile::tempdir().unwrap();
    let (gguf, hub) = (root.path().join("m.gguf"), root.path().join("hub"));
    write_tiny_gguf(&gguf, TinySpec::default()).unwrap();
    write_hub(&gguf, &hub, HubSpec { shards, ..HubSpec::default() }).unwrap();
    let mut names: Vec<String> = layout::SIDE_FILES.map(str::to_owned).to_vec();
    names.extend((shards > 1).then(|| layout::INDEX.to_owned()));
    let weights = fs::read_dir(&hub).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut weights: Vec<String> = weights.filter(|name| name.ends_with(".safetensors")).collect();
    weights.sort();
    names.extend(weights);
    let files = names.into_iter().filter_map(|name| Some((name.clone(), fs::read(hub.join(&name)).ok()?)));
    let files = files.collect();
    (root, files)
}

/// Weights and the tokenizer are large files.
fn listed(files: &[(String, Vec<u8>)]) -> Vec<Json> {
    let is_large = |name: &str| name.ends_with(".safetensors") || name == "tokenizer.json";
    files.iter().map(|(name, bytes)| if is_large(name) { large(name, bytes) } else { small(name, bytes) }).collect()
}

#[test]
fn a_layout_in_one_file_or_several_arrives_whole() {
    for shards in [1, 3] {
        let (_root, files) = model(shards);
        let mut list = listed(&files);
        list.push(large("consolidated.safetensors", b"the same again"));
        let list = listing(&list);
        let mut replies = vec![ok(&list)];
        replies.extend(files.iter().map(|(_, bytes)| Reply::whole(bytes, "\"a\"")));
        let mut requests = vec![LIST.to_owned()];
        requests.extend(files.iter().map(|(name, _)| get(name)));
        let (fetched, bench) = check("owner/name", replies, &requests);
        let directory = fetched.unwrap().path;
        assert_eq!(directory, bench.path("owner/name"));
        assert!(files.iter().all(|(name, bytes)| fs::read(directory.join(name)).unwrap() == *bytes));
        assert!(crate::checkpoint::Checkpoint::open(&directory).is_ok());
    }
}

#[test]
fn a_model_that_cannot_be_built_is_refused_before_its_weights_are_fetched() {
    let (_root, mut files) = model(1);
    let mut config: Json = serde_json::from_slice(&files[0].1).unwrap();
    config["model_type"] = "mamba".into();
    files[0].1 = config.to_string().into_bytes();
    let list = listing(&listed(&files));
    let beside = files.split_last().unwrap().1;
    let mut replies = vec![ok(&list)];
    replies.extend(beside.iter().map(|(_, bytes)| Reply::whole(bytes, "\"a\"")));
    let mut requests = vec![LIST.to_owned()];
    requests.extend(beside.iter().map(|(name, _)| get(name)));
    let (fetched, _) = check("owner/name", replies, &requests);
    let error = fetched.unwrap_err();
    assert!(matches!(error, FetchError::Unusable(_)) && error.to_string().contains("model_type mamba"), "{error}");
}

#[test]
fn files_of_an_earlier_state_do_not_stay() {
    let (_root, files) = model(1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let list = listing(&listed(&files));
        let mut replies = vec![ok(&list)];
        replies.extend(files.iter().map(|(_, bytes)| Reply::whole(bytes, "\"a\"")));
        let server = Server::start(replies).await;
        let mut bench = Bench::hub_only(1, &server);
        let directory = bench.path("owner/name");
        fs::create_dir_all(&directory).unwrap();
        for name in ["chat_template.jinja", "model.safetensors.index.json", "old.safetensors", "notes"] {
            fs::write(directory.join(name), "{}").unwrap();
        }
        fetch_from(&mut bench, "owner/name").await.unwrap();
        let has = |name: &str| directory.join(name).exists();
        assert!(!has("chat_template.jinja") && !has("model.safetensors.index.json") && !has("old.safetensors"));
        assert!(has("notes") && has("model.safetensors"));
    });
}

#[test]
fn a_small_file_is_tried_again_and_held_to_its_size() {
    let (_root, files) = model(1);
    let (name, bytes) = &files[0];
    let list = listing(&listed(&files));
    let replies =
        vec![Reply::status("503 Busy"), ok(&list), Reply::whole(bytes, "\"a\"").cut(5), Reply::whole(b"{}", "\"a\"")];
    let (fetched, _) = check("owner/name", replies, &[LIST.to_owned(), LIST.to_owned(), get(name), get(name)]);
    let text = fetched.unwrap_err().to_string();
    assert!(text.contains("config.json of owner/name") && text.contains("offers 2 bytes where"), "{text}");
}

#[test]
fn a_hub_that_refuses_says_why_and_what_to_do() {
    let unknown = Reply::new("401 Unauthorized", "Content-Length: 0\nX-Error-Code: RepoNotFound", "");
    check_refused("owner/name", vec![unknown], &["owner/name: the hub knows no such repository, or it is private"]);
    let missing = Reply::status("404 Not Found");
    check_refused("owner/name", vec![missing], &["the hub knows no such repository"]);
    let gated = Reply::new("403 Forbidden", "Content-Length: 0\nX-Error-Code: GatedRepo", "");
    check_refused("owner/name", vec![gated], &["may be gated; accept its licence at http://", "finch model import"]);
    let page = Reply::new("200 OK", "Content-Type: text/html\nContent-Length: 2", "hi");
    check_refused("owner/name", vec![page], &["a web page instead of the file"]);
    let nothing = listing(&[small("README.md", b"x")]);
    check_refused("owner/name", vec![ok(&nothing)], &["nor a GGUF file, which finch reads"]);
    check_refused("owner/name", vec![], &["cannot be reached", "set HF_ENDPOINT to a mirror", "finch model import"]);
}

#[tokio::test]
async fn offline_nothing_is_asked() {
    let server = Server::start([]).await;
    let mut bench = Bench::hub_only(1, &server);
    bench.options.network = Network::Forbidden;
    let error = fetch_from(&mut bench, "owner/name").await.unwrap_err();
    assert!(matches!(error, FetchError::Offline { .. }), "{error}");
    assert!(bench.events.is_empty());
}
