use std::fs;

use finch_model::digest::Digest;
use proptest::{collection::vec, prelude::*};

use super::{DIGEST_BYTES, Keep, Kept, NotKept, decode, encode, tokens_max};
use crate::limits;

fn key(text: &str) -> Digest {
    Digest::of_bytes(text.as_bytes())
}

fn kept() -> Vec<Kept> {
    vec![
        Kept { tokens: vec![1, 2, 3], state: vec![0.5, -1.0, f32::MIN, 0.0, 1e-30, 7.0] },
        Kept { tokens: vec![9], state: vec![1.5, 2.5] },
    ]
}

#[test]
fn what_is_kept_is_read_again() {
    let bytes = encode(&kept(), key("a"));
    assert_eq!(decode(&bytes, key("a"), 2).unwrap(), kept());
    assert_eq!(decode(&encode(&[], key("a")), key("a"), 2).unwrap(), []);
}

#[test]
fn another_build_and_another_form_are_not_read() {
    let bytes = encode(&kept(), key("a"));
    assert!(matches!(decode(&bytes, key("b"), 2), Err(NotKept::Other)));
    assert!(matches!(decode(&bytes, key("a"), 3), Err(NotKept::Damaged)));
    assert!(matches!(decode(&[b"finchkv0", &bytes[8..]].concat(), key("a"), 2), Err(NotKept::Other)));
}

#[test]
fn a_file_cut_short_or_changed_is_not_read() {
    let bytes = encode(&kept(), key("a"));
    for length in 0..bytes.len() {
        assert!(decode(&bytes[..length], key("a"), 2).is_err(), "{length} of {} bytes", bytes.len());
    }
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(decode(&changed, key("a"), 2).is_err(), "byte {at}");
    }
}

#[test]
fn a_file_that_is_kept_belongs_to_its_owner_and_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("model.toml"), "one").unwrap();
    fs::write(folder.path().join("model.onnx"), "two").unwrap();
    let mut keep = Keep::new(&folder.path().join("cache"), "tiny", folder.path()).unwrap();
    assert_eq!(keep.read(2).unwrap(), []);
    keep.write(kept());
    keep.finish();
    assert_eq!(keep.read(2).unwrap(), kept());
    let path = folder.path().join("cache/tiny.kv");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    fs::write(folder.path().join("model.onnx"), "three").unwrap();
    let other = Keep::new(&folder.path().join("cache"), "tiny", folder.path()).unwrap();
    assert!(matches!(other.read(2), Err(NotKept::Other)));
    fs::File::create(&path).unwrap().set_len(limits::KEEP_BYTES_MAX as u64 + 1).unwrap();
    assert!(matches!(keep.read(2), Err(NotKept::Damaged)));
}

#[test]
fn as_many_tokens_as_fit_make_a_file_within_its_bound() {
    let length = |tokens: usize| {
        let kept = Kept { tokens: vec![0; tokens], state: vec![0.0; tokens * 7] };
        encode(&vec![kept; limits::SLOTS_MAX], key("a")).len()
    };
    let token = (length(2) - length(1)) / limits::SLOTS_MAX;
    let full = length(0) + tokens_max(7) * token;
    assert!(full <= limits::KEEP_BYTES_MAX && full + 2000 > limits::KEEP_BYTES_MAX, "{full}");
}

proptest! {
    #[test]
    fn foreign_bytes_with_a_right_digest_never_panic(body in vec(any::<u8>(), 0..200), token_floats in 0usize..5) {
        let mut bytes = [b"finchkv1", key("a").to_string().as_bytes(), &body].concat();
        let digest = Digest::of_bytes(&bytes).to_string();
        prop_assert_eq!(digest.len(), DIGEST_BYTES);
        bytes.extend(digest.into_bytes());
        if let Ok(kept) = decode(&bytes, key("a"), token_floats) {
            prop_assert!(kept.iter().all(|kept| kept.state.len() == kept.tokens.len() * token_floats));
        }
    }
}
