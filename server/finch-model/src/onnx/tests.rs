use prost::Message;

use super::*;

/// Expected bytes come from another implementation of the format.
#[track_caller]
fn check(message: &impl Message, hex: &str) {
    let encoded: String = message.encode_to_vec().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(encoded, hex);
}

#[test]
fn nodes_are_written_as_others_write_them() {
    let bits = [("bits", Attribute::Integer(4))];
    check(
        &node("MatMulNBits", MICROSOFT, &["x", "q", "s"], &["y"], &bits),
        "0a01780a01710a01731201791a0d792f4d61744d756c4e42697473220b4d61744d756c4e426974732a0b0a04626974731804a001023a0d636f6d2e6d6963726f736f6674",
    );
    let epsilon = [("epsilon", Attribute::Float(0.5))];
    check(
        &node("A", "", &["x", "", "w"], &["y"], &epsilon),
        "0a01780a000a01771201791a03792f412201412a110a07657073696c6f6e150000003fa00101",
    );
}

#[test]
fn inputs_and_outputs_are_written_as_others_write_them() {
    let dims = [Dim::Named("batch"), Dim::Fixed(2)];
    check(&value("kv", Element::F32, &dims), "0a026b7612130a110801120d0a07120562617463680a020802");
    check(&value("total_len", Element::I32, &[]), "0a09746f74616c5f6c656e12060a0408061200");
}

#[test]
fn external_initialisers_are_written_as_others_write_them() {
    let extent = Extent { offset: 64, len: 192 };
    let hex = concat!(
        "0803084010024201776a1b0a086c6f636174696f6e120f6d6f64656c2e6f6e6e782e646174616a0c0a066f66667365741202",
        "36346a0d0a066c656e67746812033139327001",
    );
    check(&external("w", Element::U8, &[3, 64], "model.onnx.data", extent), hex);
}

#[test]
fn small_initialisers_begin_on_a_cache_line_and_large_ones_on_a_page() {
    let mut data = DataWriter::new(Vec::new());
    let mut extents = Vec::new();
    for len in [10, 100_000, 4, 70_000] {
        extents.push(data.begin(len).expect("memory"));
        data.write(&vec![7; len as usize]).expect("memory");
    }
    let offsets: Vec<u64> = extents.iter().map(|extent| extent.offset).collect();
    assert_eq!(offsets, [0, 4096, 104_128, 106_496]);
    let bytes = data.finish().expect("memory");
    assert_eq!((bytes.len(), &bytes[8..12], &bytes[4095..4097]), (176_496, [7, 7, 0, 0].as_slice(), [0, 7].as_slice()));
}

#[test]
fn floats_are_written_little_endian() {
    let mut data = DataWriter::new(Vec::new());
    data.write_floats(&vec![1.5; 1500]).expect("memory");
    let bytes = data.finish().expect("memory");
    assert_eq!((bytes.len(), &bytes[5996..]), (6000, [0, 0, 0xc0, 0x3f].as_slice()));
}
