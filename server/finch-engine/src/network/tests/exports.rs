use std::{fs, ops::ControlFlow, path::PathBuf};

use finch_model::{
    import::{ImportRequest, import},
    manifest::{Layout, MANIFEST_FILE, Manifest, Quant},
    ports::Floats,
    tiny::{ExportSpec, TinyArchitecture, TinySpec, write_export},
};

use super::{CAPACITY, Devices, Kernels, Network, Place, SessionOptions, Slot, Weights, assert_close, network, tokens};
use crate::testing::{TinyModel, runtime};

/// Every layout in every type.
const SPECS: [ExportSpec; 4] = [
    ExportSpec { layout: Layout::Optimum, floats: Floats::F32 },
    ExportSpec { layout: Layout::Optimum, floats: Floats::F16 },
    ExportSpec { layout: Layout::Genai, floats: Floats::F32 },
    ExportSpec { layout: Layout::Genai, floats: Floats::F16 },
];

/// 32-bit floats are added up in another order. 16-bit ones keep 11 bits of keys, values and logits, so that a logit of up
/// to 8 is off by 2^-9 from its own rounding, and by about as much from that of each layer's keys and of its values.
fn tolerance(spec: ExportSpec) -> f32 {
    match spec.floats {
        Floats::F32 => 1e-3,
        Floats::F16 => 5.0 / 512.0,
    }
}

fn options() -> SessionOptions {
    SessionOptions {
        threads: 1,
        capacity: CAPACITY,
        kernels: Kernels::Auto,
        devices: Devices::default(),
        weights: Weights::Packed,
    }
}

struct Exported {
    /// The same weights in a graph of finch.
    own: TinyModel,
    dir: PathBuf,
}

impl Exported {
    fn new(tiny: TinySpec, spec: ExportSpec) -> Self {
        let own = TinyModel::new(tiny, Quant::Fp32);
        let root = own.gguf.parent().unwrap().to_owned();
        let source = root.join("export");
        write_export(&own.gguf, &source, spec).unwrap();
        let request = ImportRequest::new(source, "export".parse().unwrap(), root.join("models"), Quant::Fp32);
        let dir = import(request, &mut |_, _| ControlFlow::Continue(())).unwrap();
        Self { own, dir }
    }

    fn network(&self) -> (Network, Slot) {
        let manifest = Manifest::read(&self.dir).unwrap();
        let options = options();
        let mut network = Network::load(&runtime(), &self.dir, &manifest, options).unwrap();
        let slot = network.slot();
        (network, slot)
    }

    /// The logits of the last `rows` of some tokens by finch's own graph.
    fn expected(&self, tokens: &[u32], rows: usize) -> Vec<f32> {
        let (mut network, mut slot) = network(&self.own);
        network.forward(&mut slot, tokens, rows).unwrap().to_vec()
    }
}

fn odd(architecture: TinyArchitecture) -> TinySpec {
    TinySpec { architecture, layers: 3, hidden: 96, heads: 6, kv_heads: 2, ..TinySpec::default() }
}

#[test]
fn logits_are_those_of_our_own_graph_of_the_same_weights() {
    for spec in SPECS {
        for architecture in [TinyArchitecture::Llama, TinyArchitecture::Qwen2, TinyArchitecture::Qwen3] {
            let model = Exported::new(odd(architecture), spec);
            let tokens = tokens(40, 500);
            let (mut network, mut slot) = model.network();
            let logits = network.forward(&mut slot, &tokens, 40).unwrap().to_vec();
            let expected = model.expected(&tokens, 40);
            let apart = logits.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            println!("{architecture:?}, {spec:?}: {apart:.2e} apart");
            assert_close(&logits, &expected, tolerance(spec));
        }
    }
}

#[test]
fn steps_of_any_length_come_to_what_one_pass_does() {
    for spec in SPECS {
        let model = Exported::new(odd(TinyArchitecture::Llama), spec);
        let tokens = tokens(40, 500);
        let expected = model.expected(&tokens, 2);
        for lengths in [&[1; 40][..], &[37, 3], &[13, 25, 2]] {
            let (mut network, mut slot) = model.network();
            let (mut rest, mut logits) = (&tokens[..], Vec::new());
            for &length in lengths {
                let (pass, after) = rest.split_at(length);
                rest = after;
                let rows = if rest.is_empty() { length.min(2) } else { 0 };
                logits = network.forward(&mut slot, pass, rows).unwrap().to_vec();
            }
            let vocab = expected.len() / 2;
            assert_eq!(slot.tokens(), tokens);
            assert_close(&logits[logits.len() - vocab..], &expected[vocab..], tolerance(spec));
        }
    }
}

