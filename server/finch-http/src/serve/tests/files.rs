//! Row H40: a process with 32 file descriptors. It is this test again, in a process of its own.

use std::process::Command;

use tokio::io::AsyncWriteExt as _;

use super::server::{Answer, Server};

const ALONE: &str = "FINCH_FEW_FILES";

#[cfg(unix)]
#[test]
fn without_file_descriptors_it_waits_and_serves_again() {
    if std::env::var_os(ALONE).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(run_out_of_files());
    }
    // A connection takes a file at both of its ends: the last one goes to a client or to the server, as the number is.
    for files in ["32", "33"] {
        runs_with(files);
    }
}

#[cfg(unix)]
fn runs_with(files: &str) {
    let name = "serve::tests::files::without_file_descriptors_it_waits_and_serves_again";
    let output = Command::new("sh")
        .args(["-c", "ulimit -n \"$2\" && exec \"$0\" --exact \"$1\" --nocapture --test-threads 1"])
        .arg(std::env::current_exe().unwrap())
        .args([name, files])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("accepting was out of files"), "{said}");
}

async fn run_out_of_files() {
    let server = Server::start().await;
    let get = format!("{}\r\n", server.head("GET /v1/status"));
    let (mut clients, mut spare) = (Vec::new(), Some(std::fs::File::open("/dev/null").unwrap()));
    // The system takes connections that nobody has accepted yet, so the client's end has a file when the server's has none.
    let mut last = loop {
        let Ok(mut stream) = tokio::net::TcpStream::connect(server.address).await else {
            // The last one went to the server's end, and who is there stays although there is none for another.
            drop(spare.take().expect("one file is enough"));
            continue;
        };
        stream.write_all(get.as_bytes()).await.unwrap();
        // The last member that the answer always has: resident memory is left out where no file is left to read it by.
        let answer = Answer::read_to(&mut stream, "tokens_per_second");
        let is_answered = tokio::time::timeout(std::time::Duration::from_millis(300), answer).await.is_ok();
        if !is_answered {
            println!("accepting was out of files");
            break stream;
        }
        clients.push(stream);
    };
    assert!(clients.len() > 4, "{} clients", clients.len());
    // Those who were in are still served, and the one who waits is let in once there is room.
    let first = clients.first_mut().unwrap();
    first.write_all(get.as_bytes()).await.unwrap();
    Answer::read_to(first, "HTTP/1.1 200").await;
    clients.truncate(2);
    Answer::read_to(&mut last, "HTTP/1.1 200").await;
    assert_eq!(server.get("/v1/status").await.status(), 200);
}
