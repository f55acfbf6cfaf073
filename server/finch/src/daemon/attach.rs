//! Whether a daemon that runs answers for a command in a terminal: only one whose model is ready, and none is started.

use finch_http::Daemon;
use finch_llm::{ModelState, StateReceiver, state_channel};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::start;
use crate::limits::ATTACH_WAIT;
use crate::surroundings::Surroundings;

/// The daemon of this FINCH_HOME, if one runs that has the model ready, or this one if it is named. The link is kept, and
/// found anew when it breaks, as long as the runtime lives.
pub(crate) async fn attach(
    surroundings: &Surroundings,
    name: &str,
    model: Option<&str>,
    runtime: &Handle,
) -> Option<Daemon> {
    let ensure = match start::find_running(surroundings) {
        Ok(ensure) => ensure,
        Err(error) => {
            tracing::info!("no daemon can be asked: {error:#}");
            return None;
        }
    };
    // One look is enough where none runs.
    if let Err(no) = ensure().await {
        tracing::info!("no daemon is asked: {no}");
        return None;
    }
    let (sender, state) = state_channel();
    let daemon = match Daemon::new(name, sender, runtime.clone()) {
        Ok(daemon) => match model {
            Some(model) => daemon.for_model(model),
            None => daemon,
        },
        Err(error) => {
            tracing::info!("no daemon can be asked: {error}");
            return None;
        }
    };
    let linked = daemon.clone();
    let mut link = runtime.spawn(async move {
        let no = linked.keep_linked(ensure).await;
        tracing::info!("the daemon is gone: {no}");
    });
    if is_ready(state, &mut link, model).await {
        return Some(daemon);
    }
    link.abort();
    None
}

/// Waits until the daemon's model is ready, or cannot be what is wanted.
async fn is_ready(mut state: StateReceiver, link: &mut JoinHandle<()>, wanted: Option<&str>) -> bool {
    let is_wanted = |model: &str| wanted.is_none_or(|wanted| wanted == model);
    let settled = state.wait_for(|state| match state {
        ModelState::Loading { model } => !is_wanted(model),
        ModelState::Ready { .. } | ModelState::Absent { .. } | ModelState::Failed { .. } => true,
        ModelState::Starting | ModelState::Downloading { .. } | ModelState::Importing { .. } => false,
    });
    let found = tokio::select! {
        found = tokio::time::timeout(ATTACH_WAIT, settled) => found,
        _ = link => return false,
    };
    match found {
        Ok(Ok(state)) => match &*state {
            ModelState::Ready { model } if is_wanted(model) => true,
            state => {
                tracing::info!("the daemon is not asked: its model is {state:?}");
                false
            }
        },
        Ok(Err(_)) => false,
        Err(_) => {
            tracing::info!("the daemon is not asked: its model is not ready after {} s", ATTACH_WAIT.as_secs());
            false
        }
    }
}
