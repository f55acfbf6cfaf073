use std::fs;

use prost::Message;

use super::*;
use crate::gguf::{Gguf, TensorKind};
use crate::onnx::proto::{ModelProto, TensorProto};
use crate::quant;
use crate::tiny::{HubSpec, TinyArchitecture, TinySpec, write_hub, write_tiny_gguf};

struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn with(spec: TinySpec) -> Place {
        let root = tempfile::tempdir().expect("a directory");
        write_tiny_gguf(&root.path().join("m.gguf"), spec).expect("written");
        Place { root }
    }

    fn request(&self, quant: Quant) -> ImportRequest {
        let id = "tiny".parse().expect("an id");
        ImportRequest::new(self.root.path().join("m.gguf"), id, self.models(), quant)
    }

    fn models(&self) -> PathBuf {
        self.root.path().join("models")
    }

    /// The names in the models directory, without the lock file.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.models()).expect("there");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.retain(|name| name != ".import.lock");
        names.sort();
        names
    }
}

fn go_on(_done: u64, _total: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// A built model, read back.
struct Built {
    graph: ModelProto,
    data: Vec<u8>,
}

impl Built {
    fn of(request: ImportRequest) -> Built {
        let dir = import(request, &mut go_on).expect("built");
        let graph = fs::read(dir.join(GRAPH_FILE)).expect("a graph");
        let data = fs::read(dir.join(WEIGHTS_FILE)).expect("weights");
        Built { graph: ModelProto::decode(graph.as_slice()).expect("a graph"), data }
    }

    fn external(&self) -> impl Iterator<Item = &TensorProto> {
        let graph = self.graph.graph.as_ref().expect("a graph");
        graph.initializer.iter().filter(|tensor| tensor.data_location() == 1)
    }

    fn tensor(&self, name: &str) -> &TensorProto {
        self.external().find(|tensor| tensor.name() == name).expect("an initialiser")
    }

    fn bytes(&self, name: &str) -> &[u8] {
        let (offset, len) = extent(self.tensor(name));
        &self.data[offset..offset + len]
    }

    fn floats(&self, name: &str) -> Vec<f32> {
        let chunks = self.bytes(name).as_chunks::<4>().0;
        chunks.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }
}

fn extent(tensor: &TensorProto) -> (usize, usize) {
    let entry = |key: &str| {
        let found = tensor.external_data.iter().find(|entry| entry.key() == key);
        found.and_then(|entry| entry.value().parse().ok()).expect("a number")
    };
    (entry("offset"), entry("length"))
}

fn source_row(place: &Place, tensor: &str, row: usize) -> Vec<f32> {
    let gguf = Gguf::open(&place.root.path().join("m.gguf")).expect("sound");
    let tensor = gguf.tensor(tensor).expect("there");
    let mut floats = vec![0.0; tensor.row_len()];
    tensor.kind().dequantize(tensor.row_bytes(row).expect("a row"), &mut floats);
    floats
}

#[test]
fn every_build_is_whole_and_says_what_it_is() {
    for architecture in [TinyArchitecture::Llama, TinyArchitecture::Qwen2] {
        for tensor_type in [TensorKind::F32, TensorKind::Q8_0, TensorKind::Q4_0] {
            let place = Place::with(TinySpec { architecture, tensor_type, ..TinySpec::default() });
            for quant in Quant::ALL {
                let dir = import(place.request(quant), &mut go_on).expect("built");
                let manifest = Manifest::read(&dir).expect("a manifest");
                assert_eq!((manifest.quant, manifest.licence.as_str()), (quant, "mit"));
                assert_eq!((manifest.infill, manifest.shape.context_tokens_max), (InfillStyle::Fim, 2048));
                assert_eq!(place.names(), ["tiny"]);
            }
        }
    }
}

#[test]
fn float_weights_are_the_source_in_the_order_of_the_graph() {
    let place = Place::with(TinySpec::default());
    let built = Built::of(place.request(Quant::Fp32));
    let qkv = built.floats("blk.1.attn_qkv.weight");
    // Heads of 16: row 9 of the graph is the second of pair 1, and the keys follow 64 rows of queries.
    assert_eq!(qkv[9 * 64..10 * 64], source_row(&place, "blk.1.attn_q.weight", 3));
    assert_eq!(qkv[(64 + 17) * 64..(64 + 18) * 64], source_row(&place, "blk.1.attn_k.weight", 18));
    assert_eq!(qkv[(96 + 5) * 64..(96 + 6) * 64], source_row(&place, "blk.1.attn_v.weight", 5));
    assert_eq!(built.floats("output_norm.weight"), source_row(&place, "output_norm.weight", 0));
}

#[test]
fn codes_scales_and_zeros_of_packed_rows_belong_together() {
    let place = Place::with(TinySpec { architecture: TinyArchitecture::Qwen2, ..TinySpec::default() });
    let built = Built::of(place.request(Quant::Int4));
    let row = 64 + 7;
    let (scales, zeros) = (built.floats("blk.0.attn_qkv.scales"), built.bytes("blk.0.attn_qkv.zeros"));
    let codes = &built.bytes("blk.0.attn_qkv.codes")[row * 32..(row + 1) * 32];
    let got: Vec<f32> = (0..64)
        .map(|column| {
            let code = f32::from(codes[column / 2] >> (column % 2 * 4) & 15);
            let zero = f32::from(zeros[row] >> (column / 32 * 4) & 15);
            (code - zero) * scales[row * 2 + column / 32]
        })
        .collect();
    let wanted = source_row(&place, "blk.0.attn_k.weight", 7);
    let mut plain = wanted.clone();
    quant::round_like_q4_zero(&mut plain);
    let miss = |numbers: &[f32]| numbers.iter().zip(&wanted).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
    assert!(miss(&got) <= miss(&plain), "{} against {}", miss(&got), miss(&plain));
}

#[test]
fn the_yardstick_holds_what_a_plain_file_would() {
    let place = Place::with(TinySpec::default());
    let request = ImportRequest { reference: Reference::PlainFourBit, ..place.request(Quant::Fp32) };
    let mut wanted = source_row(&place, "blk.0.ffn_up.weight", 2);
    quant::round_like_q4_zero(&mut wanted);
    assert_eq!(Built::of(request).floats("blk.0.ffn_up.weight")[2 * 64..3 * 64], wanted);
}

#[test]
fn initialisers_lie_apart_inside_the_file_and_only_tied_ones_share() {
    let place = Place::with(TinySpec { vocab: 4000, ..TinySpec::default() });
    let built = Built::of(place.request(Quant::Int8));
    let mut extents: Vec<(usize, usize)> = built.external().map(extent).collect();
    assert!(extents.iter().all(|(offset, len)| offset % 64 == 0 && offset + len <= built.data.len()));
    let large = extent(built.tensor("token_embd.table"));
    assert_eq!((large, large.0 % 4096), (extent(built.tensor("token_embd.codes")), 0));
    extents.sort_unstable();
    let before = extents.len();
    extents.dedup();
    assert_eq!(extents.len(), before - 1);
    assert!(extents.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0));
}

