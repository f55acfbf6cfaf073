//! What is fetched, and what an address, a name, a redirect or a page cannot make happen.

mod site;

use std::time::Duration;

use serde_json::json;

use self::site::{Reply, Site, reach};
use super::*;
use crate::{
    Gate,
    permissions::Permissions,
    question::Question,
    rules::{Pattern, Rule, Rules, Scope, Verdict, Why},
    tools::testing::{Workspace, object},
};

/// What a page comes to, with everything permitted that is asked for.
async fn fetched(tool: &WebFetch, url: &str) -> Outcome {
    Workspace::new(&[]).call(tool, json!({"url": url})).await
}

fn tool() -> WebFetch {
    WebFetch { time: Duration::from_secs(20), ..WebFetch::reaching(reach()) }
}

#[track_caller]
fn check(row: &str, outcome: &Outcome, expected: Result<&str, &str>) {
    match (outcome.is_error, expected) {
        (false, Ok(text)) => assert_eq!(outcome.text.split_once("\n\n").unwrap().1, text, "{row}"),
        (true, Err(part)) => assert!(outcome.text.contains(part), "{row}: {}", outcome.text),
        _ => panic!("{row}: {outcome:?}"),
    }
}

const PACKED: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\x2b\x48\x4c\xce\x4e\x4d\x51\x28\x49\xad\x28\x01\x00\x0c\xf4\x0a\xd2\x0b\x00\x00\x00";

#[tokio::test]
async fn a_page_is_given_as_text() {
    let site = Site::start(&[
        ("/html", Reply::page("text/html; charset=utf-8", "<title>T</title><h1>Größe</h1><a href=/x>x</a>".as_bytes())),
        ("/text", Reply::page("text/plain", b"![x](http://sink.test/?d=1) [a](command:b)\r\n\x1b[2J\tend")),
        ("/json", Reply::page("application/json", b"{\"a\": [1]}")),
        ("/packed", Reply::page("text/plain\nContent-Encoding: gzip", PACKED)),
        ("/pdf", Reply::page("application/pdf", b"%PDF")),
        ("/untyped", Reply::status("200 OK")),
        ("/binary", Reply::page("text/plain", b"a\0b")),
        ("/brotli", Reply::page("text/plain\nContent-Encoding: br", b"x")),
        ("/twice", Reply::page("text/plain\nContent-Encoding: gzip, gzip", PACKED)),
        ("/lie", Reply::page("text/plain\nContent-Encoding: gzip", b"not packed")),
        ("/cut", Reply::page("text/plain\nContent-Length: 100", b"not whole")),
        ("/gone", Reply::status("410 Gone")),
        ("/long", Reply::page("text/plain", "ü".repeat(100_000).as_bytes())),
    ])
    .await;
    for (path, expected) in [
        ("html", Ok(format!("T\n\n# Größe\n\n[x](http://site.test:{}/x)", site.port).as_str())),
        ("text", Ok("![x](http://sink.test/?d=1) [a](command:b)\n\\u{1b}[2J\tend")),
        ("json", Ok("{\"a\": [1]}")),
        ("packed", Ok("packed text")),
        ("pdf", Err("the page is application/pdf, and only text is read")),
        ("untyped", Err("the page does not say what it is")),
        ("binary", Err("has bytes in it that are no text")),
        ("brotli", Err("the page is packed as br")),
        ("twice", Err("nothing was fetched")),
        ("lie", Err("the connection failed")),
        ("cut", Err("the connection failed")),
        ("gone", Err("the server answered 410 Gone")),
        ("none", Err("the server answered 404 Not Found")),
        ("long", Ok(&format!("{}\n(cut after 64 KiB; there is more)", "ü".repeat(32 * 1024)))),
    ] {
        let outcome = fetched(&tool(), &format!("http://site.test:{}/{path}", site.port)).await;
        check(path, &outcome, expected);
    }
    let head = fetched(&tool(), &format!("http://site.test:{}/json#part", site.port)).await.text;
    assert!(
        head.starts_with(&format!("http://site.test:{}/json (application/json, 10 bytes)\n\n", site.port)),
        "{head}"
    );
}

