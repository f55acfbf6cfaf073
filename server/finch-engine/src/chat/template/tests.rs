use finch_model::chat::ChatTemplates;
use serde_json::{Value, json};

use super::{BadTemplate, Size, Templates, without_generation_marks};

fn render(template: &str, context: Value) -> Result<String, BadTemplate> {
    let templates = ChatTemplates { default: Some(template.to_owned()), tool_use: None };
    Templates::read(&templates)?.unwrap().render(context, Size { messages: 3, tools: 0, bytes: 100 })
}

#[track_caller]
fn check(template: &str, expected: &str) {
    let messages = json!([
        {"role": "user", "content": "Hi <b> & 'you'"},
        {"role": "assistant", "content": "<think>\nhm\n</think>\n\nYes"},
        {"role": "user", "content": "Bye"},
    ]);
    assert_eq!(render(template, json!({"messages": messages, "n": 3})).as_deref(), Ok(expected));
}

#[test]
fn what_templates_of_the_field_use_is_there() {
    check("{%- for m in messages[::-1] %}{{ m.role[0] }}{% endfor %}", "uau");
    check(
        "{%- set ns = namespace(last=none) -%}{% for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}{{ ns.last }}",
        "2",
    );
    check("{{ messages[1].content.split('</think>')[-1].lstrip('\\n') }}", "Yes");
    check("{{ messages[1]['content'].startswith('<think>') and not messages[0].content.endswith('x') }}", "True");
    check("{% for m in messages %}{% if loop.index0 == 1 %}{% break %}{% endif %}{{ m.role }}{% endfor %}", "user");
    check(
        "{% for m in messages %}{% if m.role == 'user' %}{% continue %}{% endif %}{{ m.role }}{% endfor %}",
        "assistant",
    );
    check("{{ messages | selectattr('role', 'equalto', 'user') | list | length }}", "2");
    check("{{ messages | map(attribute='role') | join(',') }}", "user,assistant,user");
    check("{% if tools is not defined or tools is none %}none{% endif %}", "none");
    check("{% macro say(m) %}[{{ m.content }}]{% endmacro %}{{ say(messages[2]) }}", "[Bye]");
    check(
        "{% if messages[0].content is string and messages is iterable and messages[0] is mapping %}y{% endif %}",
        "y",
    );
    check("{{ messages[0].content | tojson }}", r#""Hi <b> & 'you'""#);
    check("{{ {'b': [1, 2.5, true, none], 'a': {}} | tojson }}", r#"{"b": [1, 2.5, true, null], "a": {}}"#);
    check("{{ {'b': 1, 'a': [2]} | tojson(indent=1) }}", "{\n \"b\": 1,\n \"a\": [\n  2\n ]\n}");
    check("{{ {'b': 1, 'a': 2} | tojson(sort_keys=true) }}", r#"{"a": 2, "b": 1}"#);
    check("{% for k, v in {'x': 1}.items() %}{{ k }}={{ v }}{% endfor %}", "x=1");
    check("{{ (n * 2) ~ '|' ~ messages[0].get('name', 'nobody') }}", "6|nobody");
    check("  {% if true %}\n  x\n  {% endif %}\ny\n", "  x\ny");
    check("{% generation %}{{ n }}{% endgeneration %}{%- generation -%} a {%- endgeneration -%}", "3a");
    check("{{ strftime_now('%Y') | int > 2020 }}", "True");
    check("{{ nothing }}{{ messages[0].nothing }}", "");
    check("{{ 'a\\nb'.splitlines() | length }}{{ 'x'.upper() }}{{ ' y '.strip() }}", "2Xy");
}

#[test]
fn an_error_says_what_and_where() {
    let error = render("a\n{{ raise_exception('no') }}", json!({})).unwrap_err();
    assert_eq!(error.to_string(), "no (line 2)");
    assert!(render("{{ 1", json!({})).unwrap_err().to_string().contains("line 1"));
    assert!(render("{{ undefined_function() }}", json!({})).is_err());
}

#[test]
fn hostile_templates_run_out_of_budget() {
    for hostile in [
        "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
        "{% set ns = namespace(x='aaaaaaaaaaaaaaaa') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{{ 'x' * 1000000000000 }}",
        "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ ('a' * 10000000).replace('a', 'b' * 10000000) }}",
        "{{ 'a' | replace('', 'b' * 1000000) | replace('b', 'c' * 1000000) }}",
        "{{ '%1000000000d' | format(1) }}",
        "{{ range(100000) | map('string') | join('x' * 100000) }}",
        "{{ 'x'.join(['y' * 1000000] * 1000000) }}",
        "{{ [1] * 100000000000 | tojson }}",
        "{{ {'a': 1} | tojson(indent=1000000000000) | length }}{% for a in range(100000) %}{{ 'x' * 100000 }}{% endfor %}",
    ] {
        assert!(render(hostile, json!({})).is_err(), "{hostile}");
    }
}

#[test]
fn deep_nesting_is_an_error_and_no_overflow() {
    for hostile in [
        format!("{{{{ {}1{} }}}}", "(".repeat(20_000), ")".repeat(20_000)),
        "{% if true %}".repeat(20_000),
        format!("{{{{ {}1{} }}}}", "[".repeat(20_000), "]".repeat(20_000)),
        format!("{{{{ {}1 }}}}", "not ".repeat(20_000)),
        format!("{{{{ 1{} }}}}", "|string".repeat(20_000)),
        format!("{{{{ a{} }}}}", ".b".repeat(20_000)),
    ] {
        drop(render(&hostile, json!({})));
    }
    let lists = "{% set ns = namespace(x=[]) %}{% for i in range(99999) %}{% set ns.x = [[[[[[[[ns.x]]]]]]]] %}{% if i > NN %}{{ ns.x == [ns.x] }}{{ ns.x | string | length }}{% endif %}{% endfor %}";
    for deep in [100, 1000, 2000] {
        assert!(render(&lists.replace("NN", &deep.to_string()), json!({})).is_err());
    }
    let deep = "{% set ns = namespace(x=[]) %}{% for i in range(20000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x | tojson }}";
    assert!(render(deep, json!({})).is_err());
}

#[test]
fn marks_of_training_are_taken_out_and_nothing_else() {
    assert_eq!(
        without_generation_marks("a {%- generation %}b{% endgeneration -%} c"),
        "a {%- if true %}b{% endif -%} c"
    );
    for plain in ["{% if generation %}{% endif %}", "{{ generation }}", "{% unclosed", "text"] {
        assert_eq!(without_generation_marks(plain), plain);
    }
}

#[test]
fn no_template_is_none() {
    assert!(Templates::read(&ChatTemplates::default()).unwrap().is_none());
}
