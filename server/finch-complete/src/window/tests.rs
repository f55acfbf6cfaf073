use proptest::prelude::*;

use super::*;

const BUDGET: Budget = Budget { prefix_bytes: 400, suffix_bytes: 60, context_tokens: 0 };

fn lines(count: usize) -> String {
    (0..count).map(|n| format!("line number {n}\n")).collect()
}

/// The heads of the prompts while `typed` is typed at `offset`, without those that follow one like them.
fn heads(text: &str, offset: usize, typed: &str) -> Vec<usize> {
    let mut document = Document::new(text);
    let mut heads = Vec::new();
    for (done, c) in typed.char_indices() {
        document.replace(offset + done..offset + done, &c.to_string());
        let cursor = offset + done + c.len_utf8();
        let prefix = cut(&document, cursor, BUDGET).prefix;
        heads.push(cursor - prefix.len());
    }
    heads.dedup();
    heads
}

#[test]
fn a_small_document_is_its_own_window() {
    let document = Document::new("def f():\r\n    \r\nf()\r\n");
    let parts = cut(&document, 14, BUDGET);
    assert_eq!(parts, Window { range: 0..21, prefix: "def f():\n    ".into(), suffix: "\nf()\n".into() });
}

#[test]
fn a_window_starts_and_ends_with_a_whole_line() {
    let text = lines(200);
    let document = Document::new(&text);
    let parts = cut(&document, 1500, BUDGET);
    assert!(parts.prefix.starts_with("line number "));
    assert!(parts.suffix.ends_with('\n'));
    assert!((BUDGET.prefix_bytes / 3..=BUDGET.prefix_bytes).contains(&parts.prefix.len()), "{}", parts.prefix.len());
    assert!((1..=BUDGET.suffix_bytes).contains(&parts.suffix.len()));
}

#[test]
fn the_head_of_the_prompt_moves_in_steps_while_the_user_types() {
    let text = lines(200);
    let typed = "let answer = forty_two();\n".repeat(20);
    let heads = heads(&text, 1500, &typed);
    let step = BUDGET.prefix_bytes / WINDOW_STEPS;
    assert!(heads.len() <= typed.len() / step + 2, "{heads:?}");
    assert!(heads.is_sorted());
}

#[test]
fn the_head_of_a_very_long_line_moves_in_steps_too() {
    let text = "é".repeat(5_000_000);
    let heads = heads(&text, 6_000_000, &"x".repeat(BUDGET.prefix_bytes));
    assert!((WINDOW_STEPS..=WINDOW_STEPS + 1).contains(&heads.len()), "{heads:?}");
}

#[test]
fn a_very_long_line_is_cut_between_characters() {
    let document = Document::new(&"🦀".repeat(100_000));
    let parts = cut(&document, 200_000, BUDGET);
    assert!(parts.prefix.len() <= BUDGET.prefix_bytes && parts.prefix.starts_with('🦀'));
    assert!(parts.suffix.len() <= BUDGET.suffix_bytes && parts.suffix.ends_with('🦀'));
}

#[test]
fn the_suffix_gets_half_of_the_prompt_at_most() {
    let budget = |prefix, suffix, context_tokens| Budget {
        prefix_bytes: bytes_of(prefix),
        suffix_bytes: bytes_of(suffix),
        context_tokens,
    };
    assert_eq!(Budget::new(512, 64, false), budget(440, 64, 0));
    assert_eq!(Budget::new(100, 4096, false), budget(42, 50, 0));
    assert_eq!(Budget::new(0, 0, false), budget(0, 0, 0));
}

#[test]
fn what_the_context_leaves_free_goes_to_the_text_before_the_cursor() {
    let budget = Budget::new(512, 64, true);
    assert_eq!(budget.context_tokens, 512 * CONTEXT_PERCENT / 100);
    let whole = budget.with_context_of(bytes_of(budget.context_tokens));
    assert_eq!(whole, budget);
    let none = budget.with_context_of(0).prefix_bytes;
    assert!(none.abs_diff(Budget::new(512, 64, false).prefix_bytes) <= 3, "{none}");
}

proptest! {
    #[test]
    fn a_window_is_the_text_around_the_cursor(
        text in "([a-c ]{0,30}|é{0,20}|\n){0,40}", at in 0usize..1000, prefix_bytes in 0usize..200, suffix_bytes in 0usize..200,
    ) {
        let document = Document::new(&text);
        let offset = document.floor(at);
        let parts = cut(&document, offset, Budget { prefix_bytes, suffix_bytes, context_tokens: 0 });
        prop_assert!(text[..offset].ends_with(&parts.prefix));
        prop_assert!(text[offset..].starts_with(&parts.suffix));
        // Cut inside a character, a window starts with that character.
        prop_assert!(parts.prefix.len() <= prefix_bytes + 3);
        prop_assert!(parts.suffix.len() <= suffix_bytes);
        if offset <= prefix_bytes {
            prop_assert_eq!(parts.prefix.len(), offset);
        }
    }
}
