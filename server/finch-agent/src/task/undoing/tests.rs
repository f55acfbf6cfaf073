//! What was applied in several layers goes back as a whole, or stays as a whole.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::*;
use crate::task::tests::{Small, bench};
use crate::task::{FilesOnDisk, Kind};

/// Applies each pair of texts as the task's, with what somebody wrote in between, and takes it all back.
#[track_caller]
fn check(layers: &[[&str; 2]], in_the_end: &str, expected: Result<&str, &str>) {
    let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path().canonicalize().unwrap().join("a.txt");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let undone = runtime.block_on(async {
        let bench = bench(&Arc::new(Small::default()), folder.path(), home.path());
        let id = bench.begin(Kind::Plan, "two steps").await;
        for [before, after] in layers {
            let base = Base { text: Some((*before).into()), ..Base::default() };
            let mut changes = ChangeSet::default();
            changes.stage(&path, &base, Some((*after).into()));
            bench.made.applying(&bench.keeping(&id), &changes).await;
        }
        std::fs::write(&path, in_the_end).unwrap();
        let documents = Arc::new(FilesOnDisk::new(folder.path().canonicalize().unwrap()));
        let (sender, _events) = mpsc::channel(16);
        bench.undo(Some(&id), &Door { documents, ..Door::closed() }, &sender).await
    });
    let outcome = match undone {
        Ok(Undone { paths, .. }) => Ok(paths),
        Err(TaskError::Conflict { paths }) => Err(paths),
        Err(error) => panic!("{error}"),
    };
    let here = vec![path.clone()];
    let text = std::fs::read_to_string(&path).unwrap();
    match expected {
        Ok(expected) => assert_eq!((outcome, text.as_str()), (Ok(here), expected)),
        Err(expected) => assert_eq!((outcome, text.as_str()), (Err(here), expected)),
    }
}

#[test]
fn layers_go_back_as_one() {
    let first = ["one\ntwo\nthree\n", "1\ntwo\nthree\n"];
    check(&[first], "1\ntwo\nthree\n", Ok("one\ntwo\nthree\n"));
    check(&[first, ["1\ntwo\nthree\n", "1\ntwo\n3\n"]], "1\ntwo\n3\n", Ok("one\ntwo\nthree\n"));
    // What somebody wrote in between, and behind both, stays.
    let first = ["one\n\ntwo\n\nthree\n\nend\n", "1\n\ntwo\n\nthree\n\nend\n"];
    let second = ["1\n\n2\n\nthree\n\nend\n", "1\n\n2\n\n3\n\nend\n"];
    check(&[first, second], "1\n\n2\n\n3\n\nend!\n", Ok("one\n\n2\n\nthree\n\nend!\n"));
    // It was written over the first layer, and the second one over that.
    let first = ["one\ntwo\nthree\n", "1\ntwo\nthree\n"];
    check(&[first, ["eins\ntwo\nthree\n", "uno\ntwo\nthree\n"]], "uno\ntwo\nthree\n", Err("uno\ntwo\nthree\n"));
}
