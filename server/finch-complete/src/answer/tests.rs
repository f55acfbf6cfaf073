use finch_text::Document;
use proptest::prelude::*;

use super::*;

fn place_of(marked: &str) -> Place {
    let offset = marked.find("$0").expect("the text has a $0");
    Place::new(&Document::new(&marked.replacen("$0", "", 1)), offset)
}

/// What comes out when the answer arrives character by character and is cut as soon as its end is known.
fn settle_streamed(says: &str, place: &Place, trigger: Trigger) -> Result<String, Reason> {
    let known = says.char_indices().map(|(at, c)| &says[..at + c.len_utf8()]);
    match known.into_iter().find(|heard| ends::find(heard, place, LastLine::Open).is_some()) {
        Some(heard) => settle(heard, Ended::TooLong, place, trigger),
        None => settle(says, Ended::Whole, place, trigger),
    }
}

fn outcome(marked: &str, says: &str, trigger: Trigger) -> String {
    let place = place_of(marked);
    let whole = settle(says, Ended::Whole, &place, trigger);
    assert_eq!(settle_streamed(says, &place, trigger), whole, "streamed and whole answers differ for {says:?}");
    match whole {
        Ok(text) => marked.replacen("$0", &format!("«{text}»"), 1),
        Err(reason) => reason.to_string(),
    }
}

/// `after` is the document with the suggestion in «», or the code of the reason.
#[track_caller]
fn check(before: &str, model_says: &str, after: &str) {
    assert_eq!(outcome(before, model_says, Trigger::Automatic), after);
}

#[track_caller]
fn check_unfinished(before: &str, heard: &str, ended: Ended, after: &str) {
    let settled = settle(heard, ended, &place_of(before), Trigger::Automatic);
    let outcome =
        settled.map_or_else(|reason| reason.to_string(), |text| before.replacen("$0", &format!("«{text}»"), 1));
    assert_eq!(outcome, after);
}

#[test]
fn a_body_is_written_on_its_indented_line() {
    let before = "def add(a, b):\n    $0";
    check(before, "return a + b\n\n\ndef sub(a, b):\n", "def add(a, b):\n    «return a + b»");
    check(before, "    return a + b\n", "def add(a, b):\n    «return a + b»");
    check(before, "\n    return a + b\n", "def add(a, b):\n    «return a + b»");
    check(before, "c = a + b\n    return c\nprint(add(1, 2))\n", "def add(a, b):\n    «c = a + b\n    return c»");
}

#[test]
fn a_body_is_written_below_the_line_that_opens_it() {
    let before = "def add(a, b):$0";
    check(before, "\n    return a + b\n\n\ndef sub(a, b):", "def add(a, b):«\n    return a + b»");
    check(before, "\n    return a + b\nadd(1, 2)\n", "def add(a, b):«\n    return a + b»");
    check("fn one() -> u8 {$0", "\n    1\n}\n\nfn two", "fn one() -> u8 {«\n    1\n}»");
    check("fn one() -> u8 {$0\n\nfn two() {}", "\n    1\n}\n\nfn two", "fn one() -> u8 {«\n    1\n}»\n\nfn two() {}");
    check("fn one() -> u8 $0", "{\n    1\n}\nfn two() {", "fn one() -> u8 «{\n    1\n}»");
}

#[test]
fn an_expression_is_finished_and_the_next_statement_is_not_begun() {
    let before = "def f(a, b):\n    return a $0";
    check(before, "+ b\n\nprint(f(1, 2))", "def f(a, b):\n    return a «+ b»");
    check(before, " + b\n    x = 1\n", "def f(a, b):\n    return a «+ b»");
    check("fn add(a: i32) {\n    a$0\n}", " + 1\n}", "fn add(a: i32) {\n    a« + 1»\n}");
    check("fn f() {\n    let x = $0", "g();\n    let y = h();\n}", "fn f() {\n    let x = «g();»");
}

