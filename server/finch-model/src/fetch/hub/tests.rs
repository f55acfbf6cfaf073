use super::*;

fn file() -> HubFile {
    let text = r#"
        default = "tiny"
        [[models]]
        id = "tiny"
        name = ""
        architecture = ""
        licence = ""
        file = "x"
        bytes = 1
        sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        context_tokens_max = 1
        quant = "int8"
        infill = "prefix"
        sources = [{ kind = "hub", repo = "Qwen/Q2.5", revision = "main", file = "dir/q4_k_m.gguf" }]
    "#;
    let catalogue = crate::catalogue::Catalogue::parse(text).unwrap();
    match &catalogue.models()[0].sources[0] {
        crate::catalogue::Source::Hub(file) => file.clone(),
        crate::catalogue::Source::Pip(_) => unreachable!(),
    }
}

#[test]
fn a_file_has_an_address_at_any_endpoint() {
    for (endpoint, url) in [
        ("https://huggingface.co", "https://huggingface.co/Qwen/Q2.5/resolve/main/dir/q4_k_m.gguf"),
        ("https://huggingface.co/", "https://huggingface.co/Qwen/Q2.5/resolve/main/dir/q4_k_m.gguf"),
        ("http://mirror:8080/hf/", "http://mirror:8080/hf/Qwen/Q2.5/resolve/main/dir/q4_k_m.gguf"),
    ] {
        assert_eq!(endpoint.parse::<Endpoint>().unwrap().file(&file()).as_str(), url);
    }
    assert_eq!(Endpoint::default().page(&file()), "https://huggingface.co/Qwen/Q2.5");
    assert_eq!(Endpoint::default().to_string(), "https://huggingface.co");
}

#[test]
fn what_is_no_web_address_is_no_endpoint() {
    for text in
        ["", "huggingface.co", "ftp://a", "file:///etc", "http://", "https://user:word@a", "https://a?x", "https://a#x"]
    {
        assert!(text.parse::<Endpoint>().is_err(), "{text}");
    }
}

#[track_caller]
fn check(endpoint: &str, from: &str, location: &str, expected: Result<&str, &str>) {
    let found = follow(&endpoint.parse().unwrap(), &Url::parse(from).unwrap(), location);
    match (found, expected) {
        (Ok(url), Ok(expected)) => assert_eq!(url.as_str(), expected),
        (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
        (found, expected) => panic!("{found:?} where {expected:?} is expected"),
    }
}

#[test]
fn redirects_lead_outwards_and_stay_encrypted() {
    const HUB: &str = "https://huggingface.co";
    let from = "https://huggingface.co/a/b";
    check(HUB, from, "https://cdn.example/f?sign=1", Ok("https://cdn.example/f?sign=1"));
    check(HUB, from, "/c", Ok("https://huggingface.co/c"));
    check(HUB, from, "//cdn.example/f", Ok("https://cdn.example/f"));
    check(
        HUB,
        from,
        "http://cdn.example/f?sign=1",
        Err("http://cdn.example/f, which is not followed: it is not encrypted"),
    );
    check(HUB, from, "file:///etc/passwd", Err("neither http nor https"));
    check(HUB, from, "https://[", Err("no address"));
    for inside in [
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[fd00::1]",
        "[fe80::1]",
    ] {
        check(HUB, from, &format!("https://{inside}/"), Err("inside this machine"));
    }
}

#[test]
fn a_local_endpoint_may_redirect_locally_and_a_mirror_without_encryption_stays_outside() {
    let local = "http://127.0.0.1:8080";
    check(local, "http://127.0.0.1:8080/a", "http://127.0.0.1:9090/b", Ok("http://127.0.0.1:9090/b"));
    check(local, "https://cdn.example/a", "http://cdn.example/b", Ok("http://cdn.example/b"));
    check("http://mirror.example", "http://mirror.example/a", "http://cdn.example/b", Ok("http://cdn.example/b"));
    check("http://mirror.example", "http://mirror.example/a", "http://127.0.0.1/b", Err("inside this machine"));
    check("http://mirror.example", "https://cdn.example/a", "http://cdn.example/b", Err("not encrypted"));
}
