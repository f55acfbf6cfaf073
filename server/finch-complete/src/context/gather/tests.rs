use super::*;
use crate::context::{Context, Diagnostic};
use crate::syntax::{Language, Trees};

/// A place in `/w/a.py`, with what is known around it.
struct Scene {
    context: Context,
    text: String,
    sources: Sources,
    window: Range<usize>,
    tokens_max: usize,
}

const TEXT: &str = "import b\n\ndef total(rows):\n    return sum_of(rows$0)\n";

impl Scene {
    fn new() -> Self {
        let context = Context::default();
        context.rooted("/w/");
        Self { context, text: TEXT.to_owned(), sources: Sources::default(), window: 0..60, tokens_max: 200 }
    }

    fn gather(&self) -> Gathered {
        let offset = self.text.find("$0").expect("the text has a $0");
        let document = Document::new(&self.text.replacen("$0", "", 1));
        let view = Trees::default().view(Language::Python, Some("/w/a.py"), &document, offset);
        self.context.gather(&Wanted {
            path: Some("/w/a.py"),
            document: &document,
            offset,
            window: self.window.clone(),
            view: view.as_ref(),
            excludes: &Excludes::default(),
            sources: self.sources,
            tokens_max: self.tokens_max,
        })
    }

    #[track_caller]
    fn check(&self, expected: &[(&str, &str)]) {
        let gathered = self.gather();
        let found: Vec<(&str, &str)> =
            gathered.excerpts.iter().map(|excerpt| (excerpt.name.as_str(), &*excerpt.text)).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn a_document_is_named_as_it_stands_in_the_project() {
    let gathered = Scene::new().gather();
    assert_eq!((gathered.path.as_deref(), gathered.repository.as_deref()), (Some("a.py"), Some("w")));
    let off = Sources { path: false, ..Sources::default() };
    let gathered = Scene { sources: off, ..Scene::new() }.gather();
    assert_eq!((gathered.path, gathered.repository), (None, None));
}

#[test]
fn definitions_stand_first_then_passages_then_what_is_wrong_then_edits() {
    let scene = Scene::new();
    let (b, c) = (Document::new("def sum_of(rows): pass\n"), Document::new("show(rows, 1)\n"));
    scene.context.opened("/w/b.py", &b);
    scene.context.opened("/w/c.py", &c);
    scene.context.changed("/w/c.py", &c, &Document::new("show(rows, 2)\n"), 11..12, 1);
    scene.context.diagnosed("/w/a.py", vec![Diagnostic { line: 0, message: "no such module\nreally".into() }]);
    scene.check(&[
        ("b.py", "def sum_of(rows):"),
        ("c.py", "show(rows, 2)"),
        ("b.py", "def sum_of(rows): pass"),
        ("a.py.errors", "import b: no such module\n"),
        ("c.py.diff", "-show(rows, 1)\n+show(rows, 2)\n"),
    ]);
}

#[test]
fn each_source_can_be_switched_off() {
    let mut scene = Scene::new();
    scene.sources = Sources { definitions: false, edits: false, diagnostics: false, ..Sources::default() };
    scene.context.opened("/w/b.py", &Document::new("def sum_of(rows): pass\n"));
    scene.check(&[("b.py", "def sum_of(rows): pass")]);
    scene.sources.recent = false;
    scene.check(&[]);
}

#[test]
fn nothing_of_an_excluded_file_is_gathered() {
    let scene = Scene::new();
    let before = Document::new("rows = 1\n");
    scene.context.opened("/w/secrets/b.py", &before);
    scene.context.opened("/w/.env", &before);
    scene.context.changed("/w/.env", &before, &Document::new("rows = 2\n"), 7..8, 1);
    scene.context.learned("/w/.env", Vec::new());
    scene.check(&[]);
}

#[test]
fn the_document_itself_is_a_source_where_the_prompt_does_not_hold_it() {
    let far = "def far():\n    return sum_of(lines)\n\n\n";
    let filler = "x = 1\n".repeat(60);
    let text = format!("{far}{filler}{TEXT}");
    let start = text.len() - TEXT.len();
    let mut scene = Scene { window: start..text.len(), text, ..Scene::new() };
    scene.sources.definitions = false;
    let gathered = scene.gather();
    assert!(gathered.excerpts.last().is_some_and(|best| best.text.contains("sum_of(lines)")), "{gathered:?}");
}

#[test]
fn what_does_not_fit_is_left_out() {
    let mut scene = Scene::new();
    scene.context.opened("/w/b.py", &Document::new(&"sum_of(rows)\n".repeat(10)));
    scene.tokens_max = 10;
    scene.check(&[]);
}

#[test]
fn what_was_gathered_stays_the_same_from_key_to_key() {
    let mut scene = Scene::new();
    scene.context.opened("/w/b.py", &Document::new("sum_of(rows)\n"));
    let first = scene.gather();
    // Nearer to the cursor now, but the prompt keeps its head.
    scene.text = scene.text.replace("$0", ", lines$0");
    scene.context.visited("/w/c.py", &Document::new("sum_of(lines)\n"), 0);
    assert_eq!(scene.gather().excerpts, first.excerpts);
    scene.context.opened("/w/d.py", &Document::new("sum_of(lines)\n"));
    assert_ne!(scene.gather().excerpts, first.excerpts);
}

#[test]
fn the_cost_of_each_source_is_told() {
    let scene = Scene::new();
    scene.context.opened("/w/b.py", &Document::new("def sum_of(rows): pass\n"));
    let gathered = scene.gather();
    let sources: Vec<ContextSource> = gathered.costs.iter().map(|cost| cost.source).collect();
    let expected =
        [ContextSource::Definitions, ContextSource::Recent, ContextSource::Diagnostics, ContextSource::Edits];
    assert_eq!(sources, expected);
    let covered: usize = gathered.costs.iter().map(|cost| cost.excerpts.len()).sum();
    assert_eq!(covered, gathered.excerpts.len());
}