#[test]
fn what_was_forgotten_copied_or_restored_is_as_if_computed() {
    for spec in SPECS {
        let model = Exported::new(odd(TinyArchitecture::Qwen2), spec);
        let tokens = tokens(30, 500);
        let behind = |front: usize| -> Vec<u32> { tokens[..front].iter().copied().chain([7, 8, 9]).collect() };
        let (mut network, _) = model.network();
        let mut slots = network.slots(3);
        let [first, second, third] = &mut slots[..] else { panic!("three slots") };
        network.forward(first, &tokens, 0).unwrap();
        network.copy_prefix(second, first, 12);
        let state = network.state(first, 16);
        assert!(network.restore(third, tokens[..16].to_vec(), &state));
        first.truncate(20);
        for (slot, front) in [(first, 20), (second, 12), (third, 16)] {
            let logits = network.forward(slot, &[7, 8, 9], 1).unwrap().to_vec();
            assert_close(&logits, &model.expected(&behind(front), 1), tolerance(spec));
            slot.truncate(5);
            network.release(slot);
            assert_eq!(slot.touched(), 5);
            let logits = network.forward(slot, &[7, 8, 9], 1).unwrap().to_vec();
            assert_close(&logits, &model.expected(&behind(5), 1), tolerance(spec));
        }
    }
}

#[test]
fn neighbours_take_a_token_each() {
    for spec in SPECS {
        let model = Exported::new(odd(TinyArchitecture::Llama), spec);
        let (mut network, _) = model.network();
        let mut slots = network.slots(3);
        let texts = [tokens(9, 400), tokens(4, 300), tokens(14, 200)];
        for (slot, text) in slots.iter_mut().zip(&texts) {
            network.forward(slot, text, 0).unwrap();
        }
        let [first, between, last] = &mut slots[..] else { panic!("three slots") };
        let mut places = [Place::Takes(first, 11), Place::Between(between), Place::Takes(last, 12)];
        network.forward_each(&mut places).unwrap();
        for (row, text, token) in [(0, &texts[0], 11), (2, &texts[2], 12)] {
            let text: Vec<u32> = text.iter().copied().chain([token]).collect();
            assert_close(network.logits(row), &model.expected(&text, 1), tolerance(spec));
        }
        assert_eq!((slots[0].tokens().len(), slots[1].tokens().len(), slots[2].tokens().len()), (10, 4, 15));
        // One that cannot go on leaves all as they were.
        let [first, _, last] = &mut slots[..] else { panic!("three slots") };
        assert!(network.forward_each(&mut [Place::Takes(first, 1), Place::Takes(last, 100_000)]).is_err());
        assert_eq!((slots[0].tokens().len(), slots[2].tokens().len()), (10, 15));
        let text: Vec<u32> = texts[0].iter().copied().chain([11, 5]).collect();
        let logits = network.forward(&mut slots[0], &[5], 1).unwrap().to_vec();
        assert_close(&logits, &model.expected(&text, 1), tolerance(spec));
    }
}

#[test]
fn a_manifest_that_speaks_of_another_graph_is_refused() {
    let model = Exported::new(odd(TinyArchitecture::Llama), SPECS[0]);
    let path = model.dir.join(MANIFEST_FILE);
    let text = fs::read_to_string(&path).unwrap();
    let options = options();
    for (from, to, says) in [
        ("layers = 3", "layers = 2", "is not of the shape in the manifest"),
        ("head_dim = 16", "head_dim = 32", "is not of the shape in the manifest"),
        ("layout = \"optimum\"\n", "", "the graph has no input seqlens_k"),
    ] {
        assert!(text.contains(from), "{text}");
        fs::write(&path, text.replace(from, to)).unwrap();
        let error = Manifest::read(&model.dir).map(|manifest| {
            Network::load(&runtime(), &model.dir, &manifest, options).map(drop).unwrap_err().to_string()
        });
        let error = error.unwrap_or_else(|error| error.to_string());
        assert!(error.contains(says) || error.contains("files does not list"), "{error}");
    }
}
