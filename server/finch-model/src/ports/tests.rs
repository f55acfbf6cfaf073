use super::{Floats, LogitRows, Ports, Whole};
use crate::outline::{Outline, Port};

fn port(name: &str, element: u64, dims: &[u64]) -> Port {
    // 0 stands for a dimension that is not fixed.
    let dims = dims.iter().map(|&dim| Some(dim).filter(|&dim| dim > 0)).collect();
    Port { name: name.to_owned(), element: Some(element), dims }
}

/// Two layers of 16-bit floats, as optimum exports them.
fn good() -> Outline {
    let cache = [0, 2, 0, 64];
    let mut outline = Outline {
        inputs: vec![
            port("input_ids", 7, &[0, 0]),
            port("attention_mask", 7, &[0, 0]),
            port("position_ids", 7, &[0, 0]),
        ],
        outputs: vec![port("logits", 1, &[0, 0, 512])],
        ..Outline::default()
    };
    for layer in 0..2 {
        for part in ["key", "value"] {
            outline.inputs.push(port(&format!("past_key_values.{layer}.{part}"), 10, &cache));
            outline.outputs.push(port(&format!("present.{layer}.{part}"), 10, &cache));
        }
    }
    outline
}

#[test]
fn names_shapes_and_types_are_those_of_the_graph() {
    let ports = Ports {
        ids: Whole::I64,
        mask: Some(Whole::I64),
        positions: Some(Whole::I64),
        cache: Floats::F16,
        logits: Floats::F32,
        rows: LogitRows::Every,
        layers: 2,
        kv_heads: 2,
        head_dim: 64,
        vocab: Some(512),
    };
    assert_eq!(Ports::of(&good()), Ok(ports));
    let mut lean = good();
    lean.inputs.retain(|port| port.name != "position_ids" && port.name != "attention_mask");
    lean.inputs[0].element = Some(6);
    lean.outputs[0] = port("logits", 10, &[0, 1, 0]);
    let lean = Ports::of(&lean).unwrap();
    assert_eq!((lean.ids, lean.mask, lean.positions), (Whole::I32, None, None));
    assert_eq!((lean.logits, lean.rows, lean.vocab), (Floats::F16, LogitRows::Last, None));
}

/// A good graph with one port changed is refused with this sentence.
#[track_caller]
fn refused(name: &str, change: impl Fn(&mut Vec<Port>, usize), sentence: &str) {
    let mut outline = good();
    let (inputs, outputs) = (&mut outline.inputs, &mut outline.outputs);
    let ports = if inputs.iter().any(|port| port.name == name) { inputs } else { outputs };
    let at = ports.iter().position(|port| port.name == name).unwrap();
    change(ports, at);
    assert_eq!(Ports::of(&outline).unwrap_err().to_string(), sentence);
}

#[test]
fn what_does_not_fit_is_named() {
    let remove = |ports: &mut Vec<Port>, at: usize| drop(ports.remove(at));
    let add = |ports: &mut Vec<Port>, _: usize| ports.push(port("use_cache_branch", 9, &[1]));
    let known = "which finch does not know; it knows input_ids, attention_mask, position_ids and past_key_values.N.key \
                 and .value";
    refused("input_ids", add, &format!("has the input use_cache_branch, {known}"));
    let cache = |ports: &mut Vec<Port>, _: usize| ports.push(port("past_key_values.01.key", 10, &[0, 2, 0, 64]));
    refused("input_ids", cache, &format!("has the input past_key_values.01.key, {known}"));
    refused("input_ids", remove, "has no input input_ids");
    refused("past_key_values.1.value", remove, "has no input past_key_values.1.value");
    refused("past_key_values.0.key", remove, "has no input past_key_values.0.key");
    refused("present.1.key", remove, "has no output present.1.key");
    refused("logits", remove, "has no output logits");
    let flat = |ports: &mut Vec<Port>, at: usize| ports[at].dims.truncate(3);
    refused("past_key_values.1.key", flat, "has past_key_values.1.key of 3 dimensions where 4 are known");
    refused("past_key_values.0.key", flat, "has past_key_values.0.key of 3 dimensions where 4 are known");
    let typed = |element: u64| move |ports: &mut Vec<Port>, at: usize| ports[at].element = Some(element);
    refused(
        "past_key_values.0.key",
        typed(16),
        "has past_key_values.0.key of elements of type bfloat16 where float or float16 is known",
    );
    refused(
        "present.1.value",
        typed(1),
        "has present.1.value of elements of type float where that of the other keys and values is known",
    );
    refused("attention_mask", typed(1), "has attention_mask of elements of type float where int64 or int32 is known");
    let sized = |at: usize, size: u64| move |ports: &mut Vec<Port>, port: usize| ports[port].dims[at] = Some(size);
    let needs = "where finch needs [batch, 2, length, 64]";
    refused(
        "past_key_values.1.key",
        sized(1, 3),
        &format!("has past_key_values.1.key of shape [?, 3, ?, 64], {needs}"),
    );
    refused(
        "past_key_values.1.key",
        sized(2, 9),
        &format!("has past_key_values.1.key of shape [?, 2, 9, 64], {needs}"),
    );
    refused("present.0.key", sized(0, 4), &format!("has present.0.key of shape [4, 2, ?, 64], {needs}"));
}
