//! llama.cpp's server as the peer of tests and figures: started, asked over HTTP, stopped.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

const START_MAX: Duration = Duration::from_secs(60);

/// A running server; it ends with the value.
pub(crate) struct Server {
    child: Child,
    port: u16,
    client: Http,
}

/// The folder into which tests/support/install-tools.sh unpacks the peer.
fn tools() -> PathBuf {
    match std::env::var_os("FINCH_TEST_LLAMA") {
        Some(path) => path.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/test-tools/llama"),
    }
}

/// A program of the peer with the fastest processor back end that this machine can load.
pub(crate) fn program(name: &str) -> Result<Command> {
    let program = tools().join("usr/bin").join(name);
    ensure!(program.is_file(), "{} is missing: run tests/support/install-tools.sh", program.display());
    let mut command = Command::new(program);
    command.env("GGML_BACKEND_PATH", backend()?);
    Ok(command)
}

/// The peer ships one library per processor generation; the newest one that this processor supports.
fn backend() -> Result<PathBuf> {
    let folder = tools().join("usr/lib/x86_64-linux-gnu/ggml/backends0");
    let flags = std::fs::read_to_string("/proc/cpuinfo")?;
    let has = |flag: &str| flags.split_whitespace().any(|word| word == flag);
    let name = match () {
        () if has("amx_int8") => "sapphirerapids",
        () if has("avx512_bf16") => "zen4",
        () if has("avx512_vnni") => "icelake",
        () if has("avx_vnni") => "alderlake",
        () => "haswell",
    };
    Ok(folder.join(format!("libggml-cpu-{name}.so")))
}

impl Server {
    pub(crate) fn start(model: &Path, threads: usize) -> Result<Self> {
        Self::start_with(model, threads, &[])
    }

    /// Starts the server with more arguments; they win over the usual ones.
    pub(crate) fn start_with(model: &Path, threads: usize, arguments: &[&str]) -> Result<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = program("llama-server")?
            .args(["--host", "127.0.0.1", "--port", &port.to_string(), "--ctx-size", "4096", "--parallel", "1"])
            .args(["--threads", &threads.to_string(), "--threads-batch", &threads.to_string(), "--no-webui"])
            .arg("--model")
            .arg(model)
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut server = Self { child, port, client: Http };
        server.wait_until_ready()?;
        Ok(server)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < START_MAX {
            if let Some(status) = self.child.try_wait()? {
                bail!("llama-server ended with {status}");
            }
            if self.client.get(self.port, "/health").is_ok_and(|(status, _)| status == 200) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("llama-server was not ready after {START_MAX:?}")
    }

    /// Token ids of a text, without special tokens added or parsed.
    pub(crate) fn tokenize(&self, text: &str) -> Result<Vec<i64>> {
        let body = json!({ "content": text, "add_special": false, "parse_special": false });
        let answer = self.post("/tokenize", &body)?;
        Ok(serde_json::from_value(answer["tokens"].clone())?)
    }

    #[allow(dead_code, reason = "only the evaluation asks what the server costs")]
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    #[allow(dead_code, reason = "only the load on both doors asks for it")]
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Asks the server something.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.client.post(self.port, path, body)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Just enough HTTP/1.1 for a server on the same machine.
struct Http;

impl Http {
    fn get(&self, port: u16, path: &str) -> Result<(u16, String)> {
        self.send(port, &format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"))
    }

    fn post(&self, port: u16, path: &str, body: &Value) -> Result<Value> {
        let body = body.to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n"
        );
        let (status, answer) = self.send(port, &format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()))?;
        ensure!(status == 200, "{path}: {status} {answer}");
        serde_json::from_str(&answer).with_context(|| format!("{path}: {answer}"))
    }

    fn send(&self, port: u16, request: &str) -> Result<(u16, String)> {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").context("no header")?;
        let status = head.split_whitespace().nth(1).context("no status")?.parse()?;
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        Ok((status, if chunked { unchunk(body)? } else { body.to_owned() }))
    }
}

fn unchunk(mut body: &str) -> Result<String> {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16)?;
        if size == 0 {
            break;
        }
        whole.push_str(rest.get(..size).context("short chunk")?);
        body = rest.get(size + 2..).context("short chunk")?;
    }
    Ok(whole)
}
