use super::*;

fn errors(language: Language, text: &str) -> usize {
    Syntax::parse(language, text).expect("it is short").errors(0..text.len())
}

#[test]
fn a_language_is_known_by_its_id_or_by_the_files_name() {
    assert_eq!(Language::of(Some("src/a.rs"), None), Some(Language::Rust));
    assert_eq!(Language::of(Some("C:\\src\\A.TSX"), None), Some(Language::Tsx));
    assert_eq!(Language::of(Some("a.txt"), Some("python")), Some(Language::Python));
    assert_eq!(Language::of(None, Some("typescriptreact")), Some(Language::Tsx));
    assert_eq!(Language::of(Some("a.rs"), Some("plaintext")), Some(Language::Rust));
    assert_eq!(Language::of(Some("dir.rs/Makefile"), None), None);
    assert_eq!(Language::of(None, None), None);
}

#[test]
fn errors_are_counted_where_they_are() {
    let text = "fn a() {}\nfn b( {}\nfn c() { x(; }\n";
    let syntax = Syntax::parse(Language::Rust, text).expect("it is short");
    assert_eq!(syntax.errors(0..9), 0);
    assert!(syntax.errors(0..text.len()) >= 2);
    assert_eq!(errors(Language::Python, "def f(a):\n    return a\n"), 0);
    assert!(errors(Language::Python, "x = \n") > 0);
    assert!(errors(Language::Go, "package p\n\nfunc f() {\n") > 0);
}

#[test]
fn every_grammar_reads_a_text_of_its_language() {
    let texts = [
        (Language::C, "int f(void) { return 1; }\n"),
        (Language::Css, "a { color: red; }\n"),
        (Language::Go, "package p\n"),
        (Language::Html, "<p>a</p>\n"),
        (Language::Java, "class A {}\n"),
        (Language::JavaScript, "const a = <b>c</b>;\n"),
        (Language::Json, "{\"a\": [1]}\n"),
        (Language::Lua, "local a = 1\n"),
        (Language::Python, "a = 1\n"),
        (Language::Rust, "fn f() {}\n"),
        (Language::Tsx, "const a: b = <b>c</b>;\n"),
        (Language::TypeScript, "const a: b = c;\n"),
    ];
    for (language, text) in texts {
        assert_eq!(errors(language, text), 0, "{language:?}");
    }
}

#[test]
fn an_edited_text_reads_like_a_new_one() {
    let texts =
        ["fn a() {\n    b();\n}\n", "fn a() {\n    b(é);\n}\n", "fn a() {\n    b(è);\n    c(\n}\n", "", "fn a() {}"];
    for old in texts {
        for new in texts {
            let old = Syntax::parse(Language::Rust, old).expect("it is short");
            let edited = old.edited(new).expect("it is short");
            let fresh = Syntax::parse(Language::Rust, new).expect("it is short");
            assert_eq!(edited.tree.root_node().to_sexp(), fresh.tree.root_node().to_sexp(), "{:?} {new:?}", old.text);
        }
    }
}

#[test]
fn a_text_that_is_too_long_is_not_parsed() {
    assert!(Syntax::parse(Language::Json, &" ".repeat(SYNTAX_BYTES_MAX + 1)).is_none());
}