#[test]
fn a_statement_over_several_lines_is_finished_with_its_brackets() {
    check("x = foo($0", "\n    a,\n    b,\n)\ny = 1\n", "x = foo(«\n    a,\n    b,\n)»");
    check("if a $0", "{\n    b();\n} else {\n    c();\n}\nd();\n", "if a «{\n    b();\n} else {\n    c();\n}»");
    check("if a$0", ":\n    b()\nelse:\n    c()\nd()\n", "if a«:\n    b()\nelse:\n    c()»");
    check("if a$0", ":\n    b()\nelsewhere()\n", "if a«:\n    b()»");
    check(
        "let v = a.iter()$0",
        "\n    .map(f)\n    .collect();\nlet w",
        "let v = a.iter()«\n    .map(f)\n    .collect();»",
    );
}

#[test]
fn arguments_end_before_the_bracket_that_is_there() {
    check("foo($0)", "a, b)", "foo(«a, b»)");
    check("foo($0)", "a, b);\nbar();", "foo(«a, b»)");
    check("foo($0)", "bar(x)", "foo(«bar(x)»)");
    check("foo($0);", "bar(x);\n", "foo(«bar(x)»);");
    check("foo(bar($0)", "x)", "foo(bar(«x)»)");
    check("foo(bar($0)", "x))", "foo(bar(«x)»)");
    check("foo(\n    a, $0)", "bc)\n", "foo(\n    a, «bc»)");
    check("foo($0, timeout=5)", "url, timeout=5)\n", "foo(«url», timeout=5)");
    check("foo($0)", ")", "duplicate-suffix");
    check("[1, $0]", "2, 3]\n", "[1, «2, 3»]");
}

#[test]
fn a_string_ends_before_the_quote_that_is_there() {
    check("print(\"$0\")", "hello\")\n", "print(\"«hello»\")");
    check("print(\"$0\")", "hello\"", "print(\"«hello»\")");
    check("print($0\")", "\"a\" + \"b\"", "print(«\"a\" + \"b\"»\")");
    check("x = \"$0\"", "a\" + \"b", "x = \"«a\" + \"b»\"");
}

#[test]
fn what_stands_behind_the_cursor_is_not_written_again() {
    check("let x = a $0+ c;", "* b + c;", "let x = a «* b »+ c;");
    check("let x = $0;", "15;", "let x = «15»;");
    check("foo($0, timeout=5)", "url, timeout=5); bar()", "foo(«url», timeout=5)");
    check("x = $0  # count", "15  # count", "x = «15»  # count");
    check("let x = a $0+ c;", "+ c;", "duplicate-suffix");
    check("fn f() {\n    $0\n    done();\n}", "start();\n    done();\n}", "fn f() {\n    «start();»\n    done();\n}");
    check("fn f() {\n    $0\n    done();\n}", "done();\n", "duplicate-suffix");
}

#[test]
fn a_block_ends_before_the_brace_that_is_there() {
    let before = "fn f() {\n    let x = 1;\n    $0\n}\n";
    check(before, "g(x);\n}\n", "fn f() {\n    let x = 1;\n    «g(x);»\n}\n");
    check(before, "}", "duplicate-suffix");
    check(before, "\n}", "empty");
    check("foo(a, $0\n)", "bc)\n", "foo(a, «bc»\n)");
    check(
        "fn f() {\n    if x {\n        $0\n    }\n}",
        "y();\n    }\n}",
        "fn f() {\n    if x {\n        «y();»\n    }\n}",
    );
    check("let v = vec![$0\n    1,\n];", "10];", "let v = vec![«10»\n    1,\n];");
}

