//! Files, functions and names stay readable.

use syn::spanned::Spanned;
use syn::visit::Visit;

use super::{files, none, read, relative, root};

/// Lines of a hand-written source file; tables and tests may be longer.
const FILE_LINES_MAX: usize = 700;
const FUNCTION_LINES_MAX: usize = 100;

#[derive(Default)]
struct LongFunctions {
    found: Vec<(String, usize)>,
}

impl LongFunctions {
    fn see(&mut self, name: &syn::Ident, block: &syn::Block) {
        let span = block.span();
        let lines = span.end().line - span.start().line + 1;
        if lines > FUNCTION_LINES_MAX {
            self.found.push((name.to_string(), lines));
        }
    }
}

impl<'ast> Visit<'ast> for LongFunctions {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.see(&function.sig.ident, &function.block);
        syn::visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.see(&function.sig.ident, &function.block);
        syn::visit::visit_impl_item_fn(self, function);
    }
}

fn long_functions(source: &str) -> Vec<(String, usize)> {
    let mut long = LongFunctions::default();
    long.visit_file(&syn::parse_file(source).unwrap());
    long.found
}

#[test]
fn the_scanner_sees_a_long_function() {
    let body = "    x();\n".repeat(FUNCTION_LINES_MAX);
    assert_eq!(long_functions(&format!("impl A {{ fn long() {{\n{body}}} fn short() {{}} }}")).len(), 1);
    assert_eq!(long_functions("fn short() {\n x();\n}").len(), 0);
}

#[test]
fn functions_fit_a_screen_and_files_answer_one_question() {
    let mut complaints = Vec::new();
    for path in files(&root().join("server"), &["rs"]).into_iter().chain(files(&root().join("tests"), &["rs"])) {
        let (source, name) = (read(&path), relative(&path));
        let is_test = name.contains("tests");
        if source.lines().count() > FILE_LINES_MAX && !is_test {
            complaints.push(format!("{name}: {} lines", source.lines().count()));
        }
        for (function, lines) in long_functions(&source) {
            complaints.push(format!("{name}: fn {function} has {lines} lines"));
        }
    }
    none(complaints);
}

#[test]
fn names_say_what_a_thing_is() {
    let empty = ["mod", "utils", "util", "helpers", "helper", "manager", "common", "misc"];
    let mut complaints = Vec::new();
    for folder in ["server", "tests", "editors"] {
        for path in files(&root().join(folder), &["rs", "lua", "ts", "py", "sh"]) {
            let stem = path.file_stem().unwrap().to_str().unwrap();
            if empty.contains(&stem) || stem.ends_with("_v2") || stem.ends_with("_new") {
                complaints.push(format!("{}: says nothing", relative(&path)));
            }
        }
    }
    none(complaints);
}

#[test]
fn every_module_says_what_it_is_for_and_no_test_is_switched_off() {
    let mut complaints = Vec::new();
    for path in files(&root().join("server"), &["rs"]) {
        let (source, name) = (read(&path), relative(&path));
        if !name.ends_with("tests.rs") && !name.contains("/tests/") && !source.starts_with("//!") {
            complaints.push(format!("{name}: does not open with //!"));
        }
        if source.contains("#[ignore") {
            complaints.push(format!("{name}: a test is ignored"));
        }
    }
    none(complaints);
}
