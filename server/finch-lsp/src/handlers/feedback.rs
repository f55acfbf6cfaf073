//! `finch/feedback` and the command `finch.feedback`: what a person says of a suggestion.
//!
//! The answer comes when it is safe on the disk, or known not to be.

use finch_learn::record::Verdict;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::handlers::HandlerError;
use crate::limits::FEEDBACK_WAIT;
use crate::outcomes::NotRecorded;
use crate::session::Session;
use crate::wire::feedback::{self, Feedback, Recorded};

pub(crate) fn feedback(
    session: &mut Session,
    params: Feedback,
) -> impl Future<Output = Result<Recorded, HandlerError>> + Send + use<> {
    let verdict = match (params.verdict, params.minor) {
        (feedback::Verdict::Good, _) => Verdict::Good,
        (feedback::Verdict::Bad, Some(true)) => Verdict::BadMinor,
        (feedback::Verdict::Bad, Some(false) | None) => Verdict::Bad,
    };
    let note = params.note.filter(|note| !note.trim().is_empty());
    let (sender, written) = oneshot::channel();
    let done = move |result| {
        if sender.send(result).is_err() {
            tracing::debug!("nobody waits for that feedback any more");
        }
    };
    let said = session.outcomes.feedback(params.id, verdict, note, done);
    async move {
        let id = said.map_err(|error: NotRecorded| HandlerError::BadRequest { reason: error.to_string() })?;
        let failed = |reason: String| HandlerError::Failed { reason };
        match timeout(FEEDBACK_WAIT, written).await {
            Ok(Ok(Ok(()))) => Ok(Recorded { id, recorded: true }),
            Ok(Ok(Err(error))) => Err(failed(error.to_string())),
            Ok(Err(_)) | Err(_) => Err(failed("the disk did not answer in time; try again".to_owned())),
        }
    }
}