#[test]
fn a_brace_that_is_missing_is_written() {
    check("fn f() {\n    $0", "g();\n}\n\nfn h() {", "fn f() {\n    «g();\n}»");
    check("fn f() {\n    $0\nfn h() {}", "g();\n}\n\nfn h() {", "fn f() {\n    «g();\n}»\nfn h() {}");
    check("fn f() {\n    $0\n    h();\n}", "g();\n}\n", "fn f() {\n    «g();»\n    h();\n}");
    check(
        "fn f() {\n    if x {\n        y();\n        $0\n}",
        "z();\n    }\n}",
        "fn f() {\n    if x {\n        y();\n        «z();\n    }»\n}",
    );
    check("fn f() {\n    return a$0", " + b\n    }\n", "fn f() {\n    return a« + b»");
    check("def f():\n    $0", "return 1\n}\n", "def f():\n    «return 1»");
}

#[test]
fn closing_punctuation_alone_is_no_suggestion() {
    check("print(\"hello$0", "\")\n", "filtered:punctuation");
    check("return x$0", ";\n", "filtered:punctuation");
    check("os.listdir($0)", "'.')\n", "os.listdir(«'.'»)");
    check("x = $0", "[]\n\n", "x = «[]»");
}

#[test]
fn the_user_may_ask_for_a_brace() {
    let before = "fn f() {\n    g();\n$0";
    check(before, "}\n", "filtered:punctuation");
    assert_eq!(outcome(before, "}\n", Trigger::Invoked), "fn f() {\n    g();\n«}»");
}

#[test]
fn at_the_top_level_a_blank_line_ends_the_answer() {
    check("$0", "import os\nimport sys\n\n\ndef main():", "«import os\nimport sys»");
    check(
        "    return a\n$0",
        "\n\ndef sub(a, b):\n    return a\n\n",
        "    return a\n«\n\ndef sub(a, b):\n    return a»",
    );
    check("    return a\n$0", "\n\n\ndef sub(a, b):", "empty");
    check("x = 1$0", "\n\ny = 2", "empty");
    check("x = 1$0", "\ny = 2\nz = 3\n\n", "x = 1«\ny = 2\nz = 3»");
    check("def f():\n$0", "    return 1\nprint(2)\n", "def f():\n«    return 1»");
    check("    return a + b$0", "\n\ndef sub(a, b):", "empty");
    check("    return a + b$0", "\ndef sub(a, b):", "empty");
}

#[test]
fn the_cursor_may_still_have_to_be_indented() {
    check("class A:\n    def f(self):\n    $0", "    return 1\n", "class A:\n    def f(self):\n    «    return 1»");
    check("if x:\n    y()\n    $0", "    z()\n    w()\nv()\n", "if x:\n    y()\n    «z()\n    w()»");
    check("if x:\n    y()\n    $0", "    z()\n", "if x:\n    y()\n    «z()»");
    check("\tif x {\n\t\t$0", "\t\ty()\n\t}", "\tif x {\n\t\t«y()\n\t}»");
}

#[test]
fn a_model_that_adds_a_space_to_the_indentation_adds_it_to_no_line() {
    let before = "def f(n):\n    $0";
    check(
        before,
        " if n:\n         return 1\n     return 2\n",
        "def f(n):\n    «if n:\n        return 1\n    return 2»",
    );
    check(
        before,
        "    if n:\n        return 1\n    return 2\n",
        "def f(n):\n    «if n:\n        return 1\n    return 2»",
    );
    check(before, "    if n:\n        return 1\n", "def f(n):\n    «if n:\n        return 1»");
    check(before, " if n:\n        return 1\n    return 2\n", "def f(n):\n    «if n:\n        return 1\n    return 2»");
}

#[test]
fn a_comment_is_finished_but_not_followed_by_code() {
    check("# compute the $0", "sum of a and b\ndef f(a, b):\n", "# compute the «sum of a and b»");
    check("# steps: $0", "first\n    second\n", "# steps: «first»");
    check("// smile $0", ":)\n", "filtered:punctuation");
    check("// one ( $0", "two ) three\n// four", "// one ( «two ) three»");
    check("// one ($0)", "two) three\n", "// one («two»)");
    check(
        "# add two numbers$0",
        "\ndef add(a, b):\n    return a + b\n\n",
        "# add two numbers«\ndef add(a, b):\n    return a + b»",
    );
    check("#include $0", "<stdio.h>\n#include <x.h>\n", "#include «<stdio.h>»");
    check("/// Adds $0\nfn add() {}", "two numbers.\n///\n/// # Panics", "/// Adds «two numbers.»\nfn add() {}");
}

