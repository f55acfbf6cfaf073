//! What may be named as an address to fetch, and where it may lead.

use std::net::IpAddr;

use url::{Host, Url};

use super::address::is_public;
use crate::{
    escape,
    limits::{FETCH_HOPS_MAX, URL_BYTES_MAX},
};

/// Why an address is not fetched. The text is told to the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadTarget {
    #[error("the address is longer than {URL_BYTES_MAX} bytes")]
    TooLong,
    #[error("the address has blanks, backslashes or control characters in it: {0}")]
    Unclear(String),
    #[error("the address cannot be read: {0}")]
    Unreadable(String),
    #[error("only http and https are fetched, not {0}")]
    Scheme(String),
    #[error("the address names a user or looks as if it did; write it without @")]
    User,
    #[error("{0} is on this machine or in its network, and is not fetched from")]
    Inner(String),
    #[error("more than {FETCH_HOPS_MAX} redirects")]
    TooManyHops,
    #[error("a redirect from https to http is not followed: {0}")]
    Downgrade(String),
}

/// An address that may be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    url: Url,
    hops: usize,
}

/// Where a redirect leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Redirect {
    /// On the same host, for which there is a permit.
    Follow(Target),
    /// To another one: the model is told, and may ask for that.
    Elsewhere(Target),
}

/// Ends of names that lead into a network of one's own.
const INNER_NAMES: &[&str] = &["localhost", "local", "internal", "localdomain", "home.arpa", "lan", "intranet", "corp"];

impl Target {
    /// Reads an address as a browser does, so that it is judged as what it is.
    ///
    /// # Errors
    /// [`BadTarget`] if it must not be fetched.
    pub(super) fn parse(given: &str) -> Result<Self, BadTarget> {
        if given.len() > URL_BYTES_MAX {
            return Err(BadTarget::TooLong);
        }
        if given.chars().any(|c| c == '\\' || c.is_whitespace() || c.is_control()) || escape::text(given) != given {
            return Err(BadTarget::Unclear(escape::text(given).into_owned()));
        }
        let url = Url::parse(given).map_err(|error| BadTarget::Unreadable(error.to_string()))?;
        if seems_to_name_a_user(given) {
            return Err(BadTarget::User);
        }
        Self::checked(url, 0)
    }

    fn checked(mut url: Url, hops: usize) -> Result<Self, BadTarget> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(BadTarget::Scheme(url.scheme().to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadTarget::User);
        }
        let inner = match url.host() {
            None => return Err(BadTarget::Unreadable("it has no host".to_owned())),
            Some(Host::Domain(name)) => is_inner_name(name),
            Some(Host::Ipv4(address)) => !is_public(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => !is_public(IpAddr::V6(address)),
        };
        if inner {
            return Err(BadTarget::Inner(url.host_str().unwrap_or_default().to_owned()));
        }
        url.set_fragment(None);
        Ok(Self { url, hops })
    }

    /// Where an answer with this `Location` leads.
    ///
    /// # Errors
    /// [`BadTarget`] if it must not be followed.
    pub(super) fn redirected(&self, location: &str) -> Result<Redirect, BadTarget> {
        if self.hops >= FETCH_HOPS_MAX {
            return Err(BadTarget::TooManyHops);
        }
        if location.len() > URL_BYTES_MAX {
            return Err(BadTarget::TooLong);
        }
        if location.contains('\\') || location.chars().any(char::is_control) {
            return Err(BadTarget::Unclear(escape::text(location).into_owned()));
        }
        let url = self.url.join(location).map_err(|error| BadTarget::Unreadable(error.to_string()))?;
        let next = Self::checked(url, self.hops + 1)?;
        if self.url.scheme() == "https" && next.url.scheme() == "http" {
            return Err(BadTarget::Downgrade(next.url.to_string()));
        }
        let same = next.url.host() == self.url.host() && next.port() == self.port_after_upgrade(&next);
        Ok(if same { Redirect::Follow(next) } else { Redirect::Elsewhere(Self { hops: 0, ..next }) })
    }

    /// The address whole, as it is permitted and asked for.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    fn port(&self) -> Option<u16> {
        self.url.port_or_known_default()
    }

    /// From http to https on their own ports is the same place.
    fn port_after_upgrade(&self, next: &Self) -> Option<u16> {
        if self.url.port().is_none() && next.url.port().is_none() { next.port() } else { self.port() }
    }
}

/// Whether a reader could take something in front of an `@` for the host.
fn seems_to_name_a_user(given: &str) -> bool {
    let behind = given.split_once("://").map_or(given, |(_, behind)| behind);
    behind.split('/').next().is_some_and(|authority| authority.contains('@'))
}

