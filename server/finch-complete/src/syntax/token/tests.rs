use super::*;
use crate::Language;

#[track_caller]
fn check(language: Language, marked: &str, token: Token) {
    let offset = marked.find("$0").expect("the text has a $0");
    let syntax = Syntax::parse(language, &marked.replacen("$0", "", 1)).expect("it is short");
    assert_eq!(syntax.token_at(offset), token, "{marked:?}");
}

#[test]
fn a_comment_reaches_to_the_end_of_its_line() {
    check(Language::Rust, "fn f() {} // a$0\n", Token::Comment);
    check(Language::Rust, "/// a$0\nfn f() {}\n", Token::Comment);
    check(Language::Rust, "/// a\n$0fn f() {}\n", Token::Code);
    check(Language::Rust, "/* a$0 */\n", Token::Comment);
    check(Language::Rust, "/* a */$0\n", Token::Code);
    check(Language::Python, "x = 1  # a$0", Token::Comment);
    check(Language::Html, "<!-- a$0 -->", Token::Comment);
}

#[test]
fn a_string_is_text_between_its_quotes() {
    check(Language::Python, "x = \"a$0b\"\n", Token::Text);
    check(Language::Python, "x = \"$0\"\n", Token::Text);
    check(Language::Python, "x = \"a\"$0\n", Token::Code);
    check(Language::Python, "x = $0\"a\"\n", Token::Code);
    check(Language::Python, "def f():\n    \"\"\"One.\n\n    $0\n    \"\"\"\n", Token::Text);
    check(Language::Go, "package p\n\nvar a = `b$0`\n", Token::Text);
    check(Language::TypeScript, "const a = 'b$0';\n", Token::Text);
    check(Language::Rust, "const A: &str = r#\"b$0\"#;\n", Token::Text);
}

#[test]
fn code_within_a_string_is_code() {
    check(Language::Python, "x = f\"a {b$0}\"\n", Token::Code);
    check(Language::TypeScript, "const a = `b ${c$0}`;\n", Token::Code);
}

#[test]
fn a_string_that_is_not_closed_yet_is_text() {
    check(Language::Python, "x = \"a$0\ny = 1\n", Token::Text);
    check(Language::Rust, "fn f<'a>(x: &$0\n", Token::Code);
}