#[test]
fn a_docstring_may_hold_blank_lines_but_is_closed() {
    let before = "def f():\n    $0";
    let docstring = "\"\"\"One.\n\n    Two.\n    \"\"\"";
    check(before, &format!("{docstring}\n    return 1\n\n"), &format!("def f():\n    «{docstring}\n    return 1»"));
    check(before, "\"\"\"One.\n\n    Two.\n", "filtered:unclosed");
    check(before, "x = 1\n    y = \"\"\"One\n", "def f():\n    «x = 1»");
    check("def f():\n    \"\"\"$0", "One.\"\"\"\n    return 1\n", "def f():\n    \"\"\"«One.\"\"\"»");
}

#[test]
fn a_loop_of_the_model_is_cut() {
    check("fn f() {\n    $0", "print(x);\n    print(x);\n    print(x);\n", "fn f() {\n    «print(x);»");
    check("$0", "aaaa\nbbbb\naaaa\nbbbb\n", "«aaaa\nbbbb»");
    check("let s = $0", "a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b", "filtered:repetition");
    check("let s = $0", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "filtered:repetition");
    check(
        "# head $0",
        "----------------------------------------- x",
        "# head «----------------------------------------- x»",
    );
    check("let s = $0", "[0, 0, 0, 0];", "let s = «[0, 0, 0, 0];»");
    check("if a {\n    if b {\n        c()\n$0", "    }\n}\n", "filtered:punctuation");
}

#[test]
fn the_lines_above_are_not_written_again() {
    check("foo(a)\nbar(b)\n$0", "foo(a)\nbar(b)\n\n", "filtered:repeats-above");
    check("    print(x)\n    pr$0", "int(x)\n", "filtered:repeats-above");
    check("foo(a)\n$0", "foo(b)\n", "foo(a)\n«foo(b)»");
    check("}\n$0", "}\n", "filtered:punctuation");
}

#[test]
fn characters_that_mislead_are_never_shown() {
    for bad in ["\u{202e}", "\u{2066}", "\u{e0041}", "\u{7}", "\u{1b}[31m", "\u{0}", "\u{200b}", "\u{feff}", "\u{fffd}"]
    {
        check("let s = $0", &format!("a{bad}b;\n"), "filtered:characters");
    }
    check("let s = $0", "\"👩‍🚀é漢\";\n", "let s = «\"👩‍🚀é漢\";»");
    check("fn f() {\n    $0", "g();\n    h\u{202e}();\n", "filtered:characters");
    check("let s = $0", "1;\n\u{202e}", "let s = «1;»");
    check("let s = $0", "\"p\u{430}ss\";\n", "filtered:characters");
}

#[test]
fn nothing_is_empty() {
    for nothing in ["", " ", "\n", "\n\n\n", "    \n    "] {
        check("x = 1\n$0", nothing, "empty");
        check("foo($0)", nothing, "empty");
    }
}

#[test]
fn only_the_rest_of_a_line_that_goes_on_is_written() {
    check("foo($0)\nbar()", "a,\n    b)\n", "foo(«a,»)\nbar()");
    check("foo($0)", "\n    a,\n", "empty");
    check("f(a, $0)", "bc ", "f(a, «bc»)");
    check("x = $0- c", "ab ", "x = «ab »- c");
}

#[test]
fn an_answer_has_no_more_lines_than_a_person_reads() {
    let lines: String = (0..40).map(|n| format!("call({n})\n")).collect();
    let shown = |count| (0..count).map(|n| format!("call({n})")).collect::<Vec<_>>().join("\n");
    check("$0", &lines, &format!("«{}»", shown(8)));
    check("fn f() {\n$0", &lines, &format!("fn f() {{\n«{}»", shown(12)));
    check("x = $0", &"word ".repeat(100), "filtered:repetition");
    let long: String = (0..100).map(|n| format!("name_{n} + ")).collect();
    check("x = $0", &long, "filtered:too-long");
}