fn is_inner_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let ends_so = |end: &str| name == end || name.strip_suffix(end).is_some_and(|rest| rest.ends_with('.'));
    // A name without a dot is looked up in the network around.
    name.is_empty() || !name.contains('.') || INNER_NAMES.iter().any(|end| ends_so(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(given: &str, expected: Result<&str, &str>) {
        match (Target::parse(given), expected) {
            (Ok(target), Ok(expected)) => assert_eq!(target.url().as_str(), expected),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{given}: {error}"),
            other => panic!("{given}: {other:?}"),
        }
    }

    #[test]
    fn an_address_is_judged_as_a_browser_reads_it() {
        check("https://example.com/a?b=1#c", Ok("https://example.com/a?b=1"));
        check("HTTP://Example.COM:8080", Ok("http://example.com:8080/"));
        check("https://example.com/v10.2/@user", Ok("https://example.com/v10.2/@user"));
        check("https://[2606:4700::1111]/", Ok("https://[2606:4700::1111]/"));
        for inner in [
            "http://127.1",
            "http://2130706433",
            "http://0x7f.1",
            "http://0177.0.0.1",
            "http://0x7f000001",
            "http://0",
            "http://[::ffff:7f00:1]",
            "http://[::1]:80",
            "http://169.254.169.254/latest",
            "http://localhost",
            "http://localhost.",
            "http://LOCALHOST:1",
            "http://a.localhost",
            "http://metadata.google.internal",
            "http://printer.local",
            "http://router",
            "http://10.0.0.1",
            "http://127。0。0。1",
            "http://①②⑦.0.0.1",
            "http://127.0.0.1.",
            "http://%31%32%37.0.0.1",
        ] {
            check(inner, Err("is on this machine or in its network"));
        }
        for scheme in ["file:///etc/passwd", "gopher://example.com", "javascript:alert(1)", "data:text/html,x"] {
            check(scheme, Err("only http and https"));
        }
        for user in [
            "http://a@example.com",
            "http://a:b@example.com",
            "http://evil.com#@allowed.com",
            "http://evil.com?@allowed.com",
        ] {
            check(user, Err("without @"));
        }
        for unclear in [
            "http://evil\0.allowed.com",
            "http://a\\@b.com",
            "http://exa mple.com",
            "\nhttp://a.com",
            "http://a.com/\u{202e}",
        ] {
            check(unclear, Err("blanks, backslashes or control"));
        }
        check("http://", Err("cannot be read"));
        check("example.com", Err("cannot be read"));
        check(&format!("http://a.com/{}", "x".repeat(9000)), Err("longer than"));
        // Another host than it looks: it is shown whole, and resolves to what it is.
        check("http://allowed.com.evil.org", Ok("http://allowed.com.evil.org/"));
    }

    /// Where a redirect leads: `=` on the same host, `>` elsewhere.
    #[track_caller]
    fn check_redirect(from: &str, location: &str, expected: Result<&str, &str>) {
        let found = Target::parse(from).unwrap().redirected(location).map(|redirect| match redirect {
            Redirect::Follow(target) => format!("={}", target.url()),
            Redirect::Elsewhere(target) => format!(">{}", target.url()),
        });
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_redirect_is_judged_anew() {
        check_redirect("https://a.com/x", "/y", Ok("=https://a.com/y"));
        check_redirect("http://a.com/x", "https://a.com/x", Ok("=https://a.com/x"));
        check_redirect("http://a.com/x", "https://a.com:444/x", Ok(">https://a.com:444/x"));
        check_redirect("https://a.com", "https://b.com/", Ok(">https://b.com/"));
        check_redirect("https://a.com", "//b.com/", Ok(">https://b.com/"));
        check_redirect("https://a.com", "http://a.com/", Err("from https to http"));
        check_redirect("http://a.com", "http://127.0.0.1/", Err("on this machine"));
        check_redirect("http://a.com", "//[::ffff:169.254.169.254]/", Err("on this machine"));
        check_redirect("http://a.com", "file:///etc/passwd", Err("only http"));
        check_redirect("http://a.com", "http://u@a.com/", Err("without @"));
        check_redirect("http://a.com", "/\\b.com", Err("backslashes"));
    }

    #[test]
    fn redirects_come_to_an_end() {
        let mut target = Target::parse("https://a.com/").unwrap();
        for _ in 0..FETCH_HOPS_MAX {
            let Ok(Redirect::Follow(next)) = target.redirected("/again") else { panic!("{target:?}") };
            target = next;
        }
        assert_eq!(target.redirected("/again"), Err(BadTarget::TooManyHops));
    }
}
