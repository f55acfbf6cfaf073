use crate::{Language, Syntax};

/// What is kept of a suggestion; empty if nothing is.
#[track_caller]
fn check(language: Language, marked: &str, suggestion: &str, kept: &str) {
    let offset = marked.find("$0").expect("the text has a $0");
    let syntax = Syntax::parse(language, &marked.replacen("$0", "", 1)).expect("it is short");
    assert_eq!(syntax.harmless(offset, suggestion).unwrap_or_default(), kept);
}

#[test]
fn what_parses_is_kept() {
    check(Language::Python, "x = $0\ny = 2\n", "foo(1)", "foo(1)");
    check(Language::Python, "def f(a):\n    $0\n", "if a:\n        return 1", "if a:\n        return 1");
    check(Language::Rust, "fn f() {\n    $0\n}\n", "let a = [1, 2];\n    g(a);", "let a = [1, 2];\n    g(a);");
}

#[test]
fn a_line_that_breaks_what_parses_goes_with_those_behind_it() {
    check(Language::Rust, "fn f() {\n    $0\n}\n", "let a = 1;\n    g(a;\n    h();", "let a = 1;");
    check(Language::Python, "x = 1\n$0\nz = 3\n", "y = 2\nif y\n    z()", "y = 2");
    check(Language::Go, "package p\n\nfunc f() {\n\t$0\n}\n", "a := 1\n\tb(a, c[", "a := 1");
}

#[test]
fn nothing_is_left_of_a_suggestion_whose_first_line_breaks() {
    check(Language::Rust, "fn f() {\n    $0\n}\n", "g(a;", "");
    check(Language::Python, "x = 1\n$0\n", "y = = 2", "");
    check(Language::TypeScript, "const a = 1;\n$0\n", "const b = (a;", "");
}

#[test]
fn what_was_broken_before_is_no_fault_of_the_suggestion() {
    check(Language::Python, "x = foo($0\ny = 2\n", "1,", "1,");
    check(Language::Python, "x = foo($0\n\n\ndef g():\n    return 1\n", "\n    1,\n    2,", "\n    1,\n    2,");
    check(Language::Rust, "fn f() {\n    if a {\n        $0\n\nfn g() {}\n", "b();", "b();");
    check(Language::Rust, "fn f() {\n    let x = $0\n    g();\n}\n", "1 +;", "");
}
