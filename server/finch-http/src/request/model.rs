//! Names of models in requests: plain ids, and never a path.

use crate::{error::ApiError, limits::MODEL_NAME_BYTES_MAX, request::Fields};

/// Takes the member `model` out of a request; empty where it names none.
pub(crate) fn read(fields: &mut Fields) -> Result<String, ApiError> {
    let model = fields.text("model")?.unwrap_or_default();
    check(&model)?;
    Ok(model)
}

/// Whether a name may be looked for.
pub(crate) fn check(model: &str) -> Result<(), ApiError> {
    if model.len() > MODEL_NAME_BYTES_MAX {
        let problem = format!("has more than {MODEL_NAME_BYTES_MAX} bytes");
        return Err(ApiError::invalid("model", &problem));
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/@+".contains(&byte);
    let is_path = model.starts_with(['/', '.']) || model.split(['/', ':']).any(|part| part == "..");
    if is_path || !model.bytes().all(is_plain) {
        return Err(ApiError::invalid("model", "has to be an id of /v1/models"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_model_is_an_id_and_no_path() {
        for fine in ["", "finch", "qwen2.5-coder-0.5b", "owner/repo:Q4_K_M", "gpt-5.2", "models/gemini@1"] {
            assert!(super::check(fine).is_ok(), "{fine}");
        }
        let long = "m".repeat(4096);
        let paths = ["../../../out/x", "sha256:../../..", "/etc/passwd", "a/../b", "a\\b", "a%00b", "a\0b", "a b", "ä"];
        for broken in paths.into_iter().chain([long.as_str(), ".hidden", "a\nb"]) {
            let error = super::check(broken).unwrap_err();
            assert_eq!((error.status.as_u16(), error.param.as_deref()), (400, Some("model")), "{broken}");
        }
    }
}
