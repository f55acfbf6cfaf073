//! Records of what editors and the server said to each other, and whether all of it conforms to the protocol.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::conformance::{Entry, MetaModel, Side, faults};

/// The records of one story, kept under `target/test-artefacts/traffic`.
pub(crate) struct Recording {
    folder: PathBuf,
}

impl Recording {
    /// An empty one; `name` is that of the story.
    pub(crate) fn new(name: &str) -> Recording {
        let folder = artefacts().join("traffic").join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).expect("the records of the last run go");
        }
        std::fs::create_dir_all(&folder).expect("a folder");
        Recording { folder }
    }

    /// The command that starts `server` behind a recorder.
    pub(crate) fn command(&self, server: &[String]) -> Vec<String> {
        let script = root().join("tests/support/record_lsp.py");
        let mut words = vec!["python3".to_owned(), utf8(&script), utf8(&self.folder)];
        words.extend_from_slice(server);
        words
    }

    /// What was said in each run of the server, the first run first.
    pub(crate) fn sessions(&self) -> Vec<Vec<Entry>> {
        let files = std::fs::read_dir(&self.folder).expect("the records");
        let mut files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
        files.sort_by_key(|file| file.metadata().and_then(|data| data.created()).expect("when it began"));
        files.iter().map(|file| read(file)).collect()
    }

    /// The parameters of every message of a method that one side sent.
    pub(crate) fn sent(&self, from: Side, method: &str) -> Vec<Value> {
        let entries = self.sessions().into_iter().flatten().filter(|entry| entry.from == from);
        let messages = entries.filter_map(|entry| entry.message).filter(|message| message["method"] == method);
        messages.map(|message| message["params"].clone()).collect()
    }

    /// Fails with everything in the records that the protocol does not allow. Says so and passes where the machine has
    /// no copy of the protocol's meta model.
    #[track_caller]
    pub(crate) fn assert_conforms(&self) {
        let sessions = self.sessions();
        assert!(!sessions.is_empty(), "no records in {}", self.folder.display());
        let model = match MetaModel::find() {
            Ok(model) => model,
            Err(path) => {
                let stderr = &mut std::io::stderr();
                return writeln!(stderr, "skipped: {} is not there to check traffic with", path.display())
                    .expect("stderr");
            }
        };
        let found: Vec<String> = sessions.iter().flat_map(|session| faults(&model, session)).collect();
        assert!(found.is_empty(), "{}:\n{}", self.folder.display(), found.join("\n"));
    }
}

/// Where tests leave what a person may want to look at.
pub(crate) fn artefacts() -> PathBuf {
    let folder = root().join("target/test-artefacts");
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

pub(crate) fn utf8(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}

fn read(file: &Path) -> Vec<Entry> {
    let text = std::fs::read_to_string(file).expect("a record");
    // The last line is cut off where the editor ended the recorder.
    let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    lines.map(|line| serde_json::from_str(line).expect("an entry")).collect()
}
