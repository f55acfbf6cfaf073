use super::*;

fn place_of(marked: &str) -> Place {
    let offset = marked.find("$0").expect("the text has a $0");
    Place::new(&Document::new(&marked.replacen("$0", "", 1)), offset)
}

#[test]
fn a_place_knows_its_line_and_its_neighbours() {
    let place = place_of("one\r\n\r\n  two\r\n  th$0ree\r\n\r\nfour\r\nfive");
    assert_eq!((place.head(), place.tail()), ("  th", "ree"));
    assert_eq!(place.above().collect::<Vec<_>>(), ["  two", "one"]);
    assert_eq!(place.below().collect::<Vec<_>>(), ["four", "five"]);
}

#[test]
fn a_line_that_is_cut_is_not_taken_for_a_line() {
    let place = place_of(&format!("{}\nabove\n$0\nbelow\n{}", "a".repeat(5_000), "b".repeat(5_000)));
    assert_eq!(place.above().collect::<Vec<_>>(), ["above"]);
    assert_eq!(place.below().collect::<Vec<_>>(), ["below"]);
}

#[test]
fn a_very_long_line_is_not_copied_whole() {
    let place = place_of(&format!("{}$0{}", "é".repeat(100_000), "🦀".repeat(100_000)));
    assert_eq!((place.head().len(), place.tail().len()), (BEFORE_BYTES_MAX, AFTER_BYTES_MAX));
}

#[test]
fn brackets_that_do_not_fit_are_text() {
    let open = |text| Brackets::of(text).open.iter().map(|open| (open.closed_by, open.at)).collect::<Vec<_>>();
    assert_eq!(open("f(a[0], {"), [(')', 1), ('}', 8)]);
    assert_eq!(open("f(:] "), [(')', 1)]);
    assert_eq!(open("))"), []);
}

#[test]
fn a_bracket_has_the_indentation_of_its_line() {
    let open = Brackets::of("a {\n    b(\n\tc[").open;
    assert_eq!(open.iter().map(|open| open.indentation).collect::<Vec<_>>(), [0, 4, TAB_WIDTH]);
}
