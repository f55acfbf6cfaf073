use super::*;
use crate::limits;
use crate::tiny::{self, TinyArchitecture, TinySpec};

fn bytes_of(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

/// `weighted` is the sum of each number times its place from 1: it moves if any number is wrong or elsewhere.
/// The expected numbers come from the reference implementation of the format, not from this one.
#[track_caller]
fn check_block(kind: TensorKind, block: &str, samples: &[(usize, f32)], weighted: f64) {
    let block = bytes_of(block);
    assert_eq!(block.len(), kind.block_bytes());
    let mut numbers = vec![0.0; kind.block_len()];
    kind.dequantize(&block, &mut numbers);
    let got: Vec<(usize, f32)> = samples.iter().map(|(place, _)| (*place, numbers[*place])).collect();
    assert_eq!(got, samples);
    let sum: f64 = numbers.iter().zip(1_u32..).map(|(number, place)| f64::from(*number) * f64::from(place)).sum();
    assert!((sum - weighted).abs() < weighted.abs() * 1e-6, "{sum} instead of {weighted}");
}

#[test]
fn q4_0_blocks_read_as_the_reference_reads_them() {
    let block = "4c228b4ae5f1a94106a0956a26afbccdafe5";
    check_block(
        TensorKind::Q4_0,
        block,
        &[(0, 0.036895752), (1, 0.024597168), (17, -0.049194336), (31, 0.073791504)],
        5.128509521484375,
    );
}

#[test]
fn q4_1_blocks_read_as_the_reference_reads_them() {
    let block = "1f25cdb062f90a945f5693c642276ad5ab2da739";
    check_block(
        TensorKind::Q4_1,
        block,
        &[(0, -0.11001587), (1, 0.030014038), (17, 0.15003967), (31, -0.0900116)],
        -3.716766357421875,
    );
}

#[test]
fn q5_0_blocks_read_as_the_reference_reads_them() {
    let block = "2b9f4551370e99b2d74c3427fa48d732a1df70aca1e9";
    check_block(
        TensorKind::Q5_0,
        block,
        &[(0, -0.062999725), (1, 0.09799957), (17, -0.076999664), (31, 0.013999939)],
        3.0029869079589844,
    );
}

#[test]
fn q5_1_blocks_read_as_the_reference_reads_them() {
    let block = "a22166b226115901dd06f27f8f063cd25e19a621f9bd0ccc";
    check_block(
        TensorKind::Q5_1,
        block,
        &[(0, -0.056930542), (1, 0.04208374), (17, -0.19995117), (31, -0.06793213)],
        -36.1322021484375,
    );
}

#[test]
fn q8_0_blocks_read_as_the_reference_reads_them() {
    let block = "5f1321397c1ec795ca7748dc03d17a88934d85527357a2e64647f03e2fb81f223f41";
    check_block(
        TensorKind::Q8_0,
        block,
        &[(0, 0.029693127), (1, 0.051288128), (17, 0.07378292), (31, 0.05848646)],
        9.03480863571167,
    );
}

#[test]
fn q2k_blocks_read_as_the_reference_reads_them() {
    let block = concat!(
        "a8e5b8abeeab14cef599cc052535d5cec0ad06783f60ec83760457a17c472a49ed10c2fa0a67ce0d8f02264785762462",
        "c423399232b39168ce358d21b527970bb48a4200a5627b0c90b818268101caffc0284c22",
    );
    check_block(
        TensorKind::Q2K,
        block,
        &[
            (0, -0.12298584),
            (1, 0.17388916),
            (16, 0.013366699),
            (31, 0.19891357),
            (32, -0.13528442),
            (77, -0.17218018),
            (128, -0.18447876),
            (200, -0.024597168),
            (255, 1.4110107),
        ],
        9450.5869140625,
    );
}

#[test]
fn q3k_blocks_read_as_the_reference_reads_them() {
    let block = concat!(
        "7fa901a76df710c04edc083cbdb5404808b9586fbf8a6343304464f943287f2d2133cee5d95535cc78861fd80e7fa01d",
        "d0a174645397c6a0adc1367e7e3976aa6b833bad348bb5a93fc4900f8a8987f50f8c3b8efc8c4ce733da7d4597758c5c",
        "bdd130e147d9d82f7c5b7010c028",
    );
    check_block(
        TensorKind::Q3K,
        block,
        &[
            (0, -0.705_078_1),
            (1, -2.115_234_4),
            (16, -2.523_437_5),
            (31, 1.261_718_8),
            (77, 2.560_546_9),
            (128, 3.005_859_4),
            (200, -1.335_937_5),
            (255, 3.339_843_8),
        ],
        8420.5625,
    );
}

#[test]
fn q4k_blocks_read_as_the_reference_reads_them() {
    let block = concat!(
        "8e0e4d1892c58efd5185f0711ef7677a1f132a818d882195a100b28d6b236b82481bd9fe630dc3ce3be4ebcab72f45b35223",
        "479f6e794d57037e2cfde9e15a7789781e3721a557d8e5a703296dcb81db3f65cf9c1bdc5d1d8fc83f0b0bb4db71be572209",
        "851d3d24f4c0cf83fe4363f82f4759778955f6ced681cbea7179ced2c8f814a13472ff70ce369d8385452a44",
    );
    check_block(
        TensorKind::Q4K,
        block,
        &[
            (0, 0.07231808),
            (33, -0.008499622),
            (66, -0.061593056),
            (99, 0.11673689),
            (132, 0.16673374),
            (165, 0.18734789),
            (198, -0.019783974),
            (255, 0.04451561),
        ],
        2100.822569847107,
    );
}

#[test]
fn q5k_blocks_read_as_the_reference_reads_them() {
    let block = concat!(
        "ea0cf716f318337f08cd1e614f235d3f83bc45fee9ee0403a79be118544441317c9311f85e0429b19f7ec0e156f65a3322e7",
        "91b880ee995e3f0d307d2fbaf400693a179e0d027ed4e58be7a9ebc28a271d43a78855638144eb6603f7b2725de11fe6ac2f",
        "88a68182869793f0aad6ded8116e3ab51681c4a374fec70a68b3e4bdc92b387987416c17ec90963ec766888ab4b80eba7c5c",
        "fd81121bea9cee1810dfd5169faf26cd7b5c30c8aba44d972299",
    );
    check_block(
        TensorKind::Q5K,
        block,
        &[
            (0, 0.26173306),
            (33, 0.078671455),
            (66, 0.30080652),
            (99, 0.39738178),
            (132, 0.10657215),
            (165, -0.063425064),
            (198, 0.04218626),
            (255, 0.051373005),
        ],
        3708.8547778129578,
    );
}

#[test]
fn q6k_blocks_read_as_the_reference_reads_them() {
    let block = concat!(
        "e8c7b41b9a1d2b0f180600a974d63b6332202c998e82b2522c49c4394c7d73265b6aaf61b288fbd0aecfa766616223611e76",
        "4c93aa388ffabd0a6a6412b209971e2d827076f7e49ab8fa197271be53a3442b128cdad72bad0f8aeef42a0b9a26d74fc78f",
        "2562b8701097a55b5510543d27ed600de3200a6749307fd37899c118819af6674394c3f7aa5f93f32c810a37ca7bf1013ccd",
        "f8ab8ab4a6039954e84cbe3b3f7f1183c3df8375c517b4e786a9aadf7488f892b12191387ad86aca56d8531c927b931fe8f1",
        "6e795b9b331767e78e0a",
    );
    check_block(
        TensorKind::Q6K,
        block,
        &[
            (0, -0.13282204),
            (33, -0.2200365),
            (66, -0.5886977),
            (99, 0.048007965),
            (132, -0.2200365),
            (165, -0.5460906),
            (198, -0.18363047),
            (255, -0.085014105),
        ],
        382.6826915740967,
    );
}

#[test]
fn plain_floats_of_every_width_are_read() {
    for (kind, hex) in [
        (TensorKind::F32, "0000c03f000010c000004940"),
        (TensorKind::F16, "003e80c04842"),
        (TensorKind::Bf16, "c03f10c04940"),
    ] {
        let mut numbers = [0.0; 3];
        kind.dequantize(&bytes_of(hex), &mut numbers);
        assert_eq!(numbers, [1.5, -2.25, 3.140625], "{kind:?}");
    }
}

fn header(tensors: u64, entries: u64, rest: &[u8]) -> Vec<u8> {
    [b"GGUF".as_slice(), &3_u32.to_le_bytes(), &tensors.to_le_bytes(), &entries.to_le_bytes(), rest].concat()
}

fn text(text: &str) -> Vec<u8> {
    [(text.len() as u64).to_le_bytes().as_slice(), text.as_bytes()].concat()
}

/// A header with one entry `k` of the given type and encoded value, and nothing after it.
fn entry(kind: u32, value: &[u8]) -> Vec<u8> {
    header(0, 1, &[text("k").as_slice(), &kind.to_le_bytes(), value].concat())
}

fn array(element: u32, count: u64, elements: &[u8]) -> Vec<u8> {
    [element.to_le_bytes().as_slice(), &count.to_le_bytes(), elements].concat()
}

/// A header with one tensor `t` and 64 bytes of data; room enough that only the description can be wrong.
fn described(dims: &[u64], kind: u32, offset: u64) -> Vec<u8> {
    let dims_bytes: Vec<u8> = dims.iter().flat_map(|dim| dim.to_le_bytes()).collect();
    let rank = (dims.len() as u32).to_le_bytes();
    let rest =
        [text("t").as_slice(), &rank, &dims_bytes, &kind.to_le_bytes(), &offset.to_le_bytes(), &[0; 128]].concat();
    header(1, 0, &rest)
}

#[track_caller]
fn check_refused(bytes: Vec<u8>, message: &str) {
    let error = Gguf::from_bytes("m.gguf", bytes).expect_err("refused").to_string();
    assert!(error.starts_with("m.gguf ") && error.contains(message), "{error}");
}

#[test]
fn what_is_not_gguf_is_refused_by_name() {
    check_refused(Vec::new(), "does not begin with GGUF");
    check_refused(b"PK\x03\x04".to_vec(), "does not begin with GGUF");
    check_refused(b"GGUF\x01\0\0\0".to_vec(), "GGUF version 1");
    check_refused(b"GGUF\0\0\0\x03".to_vec(), "big-endian");
    check_refused(b"GGUF\x03\0\0\0\x01".to_vec(), "8 bytes wanted at byte 8, 1 left");
}

#[test]
fn counts_are_held_against_the_file_before_they_are_used() {
    check_refused(header(u64::MAX, 0, &[]), "18446744073709551615 tensors, at most");
    check_refused(header(60_000, 0, &[]), "60000 tensors do not fit in the 8 bytes left");
    check_refused(header(0, 60_000, &[]), "60000 metadata entries do not fit in the 0 bytes left");
    check_refused(header(0, 1, &[&u64::MAX.to_le_bytes()[..], &[0; 8]].concat()), "key of metadata entry 0");
    check_refused(entry(8, &1000_u64.to_le_bytes()), "k: 1000 bytes of text do not fit");
    check_refused(entry(9, &array(4, 1000, &[])), "k: 1000 array elements do not fit");
    check_refused(entry(9, &array(12, u64::MAX / 8, &[])), "array elements, at most");
    check_refused(entry(9, &array(8, 1, &u64::MAX.to_le_bytes())), "bytes of text, at most");
}

#[test]
fn values_of_no_known_form_are_refused() {
    check_refused(entry(13, &[0; 8]), "k: value type 13");
    check_refused(entry(9, &array(13, 0, &[])), "k: unknown value type 13");
    check_refused(entry(7, &[2]), "k: 2 is not a truth value");
    check_refused(entry(8, &[1, 0, 0, 0, 0, 0, 0, 0, 0xff]), "is not UTF-8");
    check_refused(entry(10, &u64::MAX.to_le_bytes()), "out of range");
    let nested = (0..=limits::GGUF_ARRAY_DEPTH_MAX).fold(array(0, 0, &[]), |inner, _| array(9, 1, &inner));
    check_refused(entry(9, &nested), "nest deeper");
    let twice = [text("k"), [0_u32.to_le_bytes().as_slice(), &[1]].concat()].concat();
    check_refused(header(0, 2, &[twice.clone(), twice].concat()), "metadata key k occurs twice");
}

#[test]
fn alignments_other_than_small_powers_of_two_are_refused() {
    for alignment in [0_u32, 3, 1 << 30] {
        let entry = [text("general.alignment").as_slice(), &4_u32.to_le_bytes(), &alignment.to_le_bytes()].concat();
        check_refused(header(0, 1, &entry), "not a power of two");
    }
}

#[test]
fn tensors_that_cannot_be_are_refused_by_name() {
    check_refused(described(&[], 0, 0), "tensor t: 0 dimensions");
    check_refused(described(&[1, 1, 1, 1, 1], 0, 0), "tensor t: 5 dimensions");
    check_refused(described(&[0], 0, 0), "tensor t: a dimension of 0");
    check_refused(described(&[1 << 40, 1 << 40], 0, 0), "tensor t: its size overflows");
    check_refused(described(&[16], 16, 0), "cannot be used: tensor t: tensor type 16");
    check_refused(described(&[33], 2, 0), "tensor t: rows of 33 in blocks of 32");
    check_refused(described(&[8], 0, 8), "tensor t: offset 8 is not a multiple of 32");
    check_refused(described(&[8], 0, 1 << 20), "tensor t reaches beyond the end");
    check_refused(described(&[8], 0, u64::MAX - 31), "tensor t reaches beyond the end");
    check_refused(described(&[8, 100], 0, 0), "tensor t reaches beyond the end");
}

fn tiny_bytes() -> Vec<u8> {
    let spec =
        TinySpec { architecture: TinyArchitecture::Llama, hidden: 32, heads: 2, vocab: 264, ..TinySpec::default() };
    tiny::model(&spec).expect("a sound spec").into_bytes()
}

#[test]
fn a_sound_file_gives_back_what_was_put_in() {
    let gguf = Gguf::from_bytes("tiny", tiny_bytes()).expect("sound");
    assert_eq!(gguf.text("general.architecture"), Some("llama"));
    assert_eq!(gguf.number("llama.block_count"), Some(2));
    assert_eq!(gguf.float("llama.rope.freq_base"), Some(10_000.0));
    assert_eq!(gguf.flag("llama.block_count"), None);
    let tokens = gguf.texts("tokenizer.ggml.tokens").expect("texts").expect("there");
    assert_eq!((tokens.len(), tokens[b'a' as usize]), (264, "a"));
    assert_eq!(gguf.texts("no.such.key").expect("no error"), None);
    let error = gguf.numbers("tokenizer.ggml.tokens").expect_err("not numbers").to_string();
    assert!(error.contains("tokenizer.ggml.tokens, an array of whole numbers"), "{error}");
    let tensor = gguf.tensor("blk.1.attn_k.weight").expect("there");
    assert_eq!((tensor.dims(), tensor.rows(), tensor.row_len()), ([32, 32].as_slice(), 32, 32));
    assert_eq!((tensor.row_bytes(31).map(<[u8]>::len), tensor.row_bytes(32)), (Some(128), None));
}

#[test]
fn no_cut_and_no_flipped_byte_does_more_than_fail() {
    let sound = tiny_bytes();
    let header = sound.len()
        - Gguf::from_bytes("tiny", sound.clone()).expect("sound").tensors().map(|t| t.bytes().len()).sum::<usize>();
    for len in (0..header).step_by(7) {
        assert!(Gguf::from_bytes("cut", sound[..len].to_vec()).is_err(), "{len} bytes");
    }
    assert!(Gguf::from_bytes("cut", sound[..sound.len() - 1].to_vec()).is_err());
    for at in (0..header).step_by(3) {
        let mut spoiled = sound.clone();
        spoiled[at] ^= 0xa5;
        if let Ok(gguf) = Gguf::from_bytes("spoiled", spoiled) {
            let inside = gguf.tensors().all(|tensor| tensor.row_bytes(tensor.rows() - 1).is_some());
            assert!(inside, "byte {at}");
        }
    }
}
