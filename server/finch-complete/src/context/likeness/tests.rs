use super::*;

#[track_caller]
fn check(before: &str, texts: &[&str], best: &str) {
    let known: Vec<Vec<u64>> = texts.iter().map(|text| names(text)).collect();
    let known: Vec<&[u64]> = known.iter().map(Vec::as_slice).collect();
    let scores = Query::new(before, "").score(&known);
    let likest = (0..texts.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).expect("there are texts");
    assert_eq!(texts[likest], best, "{scores:?}");
}

#[test]
fn the_text_that_uses_the_same_names_is_the_likest() {
    check("let total = price * count", &["fn main() {}", "total += price", "count rows"], "total += price");
}

#[test]
fn rare_names_count_more_than_common_ones() {
    check("self.parse(raw)", &["self.a", "self.b", "self.c", "raw"], "raw");
}

#[test]
fn names_on_the_cursors_line_count_more_than_those_above() {
    let above = "alpha\n".to_owned() + &"x\n".repeat(5) + "beta";
    check(&above, &["alpha", "beta"], "beta");
    check(&("alpha\n".to_owned() + &"x\n".repeat(20) + "y"), &["alpha", "y z"], "y z");
}

#[test]
fn a_short_text_says_more_with_the_same_names() {
    check(
        "shared_name",
        &["shared_name one two three four five six seven eight", "shared_name one"],
        "shared_name one",
    );
}

#[test]
fn numbers_and_single_letters_are_no_names() {
    assert_eq!(names("a 12 3x b"), Vec::<u64>::new());
    assert_eq!(names("ab ab _c").len(), 2);
    assert_eq!(names(""), Vec::<u64>::new());
}

#[test]
fn the_overlap_is_a_share_of_all_names() {
    assert_eq!(overlap(&names("aa bb"), &names("bb aa")), 1.0);
    assert_eq!(overlap(&names("aa bb cc"), &names("bb dd")), 0.25);
    assert_eq!(overlap(&[], &[]), 0.0);
}