#[tokio::test]
async fn nothing_of_the_user_goes_along() {
    let site = Site::start(&[("/a?b=c", Reply::redirect("/b")), ("/b", Reply::page("text/plain", b"x"))]).await;
    let outcome = fetched(&tool(), &format!("http://site.test:{}/a?b=c", site.port)).await;
    check("redirect", &outcome, Ok("x"));
    assert_eq!(site.paths(), ["/a?b=c", "/b"]);
    for head in site.requests() {
        let mut names: Vec<String> =
            head.lines().skip(1).filter_map(|line| Some(line.split_once(':')?.0.to_lowercase())).collect();
        names.sort();
        assert_eq!(names, ["accept", "accept-encoding", "host", "user-agent"], "{head}");
        assert!(head.contains(&format!("finch/{}\r\n", env!("CARGO_PKG_VERSION"))), "{head}");
    }
}

#[tokio::test]
async fn what_was_not_permitted_is_not_fetched() {
    let site = Site::start(&[("/", Reply::page("text/plain", b"x"))]).await;
    let ws = Workspace::new(&[]);
    let (permitted, asked) = (format!("http://site.test:{}/", site.port), format!("http://site.test:{}/?a", site.port));
    let permit = Permit::for_test(&[Access::Fetch { url: permitted.clone() }]);
    let outcome = tool().call(permit, object(json!({"url": asked})), &ws.context).await;
    check("another address", &outcome, Err("nothing was done"));
    assert!(site.paths().is_empty());
    let whole = tool().access(&object(json!({"url": permitted})), &ws.context).unwrap();
    assert_eq!(whole, [Access::Fetch { url: permitted }]);
}

/// G2: addresses that are refused before anybody is asked.
#[tokio::test]
async fn addresses_of_this_machine_and_its_networks_are_refused() {
    for (url, part) in [
        ("http://127.1", "on this machine or in its network"),
        ("http://2130706433", "on this machine or in its network"),
        ("http://0x7f.1", "on this machine or in its network"),
        ("http://[::ffff:7f00:1]", "on this machine or in its network"),
        ("http://169.254.169.254/latest/meta-data", "on this machine or in its network"),
        ("http://localhost.", "on this machine or in its network"),
        ("http://localhost:{port}", "on this machine or in its network"),
        ("http://127.0.0.1:{port}/", "on this machine or in its network"),
        ("http://user@site.test:{port}/", "without @"),
        ("http://site.test:{port}@127.0.0.1/", "without @"),
        ("file:///etc/passwd", "only http and https"),
        ("gopher://site.test:{port}/", "only http and https"),
    ] {
        let site = Site::start(&[]).await;
        let url = url.replace("{port}", &site.port.to_string());
        let refused = tool().access(&object(json!({"url": url})), &Workspace::new(&[]).context).unwrap_err();
        assert!(refused.0.contains(part), "G2 {url}: {refused}");
        assert!(site.paths().is_empty(), "G2 {url}");
    }
}

/// G2: names that lead to what is not public are not connected to.
#[tokio::test]
async fn names_are_judged_by_what_they_resolve_to() {
    for (name, part) in [
        ("loopback.test", "127.0.0.2 is not on the public network"),
        ("loopback6.test", "::1 is not on the public network"),
        ("mapped.test", "::ffff:127.0.0.1 is not on the public network"),
        ("translated.test", "64:ff9b::a9fe:a9fe is not on the public network"),
        ("private.test", "192.168.1.1 is not on the public network"),
        ("cloud.test", "169.254.169.254 is not on the public network"),
        ("shared.test", "100.64.0.1 is not on the public network"),
        ("local6.test", "fd00::1 is not on the public network"),
        ("group.test", "224.0.0.1 is not on the public network"),
        ("nowhere.test", "0.0.0.0 is not on the public network"),
        ("example-net.test", "192.0.2.1 is not on the public network"),
        ("two-faced.test", "10.0.0.1 is not on the public network"),
        ("nothing.test", "the name has no address"),
        ("unknown.test", "no such name"),
    ] {
        let site = Site::start(&[("/", Reply::page("text/plain", b"x"))]).await;
        let outcome = fetched(&tool(), &format!("http://{name}:{}/", site.port)).await;
        check(&format!("G2 {name}"), &outcome, Err(part));
        assert!(site.paths().is_empty(), "G2 {name}");
    }
    let refused = Reach::new(std::sync::Arc::new(SystemNames), &[]);
    let outcome = fetched(&WebFetch::reaching(refused), "http://localhost.localdomain.invalid/").await;
    check("by the machine's own names", &outcome, Err("nothing was fetched"));
}

