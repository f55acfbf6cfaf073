//! `[daemon]`: the one process of a user that holds the model.

use std::net::IpAddr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::de::{DeTable, DeValue};

use super::problem::{Page, Problem};

/// The one process that holds the model for all editors. No project can set any of this.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub(crate) struct DaemonConfig {
    /// Whether an editor starts the daemon if none runs. Without one, each editor loads the model for itself.
    pub(crate) auto_spawn: bool,
    /// Minutes without a client after which the daemon ends; 0 for never.
    pub(crate) idle_minutes: f64,
    /// The port on 127.0.0.1 that it tries first; 0 for any that is free.
    pub(crate) port: u16,
}

impl Default for DaemonConfig {
    fn default() -> Self {
        Self { auto_spawn: true, idle_minutes: 30.0, port: finch_http::endpoint::PORT_FIRST }
    }
}

/// A daemon that idles for a year is meant to stay.
const IDLE_MINUTES_MAX: f64 = 366.0 * 24.0 * 60.0;

impl DaemonConfig {
    /// How long the daemon lives without a client; none: for ever.
    pub(crate) fn idle_max(&self) -> Option<Duration> {
        (self.idle_minutes > 0.0).then(|| Duration::from_secs_f64(self.idle_minutes * 60.0))
    }

    /// What is wrong with the minutes.
    pub(super) fn objection(&self) -> Option<String> {
        let is_right = (0.0..=IDLE_MINUTES_MAX).contains(&self.idle_minutes);
        (!is_right)
            .then(|| format!("daemon.idle_minutes is {}, and must be 0 to {IDLE_MINUTES_MAX}", self.idle_minutes))
    }
}

/// Names by which people may try to let other machines in.
const ADDRESS_KEYS: [&str; 5] = ["address", "addr", "bind", "host", "listen"];

/// Takes addresses out of the section: a refusal for each that is not this machine's own, and for the others a warning
/// that they have no effect.
pub(super) fn addresses(root: &mut DeTable<'_>, page: Page<'_>, warnings: &mut Vec<Problem>) -> Vec<Problem> {
    let mut refusals = Vec::new();
    let Some(section) = root.get_mut("daemon") else { return refusals };
    let DeValue::Table(section) = section.get_mut() else { return refusals };
    for name in ADDRESS_KEYS {
        let Some((key, value)) = section.remove_entry(name) else { continue };
        if value.get_ref().as_str().is_some_and(is_loopback) {
            let what = format!("daemon.{name} has no effect: the daemon listens on 127.0.0.1 alone");
            warnings.push(page.problem(&key.span(), &what));
        } else {
            let what = format!(
                "daemon.{name} is refused: sharing between machines comes with pairing; the daemon listens on \
                 127.0.0.1 only; remove the line"
            );
            refusals.push(page.problem(&value.span(), &what));
        }
    }
    refusals
}

fn is_loopback(text: &str) -> bool {
    let host = text.rsplit_once(':').map_or(text, |(host, port)| match port.parse::<u16>() {
        Ok(_) if !host.contains(':') || host.ends_with(']') => host,
        _ => text,
    });
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{DaemonConfig, is_loopback};
    use crate::config::tests::{read, said};

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let said = said(text);
        assert!(said.contains(expected) && said.is_empty() == expected.is_empty(), "said: {said:?}");
    }

    #[test]
    fn no_other_machine_is_let_in() {
        let refused = "config.toml:2:8: daemon.bind is refused: sharing between machines comes with pairing";
        for address in ["0.0.0.0", "::", "0.0.0.0:11435", "192.168.1.4", "example.net", "127.0.0.1.evil", ""] {
            check(&format!("[daemon]\nbind = \"{address}\""), refused);
        }
        check("[daemon]\nbind = 1", refused);
        check("[daemon]\naddress = \"10.0.0.1\"", "daemon.address is refused");
        check("[daemon]\nhost = \"127.0.0.1\"", "daemon.host has no effect");
    }

    #[test]
    fn this_machine_has_many_names() {
        for address in ["127.0.0.1", "127.0.0.1:11435", "127.9.9.9", "::1", "[::1]:80", "localhost", "LocalHost:1"] {
            assert!(is_loopback(address), "{address}");
        }
        for address in ["", ":", "1.2.3.4:127", "localhost.evil", "::ffff:10.0.0.1", "0"] {
            assert!(!is_loopback(address), "{address}");
        }
    }

    #[test]
    fn a_daemon_ends_after_a_while_or_never() {
        let idle = |minutes: &str| {
            let config = read(&format!("[daemon]\nidle_minutes = {minutes}")).config.daemon;
            config.idle_max().map(|idle| idle.as_secs_f64())
        };
        assert_eq!(DaemonConfig::default().idle_max().map(|idle| idle.as_secs()), Some(1800));
        assert_eq!([idle("0"), idle("0.5"), idle("2")], [None, Some(30.0), Some(120.0)]);
        for wrong in ["-1", "nan", "inf", "1e9"] {
            let what = format!("[daemon]\nidle_minutes = {wrong}");
            check(&what, "config.toml:2:16: daemon.idle_minutes is");
        }
        check("[daemon]\nport = 70000", "port");
    }
}
