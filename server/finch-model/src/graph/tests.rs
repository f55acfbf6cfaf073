use std::collections::BTreeMap;

use super::rotary::{Edges, Rotary, Scaling};
use super::rows::{Head, Pairs, RowOrder};
use super::*;
use crate::gguf::{Gguf, TensorKind};
use crate::onnx::proto::{DimensionValue, NodeProto, TypeValue, ValueInfoProto};
use crate::tiny::{self, GgufWriter, TinyArchitecture, TinyPositions, TinySpec};

const ARCHITECTURES: [TinyArchitecture; 2] = [TinyArchitecture::Llama, TinyArchitecture::Qwen2];

fn file(architecture: TinyArchitecture, tensor_type: TensorKind) -> GgufWriter {
    tiny::model(&TinySpec { architecture, tensor_type, ..TinySpec::default() }).expect("a sound spec")
}

fn planned(file: GgufWriter, precision: Precision) -> Result<Plan, String> {
    let gguf = Gguf::from_bytes("m.gguf", file.into_bytes()).expect("sound");
    let checkpoint = Checkpoint::Gguf(gguf);
    plan(&checkpoint, precision.into(), 100).map_err(|error| error.to_string())
}

fn plan_of(architecture: TinyArchitecture, tensor_type: TensorKind, precision: Precision) -> Plan {
    planned(file(architecture, tensor_type), precision).expect("a plan")
}

fn described(value: &ValueInfoProto) -> String {
    let Some(TypeValue::Tensor(tensor)) = value.r#type.as_ref().and_then(|kind| kind.value.as_ref()) else {
        return "no tensor".to_owned();
    };
    let dims = tensor.shape.iter().flat_map(|shape| &shape.dim).map(|dim| match &dim.value {
        Some(DimensionValue::Size(size)) => size.to_string(),
        Some(DimensionValue::Name(name)) => name.clone(),
        None => "?".to_owned(),
    });
    let dims = dims.collect::<Vec<_>>().join(",");
    format!("{} {}[{dims}]", value.name(), tensor.elem_type())
}

#[test]
fn inputs_and_outputs_are_what_the_engine_binds() {
    for architecture in ARCHITECTURES {
        let graph = plan_of(architecture, TensorKind::F32, Precision::Int8).graph;
        let cache = |name: &str| format!("{name} 1[batch,2,capacity,16]");
        let inputs: Vec<String> = graph.input.iter().map(described).collect();
        let mut expected: Vec<String> =
            ["input_ids 7[batch,seq]", "seqlens_k 6[batch]", "total_len 6[]", "logits_from 7[1]"]
                .map(str::to_owned)
                .to_vec();
        for layer in 0..2 {
            expected.extend(["key", "value"].map(|part| cache(&format!("past_key_values.{layer}.{part}"))));
        }
        assert_eq!(inputs, expected);
        let outputs: Vec<String> = graph.output.iter().map(described).collect();
        assert_eq!(outputs[0], "logits 1[batch,kept,512]");
        assert_eq!(outputs[4], cache("present.1.value"));
        assert_eq!(outputs.len(), 5);
    }
}

/// How often each operator occurs.
fn census(plan: &Plan) -> BTreeMap<&str, usize> {
    plan.graph.node.iter().fold(BTreeMap::new(), |mut census, node| {
        *census.entry(node.op_type()).or_default() += 1;
        census
    })
}

#[test]
fn a_quantised_graph_has_one_node_for_each_step() {
    let expected = BTreeMap::from([
        ("GatherBlockQuantized", 1),
        ("GroupQueryAttention", 2),
        ("MatMulNBits", 2 * 5 + 1),
        ("Mul", 2 * 2),
        ("Sigmoid", 2),
        ("SimplifiedLayerNormalization", 1),
        ("SkipSimplifiedLayerNormalization", 2 * 2),
        ("Slice", 1),
    ]);
    for architecture in ARCHITECTURES {
        for precision in [Precision::Int4, Precision::Int8] {
            assert_eq!(census(&plan_of(architecture, TensorKind::F32, precision)), expected);
        }
    }
}