#[test]
fn the_same_source_gives_the_same_bytes() {
    let place = Place::with(TinySpec::default());
    let first = Built::of(place.request(Quant::Int4));
    let again = Built::of(place.request(Quant::Int4));
    assert!(first.graph == again.graph && first.data == again.data);
    assert_eq!(place.names(), ["tiny"]);
}

#[test]
fn progress_ends_at_its_total() {
    let place = Place::with(TinySpec::default());
    let mut seen = Vec::new();
    let mut watch = |done, total| {
        seen.push((done, total));
        ControlFlow::Continue(())
    };
    import(place.request(Quant::Int8), &mut watch).expect("built");
    assert!(seen.is_sorted() && seen.len() > 10);
    assert_eq!(seen.last().map(|(done, total)| done == total), Some(true));
}

/// Breaks an import off when it has asked `asks` times whether to go on.
fn break_off(request: ImportRequest, asks: usize) -> usize {
    let mut left = asks;
    let mut stop = |_, _| {
        left = left.saturating_sub(1);
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let error = import(request, &mut stop).expect_err("cancelled");
    assert!(matches!(error, ImportError::Cancelled), "{error}");
    asks
}

/// The bytes of weights in the part directory.
fn part_bytes(place: &Place) -> Option<u64> {
    let part = place.names().into_iter().find(|name| name.contains(".part-"))?;
    fs::metadata(place.models().join(part).join(WEIGHTS_FILE)).ok().map(|file| file.len())
}

#[test]
fn an_import_goes_on_where_it_was_broken_off() {
    for quant in Quant::ALL {
        let place = Place::with(TinySpec::default());
        let whole = Built::of(place.request(quant));
        fs::remove_dir_all(place.models()).expect("removed");
        let mut before = 0;
        for asks in [4, 8, 12, 16] {
            break_off(place.request(quant), asks);
            let bytes = part_bytes(&place).expect("a part");
            assert!(bytes > before, "{bytes} after {before}");
            before = bytes;
        }
        let part = place.names().into_iter().find(|name| name.contains(".part-")).expect("a part");
        let weights = place.models().join(part).join(WEIGHTS_FILE);
        // What is written already is not written again: a mark in it stays.
        let mut marked = fs::read(&weights).expect("weights");
        marked[0] ^= 1;
        fs::write(&weights, &marked).expect("written");
        let resumed = Built::of(place.request(quant));
        assert!(resumed.graph == whole.graph && resumed.data.len() == whole.data.len());
        assert!(resumed.data[0] == whole.data[0] ^ 1 && resumed.data[1..] == whole.data[1..]);
        assert_eq!(place.names(), ["tiny"]);
    }
}

#[test]
fn a_source_that_changed_or_another_way_of_building_starts_over() {
    let place = Place::with(TinySpec::default());
    break_off(place.request(Quant::Int8), 12);
    let first = place.names();
    break_off(ImportRequest { head: Some(Quant::Fp16), ..place.request(Quant::Int8) }, 12);
    let second = place.names();
    assert!(first != second && second.len() == 1, "{first:?} {second:?}");
    write_tiny_gguf(&place.root.path().join("m.gguf"), TinySpec { seed: 9, ..TinySpec::default() }).expect("written");
    let changed = Built::of(place.request(Quant::Int8));
    assert_eq!(place.names(), ["tiny"]);
    assert!(changed.data == Built::of(place.request(Quant::Int8)).data);
}

#[test]
fn a_part_that_was_cut_short_starts_over() {
    let place = Place::with(TinySpec::default());
    let whole = Built::of(place.request(Quant::Int4));
    break_off(place.request(Quant::Int4), 12);
    let part = place.names().into_iter().find(|name| name.contains(".part-")).expect("a part");
    OpenOptions::new().write(true).open(place.models().join(part).join(WEIGHTS_FILE)).unwrap().set_len(5).unwrap();
    assert!(Built::of(place.request(Quant::Int4)).data == whole.data);
}

#[test]
fn a_build_that_is_there_is_taken_only_where_that_is_asked_for() {
    let place = Place::with(TinySpec::default());
    let dir = import(place.request(Quant::Int8), &mut go_on).expect("built");
    let written = || fs::metadata(dir.join(WEIGHTS_FILE)).and_then(|file| file.modified()).expect("weights");
    let first = written();
    let taken = |quant| ImportRequest { finished: Finished::Take, ..place.request(quant) };
    import(taken(Quant::Int8), &mut go_on).expect("taken");
    assert_eq!(written(), first);
    import(taken(Quant::Int4), &mut go_on).expect("built");
    assert_ne!(written(), first);
}

#[test]
fn a_failed_import_leaves_the_model_that_was_there() {
    let place = Place::with(TinySpec::default());
    let dir = import(place.request(Quant::Int8), &mut go_on).expect("built");
    let request = ImportRequest { source: place.root.path().join("none.gguf"), ..place.request(Quant::Int4) };
    let error = import(request, &mut go_on).expect_err("no such file");
    assert!(matches!(error, ImportError::Source(CheckpointError::Open { .. })), "{error}");
    let mut stop = |done, total| if done * 2 > total { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    import(place.request(Quant::Int4), &mut stop).expect_err("cancelled");
    assert_eq!(Manifest::read(&dir).expect("still there").quant, Quant::Int8);
}

#[test]
fn parts_of_dead_importers_are_removed() {
    let place = Place::with(TinySpec::default());
    fs::create_dir_all(place.models().join(".other.part-1")).expect("made");
    fs::write(place.models().join(".other.part-1/model.onnx.data"), "half").expect("written");
    fs::create_dir_all(place.models().join(".downloads")).expect("made");
    import(place.request(Quant::Int8), &mut go_on).expect("built");
    assert_eq!(place.names(), [".downloads", "tiny"]);
}

#[test]
fn a_second_importer_is_told_to_wait() {
    let place = Place::with(TinySpec::default());
    let mut nested = None;
    let mut import_again = |_, _| {
        nested.get_or_insert_with(|| import(place.request(Quant::Int8), &mut go_on).map_err(|error| error.to_string()));
        ControlFlow::Continue(())
    };
    import(place.request(Quant::Int4), &mut import_again).expect("built");
    let error = nested.expect("asked").expect_err("busy");
    assert!(error.contains("another import into"), "{error}");
}

#[test]
fn a_full_disk_is_called_that() {
    let place = tempfile::tempdir().expect("a directory");
    let full = |_: &mut BufWriter<File>| Err(Interrupted::from(io::Error::from(io::ErrorKind::StorageFull)));
    let error = write(place.path(), WEIGHTS_FILE, full).expect_err("full");
    assert!(matches!(&error, ImportError::DiskFull { path } if path.ends_with(WEIGHTS_FILE)), "{error}");
}

#[test]
fn fill_in_the_middle_needs_its_tokens() {
    let place = Place::with(TinySpec::default());
    let mut file = crate::tiny::model(&TinySpec::default()).expect("a sound spec");
    file.integers("tokenizer.ggml.token_type", &[1; 512]);
    fs::write(place.root.path().join("m.gguf"), file.into_bytes()).expect("written");
    let asked = ImportRequest { infill: Some(InfillStyle::Fim), ..place.request(Quant::Int8) };
    let error = import(asked, &mut go_on).expect_err("no tokens");
    assert!(matches!(error, ImportError::NoFimTokens { .. }), "{error}");
    let dir = import(place.request(Quant::Int8), &mut go_on).expect("built");
    assert_eq!(Manifest::read(&dir).expect("a manifest").infill, InfillStyle::Prefix);
}

#[test]
fn a_model_that_was_measured_elsewhere_is_moved_with_its_figure() {
    let place = Place::with(TinySpec::default());
    let bench = place.root.path().join("bench");
    let built = import(ImportRequest { home_models: bench, ..place.request(Quant::Int8) }, &mut go_on).expect("built");
    let divergence = Divergence::new(0.01, 2_048).expect("enough tokens");
    let dir = adopt(&built, &place.models(), Some(divergence)).expect("moved");
    let manifest = Manifest::read(&dir).expect("whole");
    assert_eq!((manifest.build.kl, manifest.build.kl_tokens), (Some(0.01), Some(2_048)));
    assert_eq!(place.names(), ["tiny"]);
}

#[test]
fn a_chat_template_is_kept_beside_the_model_and_listed() {
    let place = Place::with(TinySpec::default());
    let plain = import(place.request(Quant::Int8), &mut go_on).expect("built");
    let read = |dir: &Path| ChatTemplates::read(dir, &Manifest::read(dir).expect("a model")).expect("readable");
    assert_eq!(read(&plain), ChatTemplates::default());
    let mut file = crate::tiny::model(&TinySpec::default()).expect("a sound spec");
    file.text("tokenizer.chat_template", "{{ messages[0].content }}\n");
    fs::write(place.root.path().join("m.gguf"), file.into_bytes()).expect("written");
    let dir = import(ImportRequest { id: "talks".parse().expect("an id"), ..place.request(Quant::Int8) }, &mut go_on);
    let dir = dir.expect("built");
    let kept = ChatTemplates { default: Some("{{ messages[0].content }}\n".to_owned()), tool_use: None };
    assert_eq!(read(&dir), kept);
    fs::write(dir.join("chat_template.jinja"), "other").expect("written");
    let error = Manifest::read(&dir).expect_err("another size").to_string();
    assert!(error.contains("chat_template.jinja"), "{error}");
}

/// Builds the same weights from a GGUF file and from a hub directory.
#[track_caller]
fn check_hub(architecture: TinyArchitecture, shards: usize) {
    let place = Place::with(TinySpec { architecture, layers: 3, ..TinySpec::default() });
    let hub = place.root.path().join("hub");
    write_hub(&place.root.path().join("m.gguf"), &hub, HubSpec { shards, ..HubSpec::default() }).expect("written");
    for quant in Quant::ALL {
        let by_gguf = Built::of(place.request(quant));
        let of_gguf = Manifest::read(&place.models().join("tiny")).expect("whole");
        let by_hub = Built::of(ImportRequest { source: hub.clone(), ..place.request(quant) });
        let of_hub = Manifest::read(&place.models().join("tiny")).expect("whole");
        assert!(by_gguf.data == by_hub.data && by_gguf.graph == by_hub.graph, "{architecture:?} {quant}");
        assert_eq!((of_gguf.shape, of_gguf.tokens), (of_hub.shape, of_hub.tokens));
        assert_ne!(of_gguf.source.sha256, of_hub.source.sha256);
    }
}

#[test]
fn a_hub_directory_gives_the_build_that_its_gguf_file_gives() {
    for (shards, architecture) in (1..).zip(TinyArchitecture::ALL) {
        check_hub(architecture, shards);
    }
}

#[test]
fn a_divergence_over_few_tokens_or_of_no_number_counts_for_nothing() {
    let check = |mean: f64, tokens: usize, part: &str| {
        let error = Divergence::new(mean, tokens).expect_err("refused").to_string();
        assert!(error.contains(part), "{error}");
    };
    check(0.001, 1_999, "over 1999 tokens of code, and at least 2000 are needed");
    check(f64::NAN, 2_000, "NaN, which is no number of a working model");
    assert_eq!(Divergence::new(0.001, 2_000).map(|kl| kl.mean()), Ok(0.001));
}
