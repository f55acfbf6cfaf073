use super::*;

const USER: &str = "from shop.cart import Cart\n\ndef total(cart):\n    return cart.total\n";
const CART: &str =
    "class Cart:\n    rows: list\n    def add(self, row):\n        pass\n    def total(self):\n        pass\n";

fn parsed(path: &str, text: &str) -> Vec<Definition> {
    let language = Language::of(Some(path), None).expect("it has a language");
    Syntax::parse(language, text).expect("it parses").definitions()
}

fn known(files: &[(&str, &str)]) -> Definitions {
    let mut known = Definitions::default();
    for (path, text) in files {
        known.learned(path, parsed(path, text));
    }
    known
}

#[track_caller]
fn check(known: &Definitions, names: &[&str], window: Range<usize>, expected: &[(&str, &str)]) {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let imports = Syntax::parse(Language::Python, USER).expect("it parses").imports();
    let asked = Asked { path: Some("/w/app/main.py"), names: &names, imports: &imports, window };
    let shown: Vec<(String, String)> = known.of(&asked).into_iter().map(|shown| (shown.path, shown.text)).collect();
    let expected: Vec<(String, String)> =
        expected.iter().map(|&(path, text)| (path.to_owned(), text.to_owned())).collect();
    assert_eq!(shown, expected);
}

#[test]
fn a_type_is_shown_with_what_can_be_done_with_it() {
    let known = known(&[("/w/shop/cart.py", CART)]);
    check(
        &known,
        &["Cart"],
        0..0,
        &[("/w/shop/cart.py", "class Cart:\n    rows: list\n    def add(self, row):\n    def total(self):")],
    );
}

#[test]
fn names_come_in_the_order_of_their_weight_and_each_once() {
    let known = known(&[("/w/shop/cart.py", "def one(): pass\ndef two(): pass\n")]);
    check(
        &known,
        &["two", "one", "three"],
        0..0,
        &[("/w/shop/cart.py", "def two():"), ("/w/shop/cart.py", "def one():")],
    );
}

#[test]
fn an_imported_file_means_more_than_one_beside_and_that_more_than_one_elsewhere() {
    let (imported, beside, elsewhere) = ("/w/shop/cart.py", "/w/app/b.py", "/w/x/c.py");
    let all = known(&[(elsewhere, "def f(c): pass"), (beside, "def f(b): pass"), (imported, "def f(a): pass")]);
    check(&all, &["f"], 0..0, &[(imported, "def f(a):")]);
    let two = known(&[(elsewhere, "def f(c): pass"), (beside, "def f(b): pass")]);
    check(&two, &["f"], 0..0, &[(beside, "def f(b):")]);
}

#[test]
fn a_name_that_many_files_define_means_nothing_certain() {
    let all: Vec<String> = (0..=AMBIGUOUS_MAX).map(|number| format!("/w/x{number}/c.py")).collect();
    let files: Vec<(&str, &str)> = all.iter().map(|path| (path.as_str(), "def f(): pass")).collect();
    check(&known(&files), &["f"], 0..0, &[]);
}

#[test]
fn what_the_prompt_holds_anyway_is_not_shown_again() {
    let mut known = Definitions::default();
    known.read("/w/app/main.py", &Document::new("def near(): pass\n\ndef far(): pass\n"));
    check(&known, &["near", "far"], 0..10, &[("/w/app/main.py", "def far():")]);
}

#[test]
fn an_open_document_is_known_as_the_editor_has_it() {
    let mut known = known(&[("/w/shop/cart.py", "def old(): pass")]);
    let document = Document::new("def new(): pass");
    known.read("/w/shop/cart.py", &document);
    known.read("/w/shop/cart.py", &document);
    check(&known, &["old", "new"], 0..0, &[("/w/shop/cart.py", "def new():")]);
}

#[test]
fn what_the_editor_tells_goes_before_what_was_guessed() {
    let mut known = known(&[("/w/shop/cart.py", CART)]);
    let told = vec![Told { name: "Cart".into(), path: "/lib/cart.pyi".into(), text: "class Cart(Base): ...".into() }];
    assert!(known.told("/w/app/main.py", told.clone()));
    assert!(!known.told("/w/app/main.py", told));
    check(&known, &["Cart"], 0..0, &[("/lib/cart.pyi", "class Cart(Base): ...")]);
    assert!(known.told("/w/app/main.py", Vec::new()));
}

#[test]
fn a_file_that_defines_nothing_any_more_is_forgotten() {
    let mut known = known(&[("/w/shop/cart.py", CART)]);
    known.learned("/w/shop/cart.py", Vec::new());
    check(&known, &["Cart"], 0..0, &[]);
}
