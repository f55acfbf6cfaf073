//! A server on this machine that gives every request the same stream at once, on connections that it keeps.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use anyhow::{Context as _, Result};

pub(crate) struct Echo {
    pub(crate) url: String,
}

impl Echo {
    /// Serves until the process ends: the events, and what ends them, in two pieces.
    pub(crate) fn serve(events: Vec<u8>, end: Vec<u8>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}/v1", listener.local_addr()?);
        let pieces = Arc::new([events, end]);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let pieces = Arc::clone(&pieces);
                // A client that goes away is no matter.
                std::thread::spawn(move || answer_all(&stream, pieces.as_slice()).ok());
            }
        });
        Ok(Self { url })
    }
}

fn answer_all(stream: &TcpStream, pieces: &[Vec<u8>]) -> Result<()> {
    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = (BufReader::with_capacity(1 << 16, stream), stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().context("a length")?;
            }
        }
        std::io::copy(&mut (&mut reader).take(length), &mut std::io::sink())?;
        let mut first = HEAD.to_vec();
        for piece in pieces {
            first.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            writer.write_all(&first)?;
            writer.write_all(piece)?;
            first = b"\r\n".to_vec();
        }
        writer.write_all(b"\r\n0\r\n\r\n")?;
    }
}
