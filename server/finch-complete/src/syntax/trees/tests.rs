use super::*;

fn document(items: usize) -> Document {
    Document::new(&(0..items).map(|n| format!("fn f{n}() {{\n    call({n});\n}}\n\n")).collect::<String>())
}

#[test]
fn a_short_document_is_read_whole() {
    let document = document(10);
    let view = Trees::default().view(Language::Rust, None, &document, 30).expect("it is short");
    assert_eq!((view.range, view.offset), (0..document.len(), 30));
}

#[test]
fn of_a_long_document_whole_items_around_the_cursor_are_read() {
    let document = document(4_000);
    let middle = document.len() / 2;
    let view = Trees::default().view(Language::Rust, None, &document, middle).expect("a window is short");
    assert!(view.range.len() <= 2 * TREE_WINDOW_BYTES && view.range.contains(&middle), "{:?}", view.range);
    assert_eq!(view.range.start + view.offset, middle);
    assert!(view.syntax.text().starts_with("fn ") && !view.syntax.is_broken());
}

#[test]
fn the_window_stays_the_same_from_key_to_key() {
    let document = document(4_000);
    let starts: Vec<usize> = (60_000..60_100).map(|offset| window(&document, offset).start).collect();
    assert!(starts.iter().all(|start| start == &starts[0]), "{starts:?}");
}

#[test]
fn a_tree_is_read_once_and_then_changed() {
    let mut trees = Trees::default();
    let mut document = document(10);
    let first = trees.view(Language::Rust, Some("a.rs"), &document, 30).expect("it is short");
    let again = trees.view(Language::Rust, Some("a.rs"), &document, 40).expect("it is short");
    assert!(Arc::ptr_eq(&first.syntax, &again.syntax));
    document.replace(0..2, "pub fn");
    let changed = trees.view(Language::Rust, Some("a.rs"), &document, 30).expect("it is short");
    assert_eq!(changed.syntax.text(), document.text());
    assert_eq!(trees.kept.len(), 1);
    for n in 0..2 * TREES_MAX {
        trees.view(Language::Rust, Some(&format!("{n}.rs")), &document, 30);
    }
    assert_eq!(trees.kept.len(), TREES_MAX);
}

#[test]
fn a_document_that_parses_as_a_whole_is_not_broken_though_its_window_is() {
    // The window begins within the comment, where its text is no code.
    let text = format!("/*\n{}*/\nfn f() {{\n    \n}}\n", "it's all (text\n\n".repeat(2_000));
    let document = Document::new(&text);
    let offset = text.len() - "\n}\n".len();
    let view = Trees::default().view(Language::Rust, None, &document, offset).expect("a window is short");
    assert!(view.range.start > 0 && view.syntax.is_broken());
    assert_eq!(view.harmless("g(1);\n    h(2;"), Some("g(1);"));
    assert_eq!(view.harmless("g(1;"), None);
}
