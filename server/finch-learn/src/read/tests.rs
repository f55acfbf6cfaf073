use super::*;

const GOOD: &str = r#"{"schema":1,"at_ms":5,"session":"s","suggestion":7,"event":"shown"}"#;

#[track_caller]
fn check(input: &str, records: usize, skipped: Skipped) {
    for piece in [1, 3, 8192] {
        let (mut seen, mut counted) = (0, Skipped::default());
        lines(BufReader::with_capacity(piece, input.as_bytes()), |line| {
            counted.count(&line);
            seen += usize::from(matches!(line, Line::Record(..)));
        })
        .unwrap();
        assert_eq!((seen, counted), (records, skipped), "{input:.80}");
    }
}

#[test]
fn whole_lines_are_records_and_empty_ones_are_nothing() {
    check("", 0, Skipped::default());
    check(&format!("{GOOD}\n"), 1, Skipped::default());
    check(&format!("\n\r\n{GOOD}\r\n\n{GOOD}\n"), 2, Skipped::default());
}

#[test]
fn a_torn_last_line_is_passed_over_even_if_it_looks_whole() {
    let torn = Skipped { torn: 1, ..Skipped::default() };
    check(GOOD, 0, torn);
    check(&format!("{GOOD}\n{}", &GOOD[..20]), 1, torn);
}

#[test]
fn what_is_no_record_is_counted_as_what_it_is() {
    let damaged = |damaged| Skipped { damaged, ..Skipped::default() };
    check("x\n{}\n[]\nnull\n\u{feff}{\"schema\":1}\n", 0, damaged(5));
    check("{\"schema\":1,\"event\":\"shown\"}\n", 0, damaged(1));
    let weight = GOOD.replace("\"shown\"", "\"feedback\",\"feedback\":1,\"weight\":NaN");
    check(&format!("{weight}\n{GOOD}\n"), 1, damaged(1));
    let unknown = |unknown| Skipped { unknown, ..Skipped::default() };
    check(
        "{\"schema\":2,\"event\":\"shown\",\"when\":\"later\"}\n{\"schema\":1,\"event\":\"dreamt\"}\n",
        0,
        unknown(2),
    );
}

#[test]
fn a_later_version_that_only_adds_is_read() {
    let later = GOOD.replace("\"schema\":1", "\"schema\":2,\"mood\":\"good\"");
    check(&format!("{later}\n"), 1, Skipped::default());
}

#[test]
fn a_line_of_a_hundred_megabytes_costs_its_bound_and_what_follows_is_read() {
    let too_long = Skipped { too_long: 1, ..Skipped::default() };
    check(&format!("{}\n{GOOD}\n", "x".repeat(LINE_BYTES_MAX + 1)), 1, too_long);
    let endless = std::io::Read::take(std::io::repeat(b'{'), 100 * 1024 * 1024);
    let rest = format!("\n{GOOD}\n");
    let (mut seen, mut counted) = (0, Skipped::default());
    lines(BufReader::new(std::io::Read::chain(endless, rest.as_bytes())), |line| {
        counted.count(&line);
        seen += usize::from(matches!(line, Line::Record(..)));
    })
    .unwrap();
    assert_eq!((seen, counted), (1, too_long));
}

#[test]
fn bytes_that_are_no_text_are_damage() {
    let mut counted = Skipped::default();
    lines(&b"\xff\xfe\n\0\0\0\n"[..], |line| counted.count(&line)).unwrap();
    assert_eq!(counted, Skipped { damaged: 2, ..Skipped::default() });
}