/// G2: a name that answers otherwise the second time, and redirects to what is not public.
#[tokio::test]
async fn every_hop_is_judged_anew() {
    let routes = |to: &str| [("/", Reply::redirect(to)), ("/secret", Reply::page("text/plain", b"secret"))];
    for (from, to, part) in [
        ("rebinding.test", "/secret", "127.0.0.2 is not on the public network"),
        ("site.test", "http://127.0.0.1:{port}/secret", "on this machine or in its network"),
        ("site.test", "http://127.1:{port}/secret", "on this machine or in its network"),
        ("site.test", "http://2130706433:{port}/secret", "on this machine or in its network"),
        ("site.test", "http://0x7f.1:{port}/secret", "on this machine or in its network"),
        ("site.test", "http://[::ffff:7f00:1]:{port}/secret", "on this machine or in its network"),
        ("site.test", "http://169.254.169.254/secret", "on this machine or in its network"),
        ("site.test", "http://localhost.:{port}/secret", "on this machine or in its network"),
        ("site.test", "http://user@site.test:{port}/secret", "without @"),
        ("site.test", "file:///etc/passwd", "only http and https"),
        ("site.test", "gopher://site.test:{port}/secret", "only http and https"),
        ("site.test", "http://other.test:{port}/secret?a=b", "call WebFetch with http://other.test:{port}/secret?a=b"),
        ("site.test", "http://site.test:1/secret", "call WebFetch with http://site.test:1/secret"),
        ("site.test", "", "the server answered 302 Found and does not say where to"),
    ] {
        let mut routes = routes(to);
        if to.is_empty() {
            routes[0].1 = Reply::status("302 Found");
        }
        let site = Site::start(&routes).await;
        let outcome = fetched(&tool(), &format!("http://{from}:{}/", site.port)).await;
        check(&format!("G2 {from} {to}"), &outcome, Err(&part.replace("{port}", &site.port.to_string())));
        assert_eq!(site.paths(), ["/"], "G2 {from} {to}");
    }
}

/// G3: an address that carries what it should not is asked about, whole, whatever else of its host was permitted.
#[tokio::test]
async fn an_address_that_carries_text_is_shown_whole() {
    let secret = "line%20one%0Aline%20two".repeat(40);
    let url = format!("https://collect.test/?d={secret}&end=1");
    let access = tool().access(&object(json!({"url": url})), &Workspace::new(&[]).context).unwrap();
    assert_eq!(access, [Access::Fetch { url: url.clone() }], "G3");
    let question = Question::new(&[(access[0].clone(), Why::NoRule)]).unwrap();
    assert_eq!(question.effect.replace("\n  ↳ ", ""), format!("Fetch {url}"), "G3");
    let permitted = Rule { verdict: Verdict::Allow, pattern: Pattern::Url("https://collect.test/".into()) };
    assert!(permit(access, permitted).await.unwrap_err().contains("nobody is there to ask"), "G3");
}

async fn permit(access: Vec<Access>, rule: Rule) -> Result<Permit, String> {
    let folder = tempfile::tempdir().unwrap();
    let scope = Scope { workspace: "/t/ws".into(), finch_home: "/home/u/.finch".into(), user_home: None };
    let gate = Gate::new(Rules::new(scope, vec![rule]), Permissions::open(folder.path().join("permissions.toml")));
    gate.permit(access, None).await.map_err(|denied| denied.reason)
}

