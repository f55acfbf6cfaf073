use super::*;

/// Made up here; put together so that nobody takes them for real ones.
fn key(mark: &str, rest: &str) -> String {
    format!("{mark}{rest}")
}

#[test]
fn keys_are_known_by_the_marks_of_their_issuers() {
    let rest = "A1b2C3d4E5f6G7h8J9k0L1m2N3p4Q5r6S7t8U9v0";
    for (mark, _) in KEY_MARKS {
        assert!(are_in(&format!("\"{}\"", key(mark, rest)), "key = "), "{mark}");
    }
    assert!(are_in(&key("export KEY=AKIA", "Q1W2E3R4T5Z6U7I8"), ""));
    assert!(are_in("-----BEGIN RSA PRIVATE KEY-----\nMIIE", ""));
    assert!(are_in("-----BEGIN PRIVATE KEY-----", ""));
}

#[test]
fn a_password_is_known_by_the_name_it_is_given_to() {
    assert!(are_in("\"hunter2hunter2\"", "password = "));
    assert!(are_in("nter2hunter2\"", "    \"db_password\": \"hu"));
    assert!(are_in("x = 1\napi_key = 'f00ba42qux'", ""));
    assert!(are_in("let secret: &str = \"s3cr1tpazz\";", ""));
    assert!(!are_in(" + 1", "password = \"hunter2hunter2\""));
}

#[test]
fn a_long_random_text_is_a_key() {
    assert!(are_in("\"q7Hn3JvX0bTz5LwKd8RfYc2PmAg9UsEi4oVkBtNhQy6x\"", ""));
    assert!(!are_in("\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"", ""));
    assert!(!are_in("\"src/components/Navigation2/NavigationDrawerItem.stories.tsx\"", ""));
    assert!(!are_in("let AbstractSingletonProxyFactoryBean2 = thisIsAVeryLongNameOfAFunction();", ""));
}

#[test]
fn placeholders_and_code_are_no_secrets() {
    for code in [
        "password = os.environ[\"DB_PASSWORD1\"]",
        "password = \"your-password-1\"",
        "token = \"<token1234>\"",
        "api_key: \"${API_KEY_2}\"",
        "token = \"plain\"",
        "secret = \"with 2 spaces\"",
        "if password == \"\" {",
        "sk-learn is not a key",
        "raise ValueError(\"token: expected 12345678\")",
        "ghp_ = 1",
    ] {
        assert!(!are_in(code, ""), "{code}");
    }
}
