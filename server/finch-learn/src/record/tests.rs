use std::path::Path;

use super::*;

fn about() -> About {
    About {
        session: "s".into(),
        suggestion: 7,
        language: "rust".into(),
        provider: "local".into(),
        model: "m".into(),
        adapter: None,
        source: "model".into(),
    }
}

#[track_caller]
fn check(event: Event, line: &str) {
    let head = r#"{"schema":1,"at_ms":5,"session":"s","suggestion":7,"language":"rust","provider":"local","model":"m","source":"model","#;
    let record = Record::new(5, about(), event);
    let written = serde_json::to_string(&record).unwrap();
    assert_eq!(written, format!("{head}{line}}}"));
    assert_eq!(serde_json::from_str::<Record>(&written).unwrap(), record);
}

#[test]
fn every_kind_of_record_is_one_line_that_reads_back() {
    check(Event::Shown(Shown::default()), r#""event":"shown""#);
    let text = Texts { path: Some("a.rs".into()), prefix: "p\n".into(), suffix: "s".into(), offered: "o".into() };
    check(
        Event::Shown(Shown { text: Some(text) }),
        r#""event":"shown","text":{"path":"a.rs","prefix":"p\n","suffix":"s","offered":"o"}"#,
    );
    check(
        Event::Accepted(Accepted { kind: AcceptedKind::Line, length: 9 }),
        r#""event":"accepted","kind":"line","length":9"#,
    );
    check(Event::Rejected(Rejected { reason: "dismissed".into() }), r#""event":"rejected","reason":"dismissed""#);
    check(Event::Kept(Kept { after_s: 30, share: 0.5, text: None }), r#""event":"kept","after_s":30,"share":0.5"#);
    check(
        Event::Feedback(Feedback { id: 9, weight: -10, note: Some("no".into()), correction: None }),
        r#""event":"feedback","feedback":9,"weight":-10,"note":"no""#,
    );
    check(Event::Forgotten(Forgotten { feedback: 9 }), r#""event":"forgotten","feedback":9"#);
}

#[track_caller]
fn check_weight(written: &str, weight: Option<i32>) {
    let line = format!(
        r#"{{"schema":1,"at_ms":5,"session":"s","suggestion":7,"event":"feedback","feedback":9,"weight":{written}}}"#
    );
    let read = serde_json::from_str::<Record>(&line).ok().map(|record| match record.event {
        Event::Feedback(feedback) => feedback.weight,
        other => panic!("{other:?}"),
    });
    assert_eq!(read, weight, "{written}");
}

#[test]
fn no_line_outweighs_what_a_person_can_say() {
    check_weight("1", Some(1));
    check_weight("-3", Some(-3));
    check_weight("-10.0", Some(-10));
    check_weight("1e9", Some(1));
    check_weight("-1e300", Some(-10));
    check_weight("99999999999999999999", Some(1));
    for none in ["NaN", "1e999", "\"1\"", "null", "[]"] {
        check_weight(none, None);
    }
}

#[test]
fn verdicts_weigh_what_is_promised() {
    assert_eq!([Verdict::Good, Verdict::Bad, Verdict::BadMinor].map(Verdict::weight), [1, -10, -3]);
}

#[test]
fn only_a_note_is_left_of_the_text_that_is_not_collected() {
    let with = |event| Record::new(5, about(), event);
    let text = Some(Texts { offered: "secret".into(), ..Texts::default() });
    for event in [
        Event::Shown(Shown { text }),
        Event::Kept(Kept { after_s: 30, share: 1.0, text: Some("secret".into()) }),
        Event::Feedback(Feedback { id: 1, weight: 1, note: Some("why".into()), correction: Some("secret".into()) }),
    ] {
        let record = with(event);
        assert!(record.has_text());
        let bare = record.without_text();
        assert!(!bare.has_text() && !serde_json::to_string(&bare).unwrap().contains("secret"), "{bare:?}");
        if let Event::Feedback(feedback) = bare.event {
            assert_eq!(feedback.note.as_deref(), Some("why"));
        }
    }
}

#[test]
fn every_text_has_a_bound_and_a_prompt_keeps_what_is_near_the_cursor() {
    let long = || "é".repeat(1_000_000);
    let text = Texts { path: Some(long()), prefix: format!("{}!", long()), suffix: long(), offered: long() };
    let names =
        About { session: long(), language: long(), provider: long(), model: long(), adapter: Some(long()), ..about() };
    let events = [
        Event::Shown(Shown { text: Some(text) }),
        Event::Rejected(Rejected { reason: long() }),
        Event::Kept(Kept { after_s: 30, share: 1.0, text: Some(long()) }),
        Event::Feedback(Feedback { id: 1, weight: 1, note: Some(long()), correction: Some(long()) }),
    ];
    for event in events {
        let record = Record::new(5, names.clone(), event).within_bounds();
        let bytes = serde_json::to_vec(&record).unwrap().len();
        assert!(bytes < 64 * 1024, "{bytes}");
        if let Event::Shown(Shown { text: Some(text) }) = record.event {
            assert!(text.prefix.ends_with('!') && text.prefix.len() > 16_000);
        }
    }
}

/// `FINCH_WRITE_SCHEMAS=1 cargo test -p finch-learn schema` writes it anew.
#[test]
fn the_committed_schema_is_that_of_the_types() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let path = root.join("schemas/journal.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&schemars::schema_for!(Record)).unwrap());
    if std::env::var_os("FINCH_WRITE_SCHEMAS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, text, "{} is not current; run with FINCH_WRITE_SCHEMAS=1", path.display());
    let page = std::fs::read_to_string(root.join("docs/learning.md")).unwrap();
    let mut fields = Vec::new();
    collect_fields(&serde_json::from_str(&text).unwrap(), &mut fields);
    for field in fields {
        assert!(page.contains(&format!("`{field}`")), "docs/learning.md does not explain {field}");
    }
}

fn collect_fields(schema: &serde_json::Value, into: &mut Vec<String>) {
    if let Some(properties) = schema.get("properties").and_then(serde_json::Value::as_object) {
        into.extend(properties.keys().cloned());
    }
    match schema {
        serde_json::Value::Object(members) => members.values().for_each(|member| collect_fields(member, into)),
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect_fields(item, into)),
        _ => {}
    }
}
