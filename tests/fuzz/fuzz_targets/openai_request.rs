//! Any bytes as the body of a request to the API: it is a request or there is a reason, and nothing panics.
//!
//! The first byte chooses the path.

#![no_main]

use finch_http::{PATHS, check_request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&which, body)) = data.split_first() else { return };
    let path = PATHS[usize::from(which) % PATHS.len()];
    if let Err(reason) = check_request(path, body) {
        assert!(!reason.is_empty());
    }
});
