//! `Restart`: ends this server and starts it again with its state, by the door that runs it.
//!
//! What is started is the program that runs: the model gives a reason and nothing else. The user is asked each time.

use std::{future::Future, pin::Pin, sync::Arc};

use finch_llm::ToolSpec;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    Access, BadCall, Outcome, Permit, Tool, ToolContext,
    limits::{RESTART_REASON_CHARS_MAX, RESTART_WAIT},
    tool::{self, Call},
};

/// A restart on its way: what the model is told of it, or why there was none. It may not come to an end here, since the
/// process does.
pub type Restarting<'a> = Pin<Box<dyn Future<Output = Result<String, String>> + Send + 'a>>;

/// Who can restart the server. It keeps the state and lets the editor connect again.
pub trait Restarter: Send + Sync + 'static {
    fn restart(&self, reason: &str) -> Restarting<'_>;
}

/// The tool.
pub struct Restart {
    restarter: Arc<dyn Restarter>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    reason: String,
}

impl Restart {
    #[must_use]
    pub fn new(restarter: Arc<dyn Restarter>) -> Self {
        Self { restarter }
    }

    async fn restart(&self, permit: Permit, arguments: &Map<String, Value>) -> Outcome {
        let reason = match reason(arguments) {
            Ok(reason) => reason,
            Err(bad) => return Outcome::failed(bad.0),
        };
        if !permit.covers(&Access::Restart { reason: reason.clone() }) {
            return Outcome::not_permitted();
        }
        match tokio::time::timeout(RESTART_WAIT, self.restarter.restart(&reason)).await {
            Ok(Ok(said)) => Outcome::done(said),
            Ok(Err(why)) => Outcome::failed(format!("finch was not restarted: {why}")),
            Err(_) => Outcome::failed(format!(
                "finch was not restarted within {} s; go on without it, or tell the user to restart it",
                RESTART_WAIT.as_secs()
            )),
        }
    }
}

impl Tool for Restart {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "Restart".to_owned(),
            description: "Restarts the finch server with its state kept; the editor connects again. For finch itself \
                          alone, such as after its settings or its program changed. The user is asked each time."
                .to_owned(),
            parameters: json!({
                "type": "object",
                "properties": {"reason": {"type": "string", "description": "Why, for the user to read"}},
                "required": ["reason"],
                "additionalProperties": false
            }),
        }
    }

    fn access(&self, arguments: &Map<String, Value>, _context: &ToolContext) -> Result<Vec<Access>, BadCall> {
        Ok(vec![Access::Restart { reason: reason(arguments)? }])
    }

    fn call<'a>(&'a self, permit: Permit, arguments: Map<String, Value>, _context: &'a ToolContext) -> Call<'a> {
        Box::pin(async move { self.restart(permit, &arguments).await })
    }
}

fn reason(arguments: &Map<String, Value>) -> Result<String, BadCall> {
    let Arguments { reason } = tool::read(arguments)?;
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > RESTART_REASON_CHARS_MAX {
        return Err(BadCall(format!("give a reason of 1 to {RESTART_REASON_CHARS_MAX} characters")));
    }
    Ok(reason.to_owned())
}
