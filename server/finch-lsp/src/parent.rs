//! Watches the editor's process, for the case that it dies and leaves our input open.
//!
//! Where the system has `/proc`; elsewhere the end of the input has to do. A process is known by its start time
//! as well as its id, because ids are used again. `initialize` starts the watch.

use std::time::Duration;

use finch_agent::process::started;

/// A process that was alive when the watch began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parent {
    pid: u32,
    started: String,
}

impl Parent {
    /// `None` when no such process can be seen: it may live in another container, and nothing can be concluded.
    pub(crate) fn find(pid: u32) -> Option<Self> {
        Some(Self { pid, started: started(pid)? })
    }

    /// Returns when the process is gone.
    pub(crate) async fn gone(&self, poll: Duration) {
        while started(self.pid).as_ref() == Some(&self.started) {
            tokio::time::sleep(poll).await;
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[tokio::test]
    async fn a_process_is_gone_when_it_was_killed_even_if_nobody_reaped_it() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().expect("cat starts");
        let parent = Parent::find(child.id()).expect("it lives");
        child.kill().expect("it can be killed");
        parent.gone(Duration::from_millis(1)).await;
        child.wait().expect("it is reaped");
        assert_eq!(Parent::find(child.id()), None);
    }

    #[tokio::test]
    async fn a_process_that_took_over_the_id_is_not_the_parent() {
        let mut parent = Parent::find(std::process::id()).expect("this process lives");
        parent.started.push('0');
        parent.gone(Duration::from_secs(3600)).await;
    }
}
