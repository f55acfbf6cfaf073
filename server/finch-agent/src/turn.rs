//! The turn loop: a model, its tools and the gate, until the task is done or a limit is reached.
//!
//! Dropping the future of a turn stops it and everything that runs for it. What was said until then is in the
//! conversation. A model's mistakes are told to the model; only what it cannot mend ends the turn.

mod answer;
mod bound;
mod calls;
mod compact;
mod conversation;
mod end;
mod events;
mod guard;

use std::sync::Arc;

use finch_llm::{ClientId, GenerateRequest, Lane, LlmError, Message, Origin, Provider, StopReason, ToolSpec, Usage};
use tokio::sync::mpsc;

use self::{
    answer::{Heard, hear, protocol},
    calls::Calls,
    events::{Gone, Teller},
    guard::LoopGuard,
};
use crate::{
    Tool, ToolContext,
    gatekeeper::Gatekeeper,
    limits::{
        BYTES_PER_TOKEN, CUT_OFFS_MAX, ENDED_WAIT, PAUSE_FIRST, PAUSE_MAX, RESULT_BYTES_MAX, RESULT_BYTES_MIN,
        RETRIES_MAX,
    },
    room::Room,
};

pub(crate) use bound::bounded;
#[cfg(test)]
pub(crate) use conversation::bytes;

pub use conversation::{Conversation, Pinned};
pub use end::{End, Limit, TurnLimits};
pub use events::Event;

/// Who works on a task, with what.
pub struct Agent {
    pub provider: Arc<dyn Provider>,
    /// All it can do. One that is to change nothing is given no tool that could.
    pub tools: Vec<Arc<dyn Tool>>,
    pub gate: Arc<dyn Gatekeeper>,
    pub context: ToolContext,
    pub client: ClientId,
    pub lane: Lane,
    pub origin: Origin,
    pub limits: TurnLimits,
}

/// What a turn has used up.
#[derive(Debug, Default)]
struct Spent {
    answers: usize,
    tokens: usize,
    cut_offs: usize,
    /// An answer ended because nothing more fitted.
    context_was_full: bool,
    /// What the newest request and its answer took, and the bytes that they were.
    newest: Option<(usize, usize)>,
}

/// What comes after an answer.
enum Next {
    GoOn,
    End(End),
}

impl Agent {
    /// Works on the task of `conversation` until it ends, and tells what happens. Dropping the future stops it.
    pub async fn run(&self, conversation: &mut Conversation, events: &mpsc::Sender<Event>) -> End {
        let stop = self.context.stop.child_token();
        let stopped_at_the_end = stop.clone().drop_guard();
        let context = ToolContext { stop: stop.clone(), ..self.context.clone() };
        let mut teller = Teller::new(events);
        let end = tokio::select! {
            biased;
            () = stop.cancelled() => End::Cancelled,
            worked = tokio::time::timeout(
                self.limits.time_max,
                Box::pin(self.work(conversation, &context, &mut teller)),
            ) => match worked {
                Ok(Ok(end)) => end,
                Ok(Err(Gone)) => End::Cancelled,
                Err(_) => End::Limit(Limit::Time),
            },
        };
        drop(stopped_at_the_end);
        if events.send_timeout(Event::Ended(end.clone()), ENDED_WAIT).await.is_err() {
            tracing::debug!(?end, "the end of a turn is not read");
        }
        end
    }

    async fn work(
        &self,
        conversation: &mut Conversation,
        context: &ToolContext,
        teller: &mut Teller<'_>,
    ) -> Result<End, Gone> {
        let (mut spent, mut guard) = (Spent::default(), LoopGuard::default());
        let mut calls_left = self.limits.calls_max;
        loop {
            if spent.answers >= self.limits.answers_max {
                return Ok(End::Limit(Limit::Answers));
            }
            if spent.tokens >= self.limits.tokens_max {
                return Ok(End::Limit(Limit::Tokens));
            }
            if spent.context_was_full || self.is_nearly_full(conversation, &spent) {
                self.compact(conversation, &mut spent, &mut guard, teller).await?;
            }
            spent.answers += 1;
            let heard = match self.ask(conversation, &mut spent, &mut guard, teller).await? {
                Ok(heard) => heard,
                // A newer request of the same client took its place.
                Err(LlmError::Cancelled) => return Ok(End::Cancelled),
                Err(error) => return Ok(End::Failed(error)),
            };
            let calls = heard.answer.tool_calls.clone();
            match self.take(heard, conversation, &mut spent, teller).await? {
                Next::End(end) => return Ok(end),
                Next::GoOn if calls.is_empty() || spent.cut_offs > 0 => {}
                Next::GoOn => {
                    let result_bytes_max = self.result_bytes_max();
                    let (agent, left, guard) = (self, &mut calls_left, &mut guard);
                    let mut made = Calls { agent, context, guard, left, result_bytes_max };
                    if let Some(end) = made.carry_out(calls, conversation, teller).await? {
                        return Ok(end);
                    }
                }
            }
        }
    }

