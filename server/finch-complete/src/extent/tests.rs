use finch_text::Document;

use super::*;
use crate::Language;
use crate::syntax::Trees;

/// The extent with a tree, and without one.
#[track_caller]
fn check(language: Language, marked: &str, extent: Extent) {
    let offset = marked.find("$0").expect("the text has a $0");
    let document = Document::new(&marked.replacen("$0", "", 1));
    let place = Place::new(&document, offset);
    let view = Trees::default().view(language, None, &document, offset).expect("it is short");
    assert_eq!((Extent::at(&place, Some(&view)), Extent::at(&place, None)), (extent, extent), "{marked:?}");
}

#[test]
fn within_a_statement_its_end_is_wanted() {
    check(Language::Python, "x = $0\n", Extent::Line);
    check(Language::Python, "if x$0\n    y()\n", Extent::Line);
    check(Language::Rust, "fn f() {\n    let a = g($0)\n}\n", Extent::Line);
    check(Language::Rust, "fn f() {\n    // so $0\n}\n", Extent::Line);
    check(Language::Python, "x = {\"a\":$0\n", Extent::Line);
}

#[test]
fn on_an_empty_line_what_comes_next_is_wanted() {
    check(Language::Python, "def f():\n    x = 1\n    $0\n", Extent::Block);
    check(Language::Rust, "fn f() {\n    $0\n    g();\n}\n", Extent::Block);
    check(Language::Python, "if x:\n    $0\n", Extent::Block);
    check(Language::TypeScript, "for (const a of b) {\n  $0\n}\n", Extent::Block);
    check(Language::Python, "import os\n$0\n", Extent::Block);
}

#[test]
fn below_the_head_of_a_function_the_function_is_wanted() {
    check(Language::Python, "def f(a):$0\n", Extent::Function);
    check(Language::Python, "def f(a):\n    $0\n\n\ndef g():\n    pass\n", Extent::Function);
    check(Language::Rust, "fn f() -> u8 {\n    $0\n}\n", Extent::Function);
    check(Language::Go, "package p\n\nfunc f() error {\n\t$0\n}\n", Extent::Function);
    check(Language::Java, "class A {\n    int f(int a) {\n        $0\n    }\n}\n", Extent::Function);
    check(Language::Python, "class A:\n    $0\n", Extent::Function);
}

#[test]
fn in_a_list_its_next_line_is_wanted() {
    check(Language::Python, "x = [\n    1,\n    $0\n]\n", Extent::Line);
    check(Language::Rust, "fn f() {\n    g(\n        a,\n        $0\n    );\n}\n", Extent::Line);
}
