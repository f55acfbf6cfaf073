use super::*;

#[track_caller]
fn check(text: &str, outcome: &str) {
    let found = match Endpoint::new(text, Cleartext::Loopback) {
        Ok(endpoint) => format!("{} {}", endpoint.join(&["chat", "completions"]), endpoint.host()),
        Err(error) => error.to_string(),
    };
    assert!(!found.contains("CANARY"), "{found}");
    assert_eq!(found, outcome);
}

#[test]
fn an_address_is_https_or_on_this_machine() {
    check("https://api.x.ai/v1", "https://api.x.ai/v1/chat/completions api.x.ai");
    check(" https://api.x.ai/v1/ ", "https://api.x.ai/v1/chat/completions api.x.ai");
    check("https://host:8443", "https://host:8443/chat/completions host:8443");
    check("http://localhost:11434/v1", "http://localhost:11434/v1/chat/completions localhost:11434");
    check("http://127.0.0.1:1/v1", "http://127.0.0.1:1/v1/chat/completions 127.0.0.1:1");
    check("http://[::1]:1/v1", "http://[::1]:1/v1/chat/completions [::1]:1");
    let unencrypted = "a key would travel unencrypted; use https, or allow http for this provider";
    for host in ["api.openai.com", "192.168.0.7", "localhost.evil.org", "127.0.0.1.evil.org"] {
        check(&format!("http://{host}/v1"), &format!("http://{host}/v1 is no address of a provider: {unencrypted}"));
    }
    assert!(Endpoint::new("http://192.168.0.7:8000/v1", Cleartext::Anywhere).is_ok());
}

#[test]
fn an_address_holds_no_secret_and_its_error_shows_none() {
    check(
        "https://me:CANARY@host/v1",
        "https://host/v1 is no address of a provider: name and password do not belong into it",
    );
    check(
        "https://host/v1?key=CANARY",
        "https://host/v1 is no address of a provider: it ends with ? or #, and a key does not belong there",
    );
    check("CANARY", "the text is no address of a provider: use one such as https://host/v1");
    check("ftp://host/", "ftp://host/ is no address of a provider: it begins with neither https:// nor http://");
}

#[test]
fn only_this_machine_is_loopback() {
    let is_loopback = |text: &str| Endpoint::new(text, Cleartext::Anywhere).unwrap().is_loopback();
    assert!(is_loopback("http://localhost") && is_loopback("http://127.8.9.1") && is_loopback("https://[::1]"));
    assert!(is_loopback("http://[::ffff:127.0.0.1]") && is_loopback("http://2130706433"));
    assert!(!is_loopback("http://10.0.0.1") && !is_loopback("https://example.org") && !is_loopback("http://0.0.0.0"));
}

#[test]
fn a_key_is_never_shown() {
    let key = Key::new(" sk-CANARY-1\n").unwrap();
    assert_eq!(key.reveal(), "sk-CANARY-1");
    assert_eq!(format!("{key} {key:?} {:?}", Some(&key)), "(key) (key) Some((key))");
    assert_eq!(key.scrub("bad key sk-CANARY-1!"), "bad key (key)!");
    assert_eq!(Key::new("  "), Err(BadKey::Empty));
    assert_eq!(Key::new("a b"), Err(BadKey::Characters));
    assert_eq!(Key::new("schlüssel"), Err(BadKey::Characters));
}

#[test]
fn a_value_of_a_header_may_have_spaces_and_is_never_shown() {
    let value = Key::header_value(" Bearer sk-CANARY-1 ").unwrap();
    assert_eq!(value.reveal(), "Bearer sk-CANARY-1");
    assert_eq!(format!("{value} {value:?}"), "(key) (key)");
    let secrets: Vec<Key> = value.words().collect();
    assert_eq!(Key::scrub_all(&secrets, "Bearer of sk-CANARY-1"), "Bearer of (key)", "a short word hides nothing");
    for bad in ["", "  ", "a\nb", "a\tb", "a\u{7f}", "grün"] {
        assert_eq!(Key::header_value(bad), Err(BadKey::HeaderValue), "{bad:?}");
    }
}