#[test]
fn every_name_a_node_reads_is_made_before() {
    for architecture in TinyArchitecture::ALL {
        for precision in [Precision::Int4, Precision::Int8, Precision::Floats(Rounding::None)] {
            let plan = plan_of(architecture, TensorKind::F32, precision);
            let views = plan.weights.iter().flat_map(|weight| &weight.views).map(|view| view.name.as_str());
            let constants = plan.graph.initializer.iter().map(|tensor| tensor.name());
            let mut known: Vec<&str> = plan.graph.input.iter().map(|value| value.name()).collect();
            known.extend(views.chain(constants));
            let made = known.len();
            known.sort_unstable();
            known.dedup();
            assert_eq!(known.len(), made, "a name is given twice");
            for node in &plan.graph.node {
                for input in node.input.iter().filter(|input| !input.is_empty()) {
                    assert!(known.contains(&input.as_str()), "{} reads {input}", node.name());
                }
                known.extend(node.output.iter().map(String::as_str));
            }
            for output in &plan.graph.output {
                assert!(known.contains(&output.name()), "{}", output.name());
            }
        }
    }
}

fn weight<'a>(plan: &'a Plan, view: &str) -> &'a Weight {
    let has = |weight: &&Weight| weight.views.iter().any(|known| known.name == view);
    plan.weights.iter().find(has).expect("a weight with that view")
}

#[test]
fn only_llama_rows_are_put_apart_and_only_those_that_rotate() {
    let head = Head { dim: 16, pairs: 8, stored: Pairs::Together, built_pairs: 8, built_rest: 0 };
    let apart = RowOrder::Heads(head);
    let cases = [
        (TinyArchitecture::Llama, [apart, apart, RowOrder::AsStored]),
        (TinyArchitecture::Qwen2, [RowOrder::AsStored; 3]),
    ];
    for (architecture, expected) in cases {
        let plan = plan_of(architecture, TensorKind::F32, Precision::Int8);
        let Content::Blocks { parts, .. } = &weight(&plan, "blk.0.attn_qkv.codes").content else {
            panic!("not quantised");
        };
        let orders: Vec<RowOrder> = parts.iter().map(|part| part.order).collect();
        assert_eq!(orders, expected);
    }
}

#[test]
fn pairs_that_were_neighbours_end_half_a_head_apart() {
    let head = Head { dim: 4, pairs: 2, stored: Pairs::Together, built_pairs: 2, built_rest: 0 };
    check_rows(head, 0, &[0, 2, 1, 3, 4, 6, 5, 7].map(Some));
}

#[test]
fn heads_are_widened_with_rows_of_zeros_behind_each_part_of_a_head() {
    let plain = Head { dim: 5, pairs: 1, stored: Pairs::Apart, built_pairs: 1, built_rest: 3 };
    assert_eq!(plain.order(), RowOrder::AsStored);
    let wide = Head { built_pairs: 2, built_rest: 4, ..plain };
    let first = [Some(10), None, Some(11), None, Some(12), Some(13), Some(14), None];
    check_rows(wide, 10, &first);
    let second = first.map(|row: Option<usize>| row.map(|row| row + 5));
    check_rows(wide, 10, &[first, second].concat());
    let values = Head { dim: 3, pairs: 0, stored: Pairs::Apart, built_pairs: 0, built_rest: 4 };
    check_rows(values, 0, &[Some(0), Some(1), Some(2), None, Some(3), Some(4), Some(5), None]);
}

#[track_caller]
fn check_rows(head: Head, first: usize, expected: &[Option<usize>]) {
    let part = Part { tensor: String::new(), first, rows: expected.len(), order: head.order() };
    let rows: Vec<Option<usize>> = (0..part.rows).map(|row| part.stored_row(row)).collect();
    assert_eq!(rows, expected);
}

#[test]
fn biases_are_inputs_of_the_quantised_product() {
    let plan = plan_of(TinyArchitecture::Qwen2, TensorKind::F32, Precision::Int8);
    let node = plan.graph.node.iter().find(|node| node.output == ["blk.0.attn_qkv"]).expect("a node");
    assert_eq!(
        node.input,
        ["blk.0.attn_norm", "blk.0.attn_qkv.codes", "blk.0.attn_qkv.scales", "", "", "blk.0.attn_qkv.bias"]
    );
    assert_eq!(weight(&plan, "blk.0.attn_qkv.bias").views[0].dims, [128]);
}

