use finch_text::Document;

use super::*;
use crate::window::{Budget, cut};

fn verdict(marked: &str, trigger: Trigger, fill_in_the_middle: bool) -> Result<(), Gate> {
    let offset = marked.find("$0").expect("the text has a $0");
    let document = Document::new(&marked.replacen("$0", "", 1));
    let prompt = cut(&document, offset, Budget::new(512, 64, false));
    let capabilities = Capabilities {
        model: "m".into(),
        fill_in_the_middle,
        chat: false,
        tools: false,
        structured_output: false,
        context_tokens_max: 4096,
    };
    check(&Place::new(&document, offset), &prompt, trigger, &capabilities)
}

#[track_caller]
fn check_gate(marked: &str, automatic: Result<(), Gate>, invoked: Result<(), Gate>) {
    let verdicts = (verdict(marked, Trigger::Automatic, true), verdict(marked, Trigger::Invoked, true));
    assert_eq!(verdicts, (automatic, invoked), "{marked:?}");
}

#[test]
fn inside_a_word_nothing_is_suggested() {
    check_gate("let value$0s = 1;", Err(Gate::InsideWord), Err(Gate::InsideWord));
    check_gate("let value$0_s = 1;", Err(Gate::InsideWord), Err(Gate::InsideWord));
    check_gate("let valeur$0é", Err(Gate::InsideWord), Err(Gate::InsideWord));
}

#[test]
fn with_much_of_the_line_behind_the_cursor_the_user_has_to_ask() {
    check_gate("let x = $0 + other_value;", Err(Gate::MidLine), Ok(()));
    check_gate("let x = foo($0 + abcdefg);", Ok(()), Ok(()));
    check_gate("let x = foo(bar([\"$0\"])).unwrap", Ok(()), Ok(()));
    check_gate("let x = foo($0))))))))))))))))));", Ok(()), Ok(()));
    check_gate("let x = $0\nlet something_else = 1;", Ok(()), Ok(()));
}

#[test]
fn text_with_nul_characters_is_binary() {
    check_gate("let x = \0$0", Err(Gate::Binary), Err(Gate::Binary));
    check_gate("let x = $0 \0", Err(Gate::Binary), Err(Gate::Binary));
}

#[test]
fn there_must_be_something_to_continue() {
    check_gate("$0", Err(Gate::TooLittle), Err(Gate::TooLittle));
    check_gate("\n\n  $0\n\n", Err(Gate::TooLittle), Err(Gate::TooLittle));
    check_gate("de$0", Err(Gate::TooLittle), Ok(()));
    check_gate("def f$0", Ok(()), Ok(()));
    check_gate("$0\ndef f():", Ok(()), Ok(()));
}

#[test]
fn what_stands_behind_the_cursor_counts_only_for_a_model_that_reads_it() {
    assert_eq!(verdict("$0\ndef f():", Trigger::Automatic, false), Err(Gate::TooLittle));
    assert_eq!(verdict("def f$0", Trigger::Automatic, false), Ok(()));
}
