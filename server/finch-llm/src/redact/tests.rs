use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(text: &str, redacted: &str) {
    assert_eq!(redact(text), redacted);
    assert_eq!(redact(redacted), redacted, "a second time");
}

#[track_caller]
fn check_kept(text: &str) {
    check(text, text);
}

#[test]
fn keys_are_known_by_their_mark() {
    check("use sk-proj-abcDEF1234567890abcdef now", "use [redacted] now");
    check("(ghp_0123456789abcdefghijABCDEFGHIJ012345)", "([redacted])");
    check("AKIAIOSFODNN7ABCDEF2", "[redacted]");
    check("a gsk_0123456789abcdefghijABCDEFGHIJ0123", "a [redacted]");
    check_kept("task-1234567890123456789012 is a name");
    check_kept("sk-your-key-goes-here-1234567890");
    check_kept("the prefix sk- of a key");
}

#[test]
fn a_private_key_goes_whole() {
    let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\ndef\n-----END OPENSSH PRIVATE KEY-----";
    check(&format!("before\n{key}\nafter"), "before\n[redacted]\nafter");
    check(&format!("{key}\n{key}"), "[redacted]\n[redacted]");
    check("a\n-----BEGIN PRIVATE KEY-----\nabc, and cut off", "a\n[redacted]");
    check_kept("-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----");
    check_kept("-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----");
}

#[test]
fn values_are_known_by_the_name_they_are_given_to() {
    check("DB_PASSWORD=hunter2hunter2\nPORT=5432", "DB_PASSWORD=[redacted]\nPORT=5432");
    check("export API_KEY='a1b2c3d4e5'", "export API_KEY='[redacted]'");
    check(
        r#"{"client_secret": "a1b2c3d4e5", "id": "a1b2c3d4e5"}"#,
        r#"{"client_secret": "[redacted]", "id": "a1b2c3d4e5"}"#,
    );
    check(r#"{\"token\": \"a1b2c3d4e5\"}"#, r#"{\"token\": \"[redacted]\"}"#);
    check("auth_token := \"a1b2c3d4e5\"", "auth_token := \"[redacted]\"");
    check("password: s3cr3tpass", "password: [redacted]");
    check("DATABASE_URL=postgres://me:pw1@db/x", "DATABASE_URL=[redacted]");
}

#[test]
fn code_and_placeholders_are_let_through() {
    check_kept("let token = next_token(2);");
    check_kept("password = os.environ[\"DB_PASSWORD1\"]");
    check_kept("API_KEY=your-key-123");
    check_kept("API_KEY=${KEY_12345678}");
    check_kept("tokens_max: usize = 4096");
    check_kept("let secret = config.secret;");
    check_kept("the password: see the manual");
}

#[test]
fn addresses_lose_their_password() {
    check("git clone https://me:p4ss@host/repo", "git clone https://me:[redacted]@host/repo");
    check_kept("https://host:8080/a@b");
    check_kept("mailto:me@host");
}

proptest! {
    #[test]
    fn a_secret_is_found_in_any_text(
        before in "(sk-|-----BEGIN |PRIVATE KEY-----|password|=|: |\"|://|@|[a-z0-9é]{0,12}|\n){0,12}",
        after in "(sk-|-----BEGIN |PRIVATE KEY-----|password|=|: |\"|://|@|[a-z0-9é]{0,12}|\n){0,12}",
    ) {
        let secret = "sk-abcDEF1234567890abcdef";
        let redacted = redact(&format!("{before} {secret} {after}")).into_owned();
        prop_assert!(!redacted.contains(secret), "{}", redacted);
    }
}