#[test]
fn a_tied_head_shows_the_codes_of_the_embedding() {
    let plan = plan_of(TinyArchitecture::Llama, TensorKind::F32, Precision::Int4);
    let tied = weight(&plan, "token_embd.table");
    let views: Vec<(&str, Piece, &[usize])> =
        tied.views.iter().map(|view| (view.name.as_str(), view.piece, view.dims.as_slice())).collect();
    assert_eq!(
        views,
        [
            ("token_embd.scales", Piece::Scales, [512, 2].as_slice()),
            ("token_embd.table", Piece::Codes, [512, 64].as_slice()),
            ("token_embd.codes", Piece::Codes, [512, 2, 32].as_slice()),
        ]
    );
    let separate = plan_of(TinyArchitecture::Qwen2, TensorKind::F32, Precision::Int4);
    assert_eq!(weight(&separate, "token_embd.table").views.len(), 2);
    assert_eq!(weight(&separate, "output.codes").views.len(), 2);
}

#[test]
fn a_head_with_the_bytes_of_the_embedding_is_tied_too() {
    let numbers = vec![0; 64 * 512 * 4];
    let mut file = file(TinyArchitecture::Qwen2, TensorKind::F32);
    file.tensor("token_embd.weight", &[64, 512], TensorKind::F32, numbers.clone());
    file.tensor("output.weight", &[64, 512], TensorKind::F32, numbers);
    let plan = planned(file, Precision::Int8).expect("a plan");
    assert_eq!(weight(&plan, "token_embd.codes").views.len(), 3);
}

#[test]
fn four_bit_builds_keep_the_vocabulary_at_eight_bits() {
    let layout = |kind, view: &str| {
        let plan = plan_of(TinyArchitecture::Qwen2, kind, Precision::Int4);
        match weight(&plan, view).content {
            Content::Blocks { layout, .. } => layout,
            _ => panic!("not quantised"),
        }
    };
    assert_eq!(layout(TensorKind::F32, "output.codes"), Layout::Eight { block: 32 });
    assert_eq!(layout(TensorKind::F32, "token_embd.table"), Layout::Eight { block: 32 });
    assert_eq!(layout(TensorKind::F32, "blk.1.ffn_down.codes"), Layout::FourShifted);
    assert_eq!(layout(TensorKind::Q4_0, "blk.1.ffn_down.codes"), Layout::Four { block: 32 });
}

#[test]
fn the_yardstick_rounds_the_layers_to_four_bits_and_the_head_to_eight() {
    let plan = plan_of(TinyArchitecture::Qwen2, TensorKind::F32, Precision::Floats(Rounding::Q4Zero));
    let rounding = |view: &str| match weight(&plan, view).content {
        Content::Floats { rounding, .. } => rounding,
        _ => panic!("not floats"),
    };
    assert_eq!(rounding("blk.0.ffn_up.weight"), Rounding::Q4Zero);
    assert_eq!(rounding("token_embd.weight"), Rounding::Q4Zero);
    assert_eq!(rounding("output.weight"), Rounding::Q8Zero);
}

fn tables(base: f64, scaling: Scaling, factors: Vec<f32>) -> (Vec<f32>, Vec<f32>) {
    let rotary = Rotary { pairs: 2, columns: 2, positions: 3, base, scaling, factors, magnitude: 1.0 };
    rotary::tables(&rotary)
}

#[test]
fn rotary_tables_turn_by_position_and_frequency() {
    let (cosines, sines) = tables(100.0, Scaling::None, Vec::new());
    assert_eq!(cosines[..2], [1.0, 1.0]);
    assert_eq!(sines[2..4], [1.0_f64.sin() as f32, 0.1_f64.sin() as f32]);
    assert_eq!(cosines[4..], [2.0_f64.cos() as f32, 0.2_f64.cos() as f32]);
    let (_, stretched) = tables(100.0, Scaling::Linear { factor: 2.0 }, Vec::new());
    assert_eq!(stretched[4..], sines[2..4]);
    let (_, factored) = tables(100.0, Scaling::None, vec![1.0, 2.0]);
    assert_eq!(factored[4..], [2.0_f64.sin() as f32, sines[3]]);
}