#[test]
fn of_an_unfinished_answer_only_whole_lines_are_shown() {
    check_unfinished("def f():\n    $0", "a = 1\n    b = 2 +", Ended::Deadline, "def f():\n    «a = 1»");
    check_unfinished("def f():\n    $0", "a = 1 +", Ended::Deadline, "deadline");
    check_unfinished("def f():\n    $0", "", Ended::Deadline, "deadline");
    check_unfinished("def f():$0", "\n    ret", Ended::Deadline, "deadline");
    check_unfinished("def f():\n    $0", "a = 1\n    b = 2 +", Ended::TooLong, "def f():\n    «a = 1»");
    check_unfinished("def f():\n    $0", "a = 1 +", Ended::TooLong, "filtered:too-long");
    check_unfinished("# adds $0", "two very long num", Ended::TooLong, "# adds «two very long»");
    check_unfinished("foo($0)", "a, b", Ended::Deadline, "deadline");
}

#[test]
fn the_rest_of_a_statement_ends_with_its_line() {
    check("def f():\n    x = $0", "g(1)\n    return x\n", "def f():\n    x = «g(1)»");
    check("x = foo($0", "\n    a,\n    b,\n)\ny = 1\n", "x = foo(«\n    a,\n    b,\n)»");
    check(
        "let v = a.iter()$0",
        "\n    .map(f)\n    .collect();\nlet w",
        "let v = a.iter()«\n    .map(f)\n    .collect();»",
    );
    check("let v = a +$0", " b\n    + c;\nd();", "let v = a +« b\n    + c;»");
    check("x = [\n    1,\n    $0", "22,\n    33,\n    44,\n", "x = [\n    1,\n    «22,»");
    check("a = $0", "{\n    \"b\": 1,\n}\nc = 2\n", "a = «{\n    \"b\": 1,\n}»");
}

#[test]
fn a_function_may_hold_blank_lines_and_a_block_ends_at_one() {
    let body = "a = 1\n\n    b = 2\n    return b\n\n    c = 3\n";
    check("def f():\n    $0", body, "def f():\n    «a = 1\n\n    b = 2\n    return b»");
    check("def f():\n    g()\n    $0", body, "def f():\n    g()\n    «a = 1»");
}

#[test]
fn a_bracket_is_closed_on_the_line_that_opens_a_block() {
    let before = "def f(a):\n    if isinstance(a$0\n        g(a)\n";
    check(before, ", str):\n", "def f(a):\n    if isinstance(a«, str):»\n        g(a)\n");
    check(
        "fn f() {\n    if a {\n        b();\n    $0\n        c();\n    }\n}",
        "} else {\n",
        "fn f() {\n    if a {\n        b();\n    «} else {»\n        c();\n    }\n}",
    );
    check("pub fn f($0\n    g(a)\n}", "a: u8) {\n", "pub fn f(«a: u8) {»\n    g(a)\n}");
}

#[test]
fn a_tag_that_is_closed_already_is_not_closed_again() {
    check("<p><b>$0</b></p>", "bold</b> text</p>", "<p><b>«bold»</b></p>");
    check("<ul>\n  <li>$0\n  </li>\n</ul>", "one</li>\n", "<ul>\n  <li>«one»\n  </li>\n</ul>");
    check("<p>$0</p>", "a <b>b</b>", "<p>«a <b>b</b>»</p>");
    check("<p>$0", "text</p>\n", "<p>«text</p>»");
}

