use super::*;

#[test]
fn paths_are_shortened_to_the_project() {
    let context = Context::default();
    let short = |path: &str| context.known.lock().expect("nobody panicked").short(path).into_owned();
    assert_eq!(short("/w/src/a.rs"), "a.rs");
    context.rooted("/w");
    assert_eq!(short("/w/src/a.rs"), "src/a.rs");
    assert_eq!(short("/wide/a.rs"), "a.rs");
    assert_eq!(short("plain"), "plain");
    context.rooted(r"C:\w\");
    assert_eq!(short(r"C:\w\src\a.rs"), "src/a.rs");
}

#[test]
fn what_is_told_while_somebody_gathers_is_heard_afterwards() {
    let context = Context::default();
    let guard = context.known.lock().expect("nobody panicked");
    for _ in 0..=NEWS_MAX {
        context.opened("/a.py", &Document::new("x"));
    }
    assert_eq!(context.waiting().len(), NEWS_MAX);
    drop(guard);
    context.saved("/a.py");
    assert_eq!(context.waiting().len(), 0);
    assert_eq!(context.known.lock().expect("nobody panicked").open.len(), 1);
}

#[test]
fn only_so_many_documents_are_remembered() {
    let context = Context::default();
    for number in 0..=OPEN_MAX {
        context.opened(&number.to_string(), &Document::new("x"));
    }
    let known = context.known.lock().expect("nobody panicked");
    assert_eq!((known.open.len(), known.open[0].0.as_str()), (OPEN_MAX, "1"));
}

#[test]
fn only_so_many_diagnostics_are_remembered() {
    let context = Context::default();
    let wrong = |count| vec![Diagnostic { line: 0, message: "wrong".into() }; count];
    context.diagnosed("a", wrong(DIAGNOSTICS_MAX + 1));
    assert_eq!(context.known.lock().expect("nobody panicked").diagnostics[0].1.len(), DIAGNOSTICS_MAX);
    for number in 0..=DIAGNOSED_FILES_MAX {
        context.diagnosed(&number.to_string(), wrong(1));
    }
    assert_eq!(context.known.lock().expect("nobody panicked").diagnostics.len(), DIAGNOSED_FILES_MAX);
    context.diagnosed(&DIAGNOSED_FILES_MAX.to_string(), Vec::new());
    assert_eq!(context.known.lock().expect("nobody panicked").diagnostics.len(), DIAGNOSED_FILES_MAX - 1);
}