#[test]
fn columns_of_the_tables_without_a_pair_turn_nothing_whatever_the_magnitude() {
    let scaling = Scaling::None;
    let rotary = Rotary { pairs: 1, columns: 3, positions: 2, base: 10.0, scaling, factors: vec![], magnitude: 2.0 };
    let (cosines, sines) = rotary::tables(&rotary);
    assert_eq!(cosines, [2.0, 1.0, 1.0, 2.0 * 1.0_f64.cos() as f32, 1.0, 1.0]);
    assert_eq!(sines, [0.0, 0.0, 0.0, (2.0 * 1.0_f64.sin()) as f32, 0.0, 0.0]);
}

#[test]
fn a_context_longer_than_asked_for_is_cut() {
    let plan = plan_of(TinyArchitecture::Llama, TensorKind::F32, Precision::Int8);
    assert_eq!(plan.shape.context_tokens_max, 100);
    assert_eq!(weight(&plan, "rotary.cos").views[0].dims, [100, 8]);
}

#[track_caller]
fn check_refused(spoil: impl FnOnce(&mut GgufWriter), message: &str) {
    let mut file = file(TinyArchitecture::Llama, TensorKind::F32);
    spoil(&mut file);
    let error = planned(file, Precision::Int8).expect_err("refused");
    assert!(error.starts_with("m.gguf") && error.contains(message), "{error}");
}

#[test]
fn what_the_graph_cannot_express_is_refused() {
    check_refused(|file| file.text("general.architecture", "mamba"), "architecture mamba, finch builds llama, qwen2");
    check_refused(|file| file.integer("llama.expert_count", 8), "a mixture of 8 experts");
    check_refused(|file| file.integer("llama.attention.value_length", 32), "values of 32");
    check_refused(|file| file.integer("llama.rope.dimension_count", 7), "7 rotated dimensions");
    check_refused(|file| file.integer("llama.rope.dimension_count", 18), "18 rotated dimensions");
    check_refused(|file| file.text("llama.rope.scaling.type", "spiral"), "rotary scaling spiral");
    check_refused(|file| file.text("llama.rope.scaling.type", "longrope"), "rotary scaling longrope");
    let bias = |file: &mut GgufWriter| file.tensor("blk.0.attn_q.bias", &[64], TensorKind::F32, vec![0; 256]);
    check_refused(bias, "tensor blk.0.attn_q.bias has no place in the graph");
}

#[test]
fn a_window_is_refused_where_its_family_has_none_and_left_out_where_it_is_wider_than_everything() {
    let mut qwen2 = file(TinyArchitecture::Qwen2, TensorKind::F32);
    qwen2.integer("qwen2.attention.sliding_window", 64);
    assert!(planned(qwen2, Precision::Int8).expect_err("refused").contains("a sliding window"));
    let windows = |window: u32| {
        let mut file = file(TinyArchitecture::Gemma2, TensorKind::F32);
        file.integer("gemma2.attention.sliding_window", window);
        let graph = planned(file, Precision::Int8).expect("a plan").graph;
        let nodes = graph.node.iter().filter(|node| node.op_type() == "GroupQueryAttention");
        let window = |node: &NodeProto| {
            node.attribute.iter().find(|attribute| attribute.name() == "local_window_size").map(|found| found.i())
        };
        nodes.map(window).collect::<Vec<_>>()
    };
    assert_eq!(windows(64), [Some(64), None]);
    assert_eq!(windows(100), [None, None]);
    assert_eq!(windows(0), [None, None]);
}

#[test]
fn layers_with_a_window_may_have_tables_of_their_own() {
    let plan = plan_of(TinyArchitecture::Gemma3, TensorKind::F32, Precision::Int8);
    let numbers = |name| match &weight(&plan, name).content {
        Content::Computed(numbers) => numbers.clone(),
        _ => panic!("not computed"),
    };
    assert_ne!(numbers("rotary.cos"), numbers("rotary.local.cos"));
}

