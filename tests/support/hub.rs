//! A model hub on this machine that speaks its protocol: lists of files, redirects to the bytes of large ones, ranges.

use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use finch_model::digest::Digest;
use serde_json::{Value, json};

const REVISION: &str = "89abcdef0123456789abcdef0123456789abcdef";

/// Serves `OWNER/REPO` below a folder until the test ends.
pub(crate) struct Hub {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

/// How a hub behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Whole,
    /// The first answer with bytes of a large file goes silent in its middle.
    SilentOnce,
    /// Large files have a byte in them that is another.
    OtherBytes,
}

impl Hub {
    pub(crate) fn serve(root: &Path, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (root, seen, silent) = (root.to_owned(), requests.clone(), Arc::new(Mutex::new(Vec::new())));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (root, seen, silent) = (root.clone(), seen.clone(), silent.clone());
                std::thread::spawn(move || {
                    let request = Request::read(&stream);
                    seen.lock().unwrap().push(request.line.clone());
                    if manner == Manner::OtherBytes && request.is_large() {
                        // The client may have had enough.
                        request.answer_with_other_bytes(&stream, &root).ok();
                        return;
                    }
                    let mut silent = silent.lock().unwrap();
                    let goes_silent = manner == Manner::SilentOnce && silent.is_empty() && request.is_large();
                    // The client may have had enough.
                    if request.answer(&stream, &root, goes_silent).is_ok() && goes_silent {
                        silent.push(stream);
                    }
                });
            }
        });
        Self { url, requests }
    }

    /// The paths and ranges that were asked for so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

struct Request {
    line: String,
    path: String,
    first: usize,
}

impl Request {
    fn read(stream: &TcpStream) -> Self {
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
        let path = lines.next().and_then(|line| line.split(' ').nth(1).map(str::to_owned)).unwrap_or_default();
        let range = lines.find_map(|line| line.to_ascii_lowercase().strip_prefix("range: bytes=").map(str::to_owned));
        let first = range.as_deref().and_then(|range| range.trim_end_matches('-').parse().ok()).unwrap_or(0);
        let line = range.map_or_else(|| path.clone(), |range| format!("{path} {range}"));
        Self { line, path, first }
    }

    fn is_large(&self) -> bool {
        self.path.starts_with("/large/")
    }

    /// The whole file, but for its last byte.
    fn answer_with_other_bytes(&self, stream: &TcpStream, root: &Path) -> std::io::Result<()> {
        let mut content = std::fs::read(root.join(self.path.trim_start_matches("/large/")))?;
        if let Some(last) = content.last_mut() {
            *last ^= 1;
        }
        reply(stream, "200 OK", "ETag: \"one\"", &content)
    }

    fn answer(&self, mut stream: &TcpStream, root: &Path, goes_silent: bool) -> std::io::Result<()> {
        let path = self.path.split('?').next().unwrap_or_default();
        if let Some(repo) = path.strip_prefix("/api/models/").and_then(|rest| rest.strip_suffix("/revision/main")) {
            return match listing(root, repo) {
                Some(listing) => {
                    reply(stream, "200 OK", "Content-Type: application/json", listing.to_string().as_bytes())
                }
                None => reply(stream, "401 Unauthorized", "X-Error-Code: RepoNotFound", b""),
            };
        }
        let large = path.strip_prefix("/large/");
        let file = path.trim_start_matches('/').replacen(&format!("/resolve/{REVISION}/"), "/", 1);
        let file = root.join(large.unwrap_or(&file));
        let Ok(mut content) = std::fs::File::open(&file) else { return reply(stream, "404 Not Found", "X: y", b"") };
        if large.is_none() && is_large(&file) {
            let to = format!("Location: /large/{}", file.strip_prefix(root).unwrap().display());
            return reply(stream, "302 Found", &to, b"");
        }
        let len = usize::try_from(content.metadata()?.len()).unwrap();
        let (status, range) = match self.first {
            0 => ("200 OK", String::new()),
            first => ("206 Partial Content", format!("Content-Range: bytes {first}-{}/{len}\r\n", len - 1)),
        };
        write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\nETag: \"one\"\r\n{range}")?;
        write!(stream, "Content-Length: {}\r\n\r\n", len - self.first)?;
        content.seek(SeekFrom::Start(self.first as u64))?;
        let sent = if goes_silent { (len / 2) as u64 } else { u64::MAX };
        std::io::copy(&mut content.take(sent), &mut stream).map(drop)
    }
}

fn reply(mut stream: &TcpStream, status: &str, header: &str, body: &[u8]) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\n{header}\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat())
}

fn is_large(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "safetensors" || extension == "gguf")
}

fn listing(root: &Path, repo: &str) -> Option<Value> {
    let entries = std::fs::read_dir(root.join(repo)).ok()?;
    let files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    let sibling = |file: &PathBuf| {
        let (name, size) = (file.file_name().unwrap().to_string_lossy(), std::fs::metadata(file).unwrap().len());
        match is_large(file) {
            true => {
                let sum = Digest::of_file(file).unwrap().to_string();
                json!({ "rfilename": name, "size": size, "lfs": { "sha256": sum, "size": size, "pointerSize": 135 } })
            }
            false => json!({ "rfilename": name, "size": size }),
        }
    };
    let siblings: Vec<Value> = files.iter().map(sibling).collect();
    Some(json!({ "id": repo, "sha": REVISION, "cardData": { "license": "apache-2.0" }, "siblings": siblings }))
}
