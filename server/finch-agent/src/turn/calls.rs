//! Carries out the tool calls of one answer: looks side by side, everything else one after the other.

use std::sync::Arc;

use finch_llm::{Message, ToolCall, ToolResult};
use futures_util::{StreamExt, stream};
use serde_json::{Map, Value};

use super::{
    Agent, Conversation, End, Limit,
    bound::bounded,
    events::{Event, Gone, Teller},
    guard::{LoopGuard, Verdict},
};
use crate::{Access, Outcome, Tool, ToolContext, limits::PARALLEL_CALLS_MAX, tool::Live};

/// A call that can be made, or why it cannot.
struct Prepared {
    call: ToolCall,
    made: Result<Ready, String>,
}

struct Ready {
    tool: Arc<dyn Tool>,
    arguments: Map<String, Value>,
    access: Vec<Access>,
}

impl Prepared {
    /// It only looks: nothing it does can change what another call does.
    fn only_reads(&self) -> bool {
        match &self.made {
            Ok(ready) => !ready.access.is_empty() && ready.access.iter().all(|a| matches!(a, Access::Read { .. })),
            Err(_) => true,
        }
    }

    fn access(&self) -> &[Access] {
        self.made.as_ref().map_or(&[], |ready| &ready.access)
    }
}

/// What the calls of a turn have in common.
pub(super) struct Calls<'a> {
    pub(super) agent: &'a Agent,
    pub(super) context: &'a ToolContext,
    pub(super) guard: &'a mut LoopGuard,
    pub(super) left: &'a mut usize,
    pub(super) result_bytes_max: usize,
}

impl Calls<'_> {
    /// Carries out `calls` and adds their results to the conversation. Gives an end if the turn has to end.
    pub(super) async fn carry_out(
        &mut self,
        calls: Vec<ToolCall>,
        conversation: &mut Conversation,
        teller: &mut Teller<'_>,
    ) -> Result<Option<End>, Gone> {
        let mut calls = calls.into_iter().peekable();
        let mut next: Option<Prepared> = None;
        loop {
            let mut batch: Vec<Prepared> = Vec::new();
            // What stands in front of a call that changes something is carried out before it is prepared any further.
            while let Some(prepared) = match next.take() {
                Some(prepared) => Some(prepared),
                None => self.next(&mut calls).await,
            } {
                if prepared.only_reads() && batch.len() < PARALLEL_CALLS_MAX {
                    batch.push(prepared);
                } else if batch.is_empty() {
                    batch.push(prepared);
                    break;
                } else {
                    next = Some(prepared);
                    break;
                }
            }
            if batch.is_empty() {
                return Ok(None);
            }
            if batch.len() > *self.left {
                return Ok(Some(End::Limit(Limit::Calls)));
            }
            *self.left -= batch.len();
            if let Some(end) = self.run(batch, conversation, teller).await? {
                return Ok(Some(end));
            }
        }
    }

    async fn next(&self, calls: &mut impl Iterator<Item = ToolCall>) -> Option<Prepared> {
        let call = calls.next()?;
        let made = self.prepare(&call).await;
        Some(Prepared { call, made })
    }

    async fn prepare(&self, call: &ToolCall) -> Result<Ready, String> {
        let Some(tool) = self.agent.tools.iter().find(|tool| tool.spec().name == call.name) else {
            let names: Vec<String> = self.agent.tools.iter().map(|tool| tool.spec().name).collect();
            let name = crate::escape::text(&call.name);
            return Err(format!("there is no tool {name}; the tools are {}", names.join(", ")));
        };
        let arguments = call.arguments().map_err(|error| format!("{error}. Call it again with a JSON object."))?;
        let (worker, context, copy) = (Arc::clone(tool), self.context.clone(), arguments.clone());
        match tokio::task::spawn_blocking(move || worker.access(&copy, &context)).await {
            Ok(Ok(access)) => Ok(Ready { tool: Arc::clone(tool), arguments, access }),
            Ok(Err(bad)) => Err(format!("{}: {bad}", call.name)),
            Err(error) => Err(format!("{} broke off: {error}; try it another way", call.name)),
        }
    }

    async fn run(
        &mut self,
        batch: Vec<Prepared>,
        conversation: &mut Conversation,
        teller: &mut Teller<'_>,
    ) -> Result<Option<End>, Gone> {
        for Prepared { call, .. } in &batch {
            let (id, name) = (call.id.clone(), call.name.clone());
            teller.tell(Event::Call { id, name, arguments_json: call.arguments_json.clone() }).await?;
        }
        let (agent, context, events) = (self.agent, self.context, teller.events());
        let mut outcomes = stream::iter(batch.into_iter().map(|prepared| {
            let live = Live::new(events.clone(), &prepared.call.id);
            Box::pin(async move {
                let access = prepared.access().to_vec();
                let outcome = make(prepared.made, agent, &ToolContext { live, ..context.clone() }).await;
                (prepared.call, access, outcome)
            })
        }))
        .buffered(PARALLEL_CALLS_MAX);
        let mut end = None;
        while let Some((call, access, mut outcome)) = outcomes.next().await {
            outcome.text = bounded(&outcome.text, self.result_bytes_max);
            let revision = context.view.changes().revision();
            match self.guard.saw(&call, &access, &outcome, revision) {
                Verdict::Fine => {}
                Verdict::Warn { times } => outcome
                    .text
                    .push_str(&format!("\n(The same call has had the same result {times} times. Do something else.)")),
                Verdict::Stop => end = Some(End::Looping { tool: call.name.clone() }),
            }
            for file in &outcome.files {
                conversation.add_file(context.plain_name(file));
            }
            let result =
                ToolResult { call_id: call.id.clone(), text: outcome.text.clone(), is_error: outcome.is_error };
            conversation.add(Message::ToolResult(result.clone()));
            teller.tell(Event::Called { id: call.id, outcome }).await?;
            teller.tell(Event::Said(Message::ToolResult(result))).await?;
        }
        Ok(end)
    }
}

/// One call: nothing of it happens before there is a permit.
async fn make(made: Result<Ready, String>, agent: &Agent, context: &ToolContext) -> Outcome {
    let ready = match made {
        Ok(ready) => ready,
        Err(why) => return Outcome::failed(why),
    };
    match agent.gate.permit(ready.access).await {
        Ok(permit) => ready.tool.call(permit, ready.arguments, context).await,
        Err(denied) => Outcome::failed(denied.to_string()),
    }
}
