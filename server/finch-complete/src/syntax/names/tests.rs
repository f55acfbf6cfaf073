use super::*;
use crate::Language;

#[track_caller]
fn check_names(language: Language, marked: &str, expected: &[&str]) {
    let offset = marked.find("$0").expect("the text has a $0");
    let syntax = Syntax::parse(language, &marked.replacen("$0", "", 1)).expect("it is short");
    assert_eq!(syntax.names_in_use(offset), expected);
}

/// One text for each import: `from: names`.
#[track_caller]
fn check_imports(language: Language, text: &str, expected: &[&str]) {
    let imports = Syntax::parse(language, text).expect("it is short").imports();
    let found: Vec<String> =
        imports.iter().map(|import| format!("{}: {}", import.from, import.names.join(" "))).collect();
    assert_eq!(found, expected);
}

#[test]
fn names_near_the_cursor_come_first_and_each_once() {
    check_names(
        Language::Rust,
        "use a::Far;\nfn f(first: Point) {\n    let i = second(first);\n    // not this\n    third(\"nor that\", $0);\n}\n",
        &["third", "first", "second", "Point", "Far"],
    );
    check_names(Language::Python, "from m import Far\nx = near.attribute + $0\n", &["attribute", "near", "Far"]);
}

#[test]
fn rust_imports_are_followed_into_their_braces() {
    check_imports(
        Language::Rust,
        "use std::fmt;\nuse crate::a::{b, c::{self, D as E}};\nuse x::*;\nuse plain;\n",
        &["std: fmt", "crate::a: b", "crate::a: c", "crate::a::c: D E", "x: ", ": plain"],
    );
}

#[test]
fn python_imports_say_where_from() {
    check_imports(
        Language::Python,
        "import os.path, sys as system\nfrom .near import One, two as three\nfrom far import *\n",
        &["os.path: os", "sys: system", ".near: One two three", "far: "],
    );
}

#[test]
fn the_imports_of_other_languages_are_found_too() {
    check_imports(
        Language::TypeScript,
        "import Default, { one, two as three } from \"./near\";\nimport * as all from 'far';\nimport \"only\";\n",
        &["./near: Default one two three", "far: all", "only: "],
    );
    check_imports(
        Language::Go,
        "package p\n\nimport (\n\t\"encoding/json\"\n\tother \"a/b\"\n)\n",
        &["encoding/json: json", "a/b: other"],
    );
    check_imports(Language::Java, "import java.util.List;\n", &["java.util.List: List"]);
    check_imports(
        Language::C,
        "#include <sys/types.h>\n#include \"near.h\"\n",
        &["sys/types.h: types", "near.h: near"],
    );
    check_imports(Language::Lua, "local a = require(\"b\")\n", &[]);
}