#[test]
fn a_build_of_long_positions_settles_on_the_factors_of_its_length() {
    let tables = |context_tokens| {
        let spec = TinySpec {
            architecture: TinyArchitecture::Phi3,
            positions: TinyPositions::LongRope,
            ..TinySpec::default()
        };
        let gguf = Gguf::from_bytes("m.gguf", tiny::model(&spec).expect("sound").into_bytes()).expect("sound");
        let plan = plan(&Checkpoint::Gguf(gguf), Precision::Int8.into(), context_tokens).expect("a plan");
        match &weight(&plan, "rotary.cos").content {
            Content::Computed(numbers) => numbers[8..16].to_vec(),
            _ => panic!("not computed"),
        }
    };
    assert_eq!(tables(100), tables(256));
    assert_ne!(tables(256), tables(257));
    assert_eq!(tables(257), tables(2048));
}

#[test]
fn positions_reach_as_far_as_they_are_scaled_to() {
    let reach = |kind: &str, factor: f32, original: u32| {
        let mut file = file(TinyArchitecture::Llama, TensorKind::F32);
        file.text("llama.rope.scaling.type", kind);
        file.float("llama.rope.scaling.factor", factor);
        file.integer("llama.rope.scaling.original_context_length", original);
        let gguf = Gguf::from_bytes("m.gguf", file.into_bytes()).expect("sound");
        plan(&Checkpoint::Gguf(gguf), Precision::Int8.into(), 10_000).expect("a plan").shape.context_tokens_max
    };
    assert_eq!(reach("linear", 4.0, 2048), 2048);
    assert_eq!(reach("dynamic", 2.0, 2048), 4096);
    assert_eq!(reach("yarn", 4.0, 2048), 8192);
    assert_eq!(reach("yarn", 4.0, 512), 2048);
    assert_eq!(reach("yarn", 40.0, 2048), 10_000);
}

#[test]
fn yarn_mixes_between_edges_that_lie_on_pairs_or_between_them() {
    let frequency = |edges, pair: usize| {
        let scaling = Scaling::Yarn { factor: 4.0, fast: 32.0, slow: 1.0, original: 64.0, edges };
        let (pairs, base) = (8, 10_000.0);
        let tables = rotary::tables(&Rotary {
            pairs,
            columns: pairs,
            positions: 2,
            base,
            scaling,
            factors: vec![],
            magnitude: 1.0,
        });
        // The second row is position 1, whose angle is the frequency.
        tables.1[pairs + pair].asin()
    };
    // 16 ln(64 / 2π) / (2 ln 10000) = 2.0161 pairs have turned once; none has turned 32 times.
    let mixed = |keep: f32| 10_000_f32.powf(-1.0 / 8.0) * (keep + (1.0 - keep) / 4.0);
    let near = |found: f32, expected: f32| assert!((found - expected).abs() < 1e-4, "{found} for {expected}");
    near(frequency(Edges::OnPairs, 1), mixed(1.0 - 1.0 / 3.0));
    near(frequency(Edges::Exact, 1), mixed(1.0 - 1.0 / 2.0161));
    near(frequency(Edges::OnPairs, 0), frequency(Edges::Exact, 0));
    near(frequency(Edges::OnPairs, 5), frequency(Edges::Exact, 5));
}

#[test]
fn files_that_contradict_themselves_are_refused() {
    check_refused(|file| file.integer("llama.block_count", 3), "it has no tensor blk.2.attn_norm.weight");
    check_refused(|file| file.integer("llama.block_count", 1), "tensor blk.1.attn_k.weight has no place");
    check_refused(|file| file.integer("llama.feed_forward_length", 64), "[64, 96] where [64, 64] belong");
    check_refused(|file| file.integer("llama.attention.head_count_kv", 3), "4 heads cannot share 3");
    check_refused(|file| file.integers("llama.attention.head_count_kv", &[2, 2]), "head_count_kv is not one whole");
    check_refused(|file| file.integer("llama.block_count", 0), "llama.block_count is not one whole number");
    check_refused(|file| file.float("llama.rope.freq_base", f32::NAN), "llama.rope.freq_base is not a positive");
    let factors = |file: &mut GgufWriter| file.tensor("rope_freqs.weight", &[3], TensorKind::F32, vec![0; 12]);
    check_refused(factors, "tensor rope_freqs.weight is not 8 numbers");
    let short = |file: &mut GgufWriter| file.tensor("rope_factors_short.weight", &[8], TensorKind::F32, vec![0; 32]);
    check_refused(short, "tensor rope_factors_short.weight has factors that are not positive");
    check_refused(|file| file.text("llama.attention.sliding_window", "8"), "sliding_window is not one whole number");
}
