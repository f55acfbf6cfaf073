//! Whether the services take the keys: each is asked as it would be with the plan in the configuration.
//!
//! The only part of the set-up that opens a connection, and with `local-only` it opens none. No key is in what it says.

use std::path::Path;

use anyhow::{Context as _, Result};
use finch_llm::LlmError;
use finch_llm::cloud::{self, Checked, CloudSpec, Service};
use finch_llm::router::Policy;
use tokio::task::JoinSet;

use super::save::preview;
use super::wizard::{Check, Verdict};
use crate::config::Config;
use crate::interrupt::Interrupt;
use crate::{clouds, command, surroundings};

/// Checks keys with what this file holds, and stops when the user wants it.
pub(crate) struct Checker<'a> {
    pub(crate) config_path: &'a Path,
    pub(crate) interrupt: &'a Interrupt,
}

impl Checker<'_> {
    /// What came of it, in the order of the names. Asks all services at once; each has some seconds.
    pub(super) fn run(&self, check: &Check) -> Result<Vec<(String, Verdict)>> {
        let text = preview(self.config_path, &check.plan)?;
        let config = Config::parse(&text, self.config_path).context("reading the configuration")?.config;
        if Policy::from(config.router.policy) == Policy::LocalOnly {
            return Ok(Vec::new());
        }
        let specs: Vec<_> =
            check.names.iter().map(|name| clouds::named(&config, name, surroundings::variable)).collect();
        let asked = async {
            let (mut tasks, mut verdicts) = (JoinSet::new(), Vec::new());
            for (place, spec) in specs.into_iter().enumerate() {
                match spec {
                    Some(Ok(spec)) => drop(tasks.spawn(async move { (place, ask(&spec).await) })),
                    Some(Err(why)) => verdicts.push((place, Verdict::Unknown(open(&why)))),
                    None => verdicts.push((place, Verdict::Unknown(open("`finch config check` says what is wrong")))),
                }
            }
            while let Some(done) = tasks.join_next().await {
                verdicts.push(done.context("checking a key")?);
            }
            verdicts.sort_by_key(|(place, _)| *place);
            anyhow::Ok(verdicts)
        };
        let runtime = command::runtime()?;
        let verdicts = runtime.block_on(self.interrupt.or_done(asked));
        // The system's look-up of a name cannot be stopped, and nobody waits for it.
        runtime.shutdown_background();
        let verdicts = verdicts??;
        Ok(check.names.iter().cloned().zip(verdicts.into_iter().map(|(_, verdict)| verdict)).collect())
    }
}

async fn ask(spec: &CloudSpec) -> Verdict {
    verdict(spec.service, &spec.model, cloud::check(spec).await)
}

fn verdict(service: Service, model: &str, outcome: Result<Checked, LlmError>) -> Verdict {
    // A server of one's own may list its models to anybody.
    let taken = if service == Service::Compatible { "the server answers" } else { "the key is taken" };
    match outcome {
        Ok(Checked::Listed) => Verdict::Taken(format!("{taken}; the model is there")),
        Ok(Checked::NotListed) => Verdict::Taken(format!("{taken}; {model} is not among the models it lists")),
        Ok(Checked::Unknown) => Verdict::Taken(format!("{taken}; whether it has the model is not known")),
        Err(LlmError::Unauthorized { reason }) => Verdict::Refused(format!("the key was refused ({reason})")),
        Err(LlmError::Unavailable { reason }) => {
            let reason = reason.strip_prefix("cannot be reached: ").unwrap_or(&reason);
            Verdict::Unknown(format!("could not be reached: {reason}; it is kept as it is"))
        }
        Err(error) => Verdict::Unknown(open(&error.to_string())),
    }
}

fn open(why: &str) -> String {
    format!("could not be checked: {why}; it is kept as it is")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn with_local_only_no_connection_is_opened() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        server.set_nonblocking(true).unwrap();
        let url = format!("http://{}/v1", server.local_addr().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        let entry = "[[providers]]\ntype = \"groq\"\napi_key = \"k\"\n";
        std::fs::write(&file, format!("{entry}base_url = \"{url}\"\n")).unwrap();
        let plan = super::super::Plan { model: "m".to_owned(), clouds: super::super::Clouds::Off };
        let checker = Checker { config_path: &file, interrupt: &Interrupt::never() };
        let verdicts = checker.run(&Check { plan, names: vec!["groq".to_owned()] }).unwrap();
        assert_eq!(verdicts, []);
        assert_eq!(server.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }

    #[track_caller]
    fn check(service: Service, outcome: Result<Checked, LlmError>, expected: Verdict) {
        assert_eq!(verdict(service, "m", outcome), expected);
    }

    #[test]
    fn an_outcome_is_said_in_a_line() {
        let (taken, refused, unknown) = (
            |said: &str| Verdict::Taken(said.to_owned()),
            |said: &str| Verdict::Refused(said.to_owned()),
            |said: &str| Verdict::Unknown(said.to_owned()),
        );
        check(Service::Groq, Ok(Checked::Listed), taken("the key is taken; the model is there"));
        check(Service::Groq, Ok(Checked::NotListed), taken("the key is taken; m is not among the models it lists"));
        check(Service::Groq, Ok(Checked::Unknown), taken("the key is taken; whether it has the model is not known"));
        check(Service::Compatible, Ok(Checked::Listed), taken("the server answers; the model is there"));
        let reason = "HTTP 401".to_owned();
        check(Service::Claude, Err(LlmError::Unauthorized { reason }), refused("the key was refused (HTTP 401)"));
        let reason = "cannot be reached: connection refused".to_owned();
        let said = unknown("could not be reached: connection refused; it is kept as it is");
        check(Service::Claude, Err(LlmError::Unavailable { reason }), said);
        let reason = "HTTP 404".to_owned();
        let said = unknown("could not be checked: the provider refused: HTTP 404; it is kept as it is");
        check(Service::Compatible, Err(LlmError::Refused { reason }), said);
        let said = unknown("could not be checked: the provider asks to wait 5s; it is kept as it is");
        check(Service::Groq, Err(LlmError::RateLimited { retry_after: Duration::from_secs(5) }), said);
    }
}