/// G4: what a rule for a host does not cover, however alike it looks.
#[tokio::test]
async fn an_address_that_programs_read_differently_is_refused() {
    for url in [
        "http://evil.test\0.allowed.test/",
        "http://evil.test%00.allowed.test/",
        "http://evil.test#@allowed.test/",
        "http://evil.test?@allowed.test/",
        "http://evil.test\\@allowed.test/",
        "http://evil.test\t.allowed.test/",
        "http://allowed.test@evil.test/",
        "http://allowed.test.evil.test/",
        "http://allowed.test\u{2024}evil.test/",
        "http://allowed.test:80:81/",
    ] {
        let allowed = Rule { verdict: Verdict::Allow, pattern: Pattern::Host("allowed.test".into()) };
        let granted = match tool().access(&object(json!({"url": url})), &Workspace::new(&[]).context) {
            Ok(access) => permit(access, allowed).await.is_ok(),
            Err(_) => false,
        };
        assert!(!granted, "G4 {url:?}");
    }
}

/// G5: pages that have no end, in bytes, in time or in hops.
#[tokio::test]
async fn bombs_are_bounded() {
    let text = "200 OK\nContent-Type: text/plain";
    let hops: Vec<(String, Reply)> =
        (0..50).map(|n| (format!("/hop{n}"), Reply::redirect(&format!("/hop{}", n + 1)))).collect();
    let mut routes = vec![
        ("/endless", Reply::Endless(text.into(), vec![b'x'; 1 << 16])),
        ("/bomb", Reply::Whole(format!("{text}\nContent-Encoding: gzip"), bomb(1 << 30))),
        ("/lines", Reply::Endless(text.into(), vec![b'\n'; 1 << 16])),
        ("/nested", Reply::Endless("200 OK\nContent-Type: text/html".into(), b"<div><b a=1>".to_vec())),
        ("/dripping", Reply::Dripping(text.into())),
        ("/silent", Reply::Silence),
        ("/head", Reply::Endless("200 OK".into(), b"a: b\r\n".to_vec())),
        ("/utf-7", Reply::page("text/html; charset=utf-7", b"+ADw-script+AD4-")),
        ("/utf-16", Reply::page("text/html; charset=utf-16le", b"<\0p\0>\0x\0")),
        ("/marked", Reply::page("text/html; charset=latin1", "\u{feff}ä".as_bytes())),
        ("/loop", Reply::redirect("/loop")),
    ];
    routes.extend(hops.iter().map(|(path, reply)| (path.as_str(), reply.clone())));
    let site = Site::start(&routes).await;
    let page = |path: &str| format!("http://site.test:{}/{path}", site.port);
    let cut = format!("{}\n(cut after 64 KiB; there is more)", "x".repeat(64 * 1024));
    for (path, expected) in [
        ("endless", Ok(cut.as_str())),
        ("bomb", Ok(cut.as_str())),
        ("utf-7", Err("in the charset utf-7")),
        ("utf-16", Ok("x")),
        ("marked", Ok("ä")),
        ("hop0", Err("more than 5 redirects")),
        ("loop", Err("more than 5 redirects")),
    ] {
        check(&format!("G5 {path}"), &fetched(&tool(), &page(path)).await, expected);
    }
    assert_eq!(site.paths().iter().filter(|path| path.starts_with("/hop")).count(), 6, "G5");
    for path in ["lines", "nested"] {
        let outcome = fetched(&tool(), &page(path)).await;
        assert!(!outcome.is_error && outcome.text.len() < 65 * 1024, "G5 {path}: {}", outcome.text.len());
    }
    let hasty = WebFetch { time: Duration::from_millis(200), ..tool() };
    for path in ["dripping", "silent"] {
        check(&format!("G5 {path}"), &fetched(&hasty, &page(path)).await, Err("took longer than"));
    }
    check("G5 head", &fetched(&tool(), &page("head")).await, Err("nothing was fetched"));
}

/// So many `x` as gzip packs them: one literal, and 258 more from each 13 bits.
fn bomb(bytes: usize) -> Vec<u8> {
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let (mut byte, mut at) = (0_u8, 0);
    let mut push = |bits: &[u8]| {
        for bit in bits {
            byte |= (bit & 1) << at;
            at += 1;
            if at == 8 {
                packed.push(byte);
                (byte, at) = (0, 0);
            }
        }
    };
    push(b"110");
    push(b"10101000");
    for _ in 0..bytes / 258 {
        push(b"1100010100000");
    }
    push(b"0000000000000000");
    packed
}
