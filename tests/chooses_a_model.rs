//! A user asks which model suits the machine, and what an installed one does on it.

use serde_json::Value;

use crate::support::finch::{finch, home_with_a_model};

fn json(arguments: &[&str]) -> Value {
    let said = finch(home_with_a_model(), arguments);
    assert_eq!(said.code, 0, "{}", said.err);
    serde_json::from_str(&said.out).unwrap()
}

/// The configuration of the home with other devices.
fn config(devices: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("[engine]\nmodel = \"smollm2-135m\"\ndevices = {devices}\n")).unwrap();
    file
}

fn number(value: &Value, name: &str) -> f64 {
    value[name].as_f64().unwrap_or_else(|| panic!("no {name} in {value}"))
}

#[test]
fn the_list_says_what_fits_and_how_fast_it_may_be() {
    let rows = json(&["model", "list", "--json"]);
    let row = |id: &str| rows.as_array().unwrap().iter().find(|row| row["id"] == id).unwrap().clone();
    let (small, large) = (row("smollm2-135m"), row("qwen2.5-coder-0.5b"));
    assert_eq!((&small["installed"], &large["installed"]), (&Value::Bool(true), &Value::Bool(false)));
    for row in [&small, &large] {
        let needs = number(row, "memory_bytes");
        assert!(needs > 150e6 && needs < 2e9, "{row}");
        assert!(row["fits"].is_boolean(), "{row}");
    }
    for speed in ["expected_prefill_tokens_per_s", "expected_decode_tokens_per_s"] {
        let (small, large) = (number(&small, speed), number(&large, speed));
        assert!(large > 0.0 && small > 2.0 * large, "{speed}: {small} and {large}");
    }
    let suited: Vec<&Value> = rows.as_array().unwrap().iter().filter(|row| row["suited"] == true).collect();
    assert_eq!(suited.len(), 1, "{rows}");
}

#[test]
fn the_list_for_people_stands_in_columns() {
    let said = finch(home_with_a_model(), &["model", "list"]);
    let lines: Vec<&str> = said.out.lines().collect();
    let memory = lines[0].find("memory").unwrap();
    for line in &lines[1..3] {
        assert!(line[memory..].starts_with(|c: char| c.is_ascii_digit()), "{}", said.out);
        assert_eq!(&line[memory - 2..memory], "  ", "{}", said.out);
    }
}

#[test]
fn a_probe_measures_speed_and_tries_the_model_out() {
    let probe = json(&["model", "probe", "--json"]);
    assert_eq!((&probe["model"], &probe["quant"]), (&Value::from("smollm2-135m"), &Value::from("int8")));
    assert_eq!(probe["fill_in_the_middle"], "no", "{probe}");
    assert_eq!(probe["chat"], "yes", "it knows the capital of France: {probe}");
    for rate in ["bandwidth_bytes_per_s", "products_per_s"] {
        assert!(number(&probe, rate) > 1e6, "{probe}");
    }
    for speed in ["prefill_tokens_per_s", "decode_tokens_per_s"] {
        let [measured, expected, limit] = ["", "expected_", "limit_"].map(|of| number(&probe, &format!("{of}{speed}")));
        assert!(measured > 0.0 && expected > 0.0 && expected < limit, "{probe}");
    }
    assert!(number(&probe, "far_context_tokens") > 512.0 && number(&probe, "far_decode_tokens_per_s") > 0.0, "{probe}");
    assert!(number(&probe, "context_tokens") >= number(&probe, "far_context_tokens"), "{probe}");
}

/// The library that `finch setup` fetches on Linux has the processor alone.
#[cfg(target_os = "linux")]
#[test]
fn a_device_that_the_library_does_not_have_is_said_and_the_processor_answers() {
    let config = config("[\"cuda\", \"openvino:gpu\", \"cpu\"]");
    let with = ["--config", config.path().to_str().unwrap()];
    let cuda = "cuda:0 is not in this ONNX Runtime, which has cpu; cpu computes";
    let openvino = "openvino:gpu is not in this ONNX Runtime, which has cpu; cpu computes";

    let probe = json(&[&["model", "probe", "--json"], &with[..]].concat());
    assert_eq!(probe["devices"], serde_json::json!(["cpu"]), "{probe}");
    assert_eq!(probe["devices_unused"], serde_json::json!([cuda, openvino]), "in the order they are named: {probe}");

    let doctor = json(&[&["doctor", "--json"], &with[..]].concat());
    let found = doctor.as_array().unwrap().iter().find(|finding| finding["what"] == "devices").unwrap();
    assert_eq!(found["said"], format!("cpu; {cuda}; {openvino}"), "{doctor}");

    let place = format!("{}:17:5", crate::support::finch::fixture("demo.py").display());
    let said = finch(home_with_a_model(), &[&["complete", &place], &with[..]].concat());
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(!said.out.trim().is_empty() && said.err.contains(cuda), "{}{}", said.out, said.err);
}

#[test]
fn a_device_that_is_none_is_refused_with_its_place() {
    let config = config("[\"cpu\", \"gpu\"]");
    let path = config.path().to_str().unwrap();
    let said = finch(home_with_a_model(), &["config", "check", "--config", path]);
    assert_eq!(said.code, 1, "{}", said.out);
    for part in [&format!("{path}:3:11: "), "\"gpu\" is no device; write cpu, cuda"] {
        assert!(said.err.contains(part), "does not say {part:?}:\n{}", said.err);
    }
}