#[test]
fn lines_that_stand_below_are_recognised_however_they_are_indented() {
    let before = "fn f() {\n    $0\n    first();\n    second();\n}";
    check(before, "zero();\n  first();\n  second();\n", "fn f() {\n    «zero();»\n    first();\n    second();\n}");
    check(before, "first();\n        second();\n", "duplicate-suffix");
    check("if a:\n    $0\nreturn b", "return b", "if a:\n    «return b»\nreturn b");
    check(
        "def f():\n    $0\n    rows[key] = row\n    h()",
        "if a:\n        g()\n    else:\n        rows[key] = row",
        "def f():\n    «if a:\n        g()\n    else:»\n    rows[key] = row\n    h()",
    );
}

#[test]
fn indentation_is_the_files() {
    check("fn f() {\n\tg();\n\t$0", "if a {\n    \tb();\n\t}\n", "fn f() {\n\tg();\n\t«if a {\n\t\tb();\n\t}»");
    check("if a {\n\tb();\n}\nfn f() {$0", "\n    c();\n}", "if a {\n\tb();\n}\nfn f() {«\n\tc();\n}»");
    check("if a:\n  b()\ndef f():$0", "\n\tc()\n\td()\n", "if a:\n  b()\ndef f():«\n  c()\n  d()»");
    check("if a:\n  b()\n  $0", "for c in d:\n      e(c)\n", "if a:\n  b()\n  «for c in d:\n    e(c)»");
    check("if a:\n    b()\n    $0", "for c in d:\n      e(c)\n", "if a:\n    b()\n    «for c in d:\n        e(c)»");
    check("x = 1\nif y:$0", "\n  z()\n", "x = 1\nif y:«\n  z()»");
    check("/*\n * a\n */\nf {$0", "\n  g;\n}", "/*\n * a\n */\nf {«\n  g;\n}»");
}

#[test]
fn what_is_no_longer_than_the_key_that_accepts_it_is_not_shown() {
    check("let x = $0", "1\n", "filtered:too-short");
    check("let x = $0", "10\n", "let x = «10»");
    assert_eq!(outcome("let x = $0", "1\n", Trigger::Invoked), "let x = «1»");
}

#[test]
fn secrets_are_not_suggested() {
    check("password = $0", "\"hunter2hunter2\"\n", "filtered:secret");
    check("key = \"$0", "AKIAQ1W2E3R4T5Z6U7I8\"\n", "filtered:secret");
    check("password = $0", "os.environ[\"PASSWORD\"]\n", "password = «os.environ[\"PASSWORD\"]»");
}

#[test]
fn half_a_name_is_never_shown() {
    check_unfinished("x = $0", "first(a) + secon", Ended::Deadline, "x = «first(a)»");
    check_unfinished("x = $0", "first(a, seco", Ended::TooLong, "filtered:too-long");
    check_unfinished("x = $0", "f(\"a) b", Ended::Deadline, "deadline");
    check_unfinished("x = $0", "first", Ended::Deadline, "deadline");
}

proptest! {
    #[test]
    fn an_answer_is_cut_at_the_same_place_however_it_arrives(
        before in "(def f\\(a\\):\n|fn f\\(\\) \\{\n|x = 1\n| {0,8}y\n){0,3} {0,8}[a-z(]{0,3}",
        after in "(\\)|;|)(\n {0,8}[}a-z]{1,2}){0,2}",
        says in "([a-c]|\n|    |\\}|\\)|\\{|else|\"\"\"|é){0,24}",
    ) {
        let marked = format!("{before}$0{after}");
        for trigger in [Trigger::Automatic, Trigger::Invoked] {
            outcome(&marked, &says, trigger);
        }
    }

    #[test]
    fn a_suggestion_is_never_blank_and_never_ends_in_a_line_end(
        before in "[a-c\n (){}]{0,20}", after in "[a-c\n (){}]{0,20}", says in "[a-c\n (){};\"]{0,40}",
    ) {
        let place = place_of(&format!("{before}$0{after}"));
        if let Ok(text) = settle(&says, Ended::Whole, &place, Trigger::Invoked) {
            prop_assert!(!is_blank(&text) && !text.ends_with('\n'));
            prop_assert!(!place.line_goes_on() || !text.contains('\n'));
        }
    }
}
