//! Tokens, nonces and endpoints as files.

use std::net::SocketAddr;

use super::{ENDPOINT_FILE, Endpoint, EndpointError, FOLDER, Nonce, TOKEN_FILE, Token};

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

#[test]
fn a_token_is_made_once_and_is_the_users_alone() {
    let home = tempfile::tempdir().unwrap();
    let first = Token::read_or_make(home.path()).unwrap();
    let second = Token::read_or_make(home.path()).unwrap();
    assert!(first.is(second.expose()));
    assert!(!first.is(""), "no token is no token");
    assert!(!first.is(&first.expose()[1..]));
    assert_eq!(format!("{first:?}"), "Token(…)");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |name: &str| home.path().join(name).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(FOLDER), mode("daemon/token")), (0o700, 0o600));
    }
}

#[test]
fn a_token_that_is_gone_is_written_again_by_who_has_it() {
    let home = tempfile::tempdir().unwrap();
    assert!(matches!(Token::read(home.path()), Err(EndpointError::NoToken { .. })));
    let token = Token::read_or_make(home.path()).unwrap();
    assert!(!token.restore(home.path()).unwrap(), "it is there");
    let path = home.path().join(FOLDER).join(TOKEN_FILE);
    std::fs::remove_file(&path).unwrap();
    assert!(token.restore(home.path()).unwrap());
    assert!(Token::read(home.path()).unwrap().is(token.expose()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_broken_token_is_not_taken() {
    for broken in ["", "short", "with a space in the middle of the token itself"] {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(FOLDER)).unwrap();
        std::fs::write(home.path().join(FOLDER).join(TOKEN_FILE), broken).unwrap();
        assert!(matches!(Token::read_or_make(home.path()), Err(EndpointError::Broken { .. })), "{broken:?}");
    }
}

#[test]
fn a_proof_is_of_one_nonce_one_challenge_and_one_address() {
    let nonce = Nonce::new().unwrap();
    let here = at("127.0.0.1:11435");
    let proof = nonce.proof("challenge", here);
    assert!(nonce.proves("challenge", here, &proof));
    assert!(!nonce.proves("another", here, &proof));
    assert!(!nonce.proves("challenge", at("127.0.0.1:11436"), &proof));
    assert!(!Nonce::new().unwrap().proves("challenge", here, &proof));
    assert!(!nonce.proves("challenge", here, ""));
}

#[test]
fn an_endpoint_is_on_this_machine_or_none() {
    let home = tempfile::tempdir().unwrap();
    assert!(Endpoint::read(home.path()).unwrap().is_none());
    let written = |url: &str| {
        let nonce = Nonce::new().unwrap();
        Endpoint { url: url.to_owned(), pid: 1, version: "0.1.0".to_owned(), nonce }.write(home.path()).unwrap();
        Endpoint::read(home.path())
    };
    for (url, address) in [("http://127.0.0.1:11435", "127.0.0.1:11435"), ("http://[::1]:7/", "[::1]:7")] {
        assert_eq!(written(url).unwrap().unwrap().address(), Some(at(address)));
    }
    for url in ["http://10.0.0.1:11435", "https://127.0.0.1:1", "http://localhost:1", "http://127.0.0.1", "file:///etc"]
    {
        assert!(matches!(written(url), Err(EndpointError::Broken { .. })), "{url}");
    }
    for broken in [&b"{"[..], b"\0\0", b"\xff\xfe"] {
        std::fs::write(home.path().join(FOLDER).join(ENDPOINT_FILE), broken).unwrap();
        assert!(matches!(Endpoint::read(home.path()), Err(EndpointError::Broken { .. })), "{broken:?}");
    }
}

#[test]
fn an_endpoint_removes_itself_and_no_other() {
    let home = tempfile::tempdir().unwrap();
    let endpoint = || {
        let nonce = Nonce::new().unwrap();
        Endpoint { url: "http://127.0.0.1:1".to_owned(), pid: 1, version: "0.1.0".to_owned(), nonce }
    };
    let (first, second) = (endpoint(), endpoint());
    first.remove(home.path()).unwrap();
    first.write(home.path()).unwrap();
    second.write(home.path()).unwrap();
    first.remove(home.path()).unwrap();
    assert!(Endpoint::read(home.path()).unwrap().is_some_and(|there| there.is(&second) && !there.is(&first)));
    second.remove(home.path()).unwrap();
    assert!(Endpoint::read(home.path()).unwrap().is_none());
}
