//! Pictures in requests: within the request itself, and never fetched from anywhere.

use finch_llm::Image;

use crate::error::ApiError;

/// Kinds of pictures that clouds take.
const MEDIA_TYPES: &[&str] = &["image/png", "image/jpeg", "image/gif", "image/webp"];

/// A picture as a `data:` URL.
pub(crate) fn from_url(url: &str, path: &str) -> Result<Image, ApiError> {
    let Some(rest) = url.strip_prefix("data:") else {
        let problem = "has to be a data: URL; finch fetches nothing for a request";
        return Err(ApiError::unsupported(path, problem));
    };
    match rest.split_once(";base64,") {
        Some((media_type, base64)) => from_parts(media_type, base64, path),
        None => Err(ApiError::invalid(path, "has to be a data: URL in base64")),
    }
}

/// A picture by its kind and its bytes.
pub(crate) fn from_parts(media_type: &str, base64: &str, path: &str) -> Result<Image, ApiError> {
    let media_type = media_type.to_ascii_lowercase();
    if !MEDIA_TYPES.contains(&media_type.as_str()) {
        let problem = format!("has to be one of {}", MEDIA_TYPES.join(", "));
        return Err(ApiError::invalid(path, &problem));
    }
    if !is_base64(base64) {
        return Err(ApiError::invalid(path, "has to be base64 with padding"));
    }
    Ok(Image { media_type, base64: base64.into() })
}

fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    !digits.is_empty()
        && text.len().is_multiple_of(4)
        && text.len() - digits.len() <= 2
        && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

#[cfg(test)]
mod tests {
    use super::from_url;

    #[test]
    fn a_picture_is_in_the_request_or_refused() {
        let image = from_url("data:image/PNG;base64,iVBORw0KGgo=", "url").unwrap();
        assert_eq!((image.media_type.as_str(), &*image.base64), ("image/png", "iVBORw0KGgo="));
        for refused in [
            "http://127.0.0.1:9/x.png",
            "https://example.com/x.png",
            "file:///etc/passwd",
            "/etc/passwd",
            "",
            "data:",
            "data:image/png,abc",
            "data:text/html;base64,aGk=",
            "data:image/png;base64,",
            "data:image/png;base64,a===",
            "data:image/png;base64,iVBORw0KGgo",
            "data:image/png;base64,iVBO Rw0K",
            "data:image/svg+xml;base64,aGk=",
        ] {
            let error = from_url(refused, "url").unwrap_err();
            assert_eq!((error.status.as_u16(), error.param.as_deref()), (400, Some("url")), "{refused}");
        }
    }
}