    /// One answer, asked for again where that may help.
    async fn ask(
        &self,
        conversation: &mut Conversation,
        spent: &mut Spent,
        guard: &mut LoopGuard,
        teller: &mut Teller<'_>,
    ) -> Result<Result<Heard, LlmError>, Gone> {
        let (mut pause, mut retries) = (PAUSE_FIRST, 0);
        loop {
            let request = self.request(conversation);
            let bytes: usize = request.messages.iter().map(conversation::bytes).sum();
            let error = match hear(self.provider.generate(request), teller).await? {
                Ok(heard) if heard.answer.text.trim().is_empty() && heard.answer.tool_calls.is_empty() => {
                    spent.add(&heard.usage, bytes);
                    protocol("the model said nothing")
                }
                Ok(heard) => {
                    spent.add(&heard.usage, bytes + conversation::bytes(&Message::Assistant(heard.answer.clone())));
                    return Ok(Ok(heard));
                }
                Err(error) => error,
            };
            if retries >= RETRIES_MAX {
                return Ok(Err(error));
            }
            retries += 1;
            match &error {
                LlmError::ContextTooLong { .. } => self.compact(conversation, spent, guard, teller).await?,
                LlmError::RateLimited { retry_after } if *retry_after <= PAUSE_MAX => {
                    tokio::time::sleep(*retry_after).await;
                }
                LlmError::Overloaded | LlmError::Unavailable { .. } | LlmError::Protocol { .. } | LlmError::Loading => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                LlmError::Cancelled
                | LlmError::RateLimited { .. }
                | LlmError::Unauthorized { .. }
                | LlmError::Refused { .. } => return Ok(Err(error)),
            }
            teller.tell(Event::Retried { reason: error.to_string() }).await?;
        }
    }

    /// Takes an answer into the conversation. The calls of one that was cut off are no part of it: half a call may look
    /// whole.
    async fn take(
        &self,
        heard: Heard,
        conversation: &mut Conversation,
        spent: &mut Spent,
        teller: &mut Teller<'_>,
    ) -> Result<Next, Gone> {
        let mut answer = heard.answer;
        let cut_off = matches!(heard.reason, StopReason::TokensMax | StopReason::ContextFull);
        if cut_off {
            answer.tool_calls.clear();
            answer.kept.clear();
        }
        let is_last = answer.tool_calls.is_empty();
        say(Message::Assistant(answer), conversation, teller).await?;
        if !cut_off {
            spent.cut_offs = 0;
            return Ok(if is_last { Next::End(End::Answered) } else { Next::GoOn });
        }
        spent.cut_offs += 1;
        if spent.cut_offs > CUT_OFFS_MAX {
            return Ok(Next::End(End::CutOff));
        }
        if heard.reason == StopReason::ContextFull {
            spent.context_was_full = true;
        }
        let told = "(Your answer was cut off before its end. None of its tool calls was made. Go on in smaller steps.)";
        say(Message::User(told.to_owned()), conversation, teller).await?;
        Ok(Next::GoOn)
    }

    async fn compact(
        &self,
        conversation: &mut Conversation,
        spent: &mut Spent,
        guard: &mut LoopGuard,
        teller: &mut Teller<'_>,
    ) -> Result<(), Gone> {
        let keep_bytes = self.keep_bytes().min(conversation.bytes() / 2).max(RESULT_BYTES_MIN);
        compact::compact(self, conversation, keep_bytes).await;
        spent.newest = None;
        spent.context_was_full = false;
        guard.forget();
        let (summary, kept) = (conversation.summary.clone().unwrap_or_default(), conversation.messages.clone());
        teller.tell(Event::Compacted { summary, kept }).await
    }

    fn request(&self, conversation: &Conversation) -> GenerateRequest {
        let mut request = GenerateRequest::new(self.client.clone(), self.lane, conversation.for_provider());
        request.origin = conversation::origin(&self.origin, conversation);
        request.tools = self.specs();
        request.sampling.tokens_max = self.answer_tokens();
        request
    }

    fn specs(&self) -> Vec<ToolSpec> {
        let room = self.room();
        self.tools.iter().map(|tool| room.described(tool.spec())).collect()
    }

    /// Whether the next answer may find no room.
    fn is_nearly_full(&self, conversation: &Conversation, spent: &Spent) -> bool {
        // The task and what is pinned cannot be made shorter.
        if conversation.bytes() <= self.keep_bytes().max(RESULT_BYTES_MIN) {
            return false;
        }
        let bytes: usize = conversation.for_provider().iter().map(conversation::bytes).sum();
        let tokens = match spent.newest {
            Some((tokens, before)) => tokens + bytes.saturating_sub(before) / BYTES_PER_TOKEN,
            None => {
                let specs: usize =
                    self.specs().iter().map(|spec| spec.description.len() + spec.parameters.to_string().len()).sum();
                (bytes + specs) / BYTES_PER_TOKEN
            }
        };
        tokens > (self.room().tokens() / 4 * 3).saturating_sub(self.answer_tokens() / 2)
    }

    /// Bytes of the newest messages that are kept when the others are summed up.
    fn keep_bytes(&self) -> usize {
        let parts = if self.room().is_small() { 8 } else { 4 };
        (self.room().tokens() / parts).saturating_mul(BYTES_PER_TOKEN)
    }

    fn answer_tokens(&self) -> usize {
        self.room().answer_tokens(self.limits.answer_tokens_max)
    }

    /// Bytes of one result: several of them have to fit.
    fn result_bytes_max(&self) -> usize {
        (self.room().tokens() / 8).saturating_mul(BYTES_PER_TOKEN).clamp(RESULT_BYTES_MIN, RESULT_BYTES_MAX)
    }

    fn room(&self) -> Room<'_> {
        Room::of(&*self.provider, &self.origin, self.origin.task)
    }
}

impl Spent {
    /// Adds what a request took; where the provider does not say, an estimate by its bytes.
    fn add(&mut self, usage: &Usage, bytes: usize) {
        let tokens = match usage.prompt_tokens + usage.generated_tokens {
            0 => bytes / BYTES_PER_TOKEN,
            tokens => tokens,
        };
        self.tokens = self.tokens.saturating_add(tokens);
        self.newest = Some((tokens, bytes));
    }
}

async fn say(message: Message, conversation: &mut Conversation, teller: &mut Teller<'_>) -> Result<(), Gone> {
    conversation.add(message.clone());
    teller.tell(Event::Said(message)).await
}

#[cfg(test)]
mod tests;
