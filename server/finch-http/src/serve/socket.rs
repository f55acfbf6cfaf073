//! One connection's bytes: read strictly, and never waited for without end.
//!
//! What is no request is replaced by a byte that no parser takes, so that the answer is the parser's 400. A silent
//! connection looks like one that the client closed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::connection::Connection;
use super::framing::{Broken, Framing};
use crate::limits::{HEAD_WAIT, LINGER_BYTES_MAX, LINGER_WAIT, SILENCE_MAX, WRITE_WAIT};

/// Stands in no head and in no line between chunks.
const REFUSED: u8 = 0;

pub(super) struct Socket {
    stream: TcpStream,
    framing: Framing,
    connection: Arc<Connection>,
    /// When to look whether the client has been silent, or slow with a head, for too long.
    read_by: Pin<Box<Sleep>>,
    /// When the time that it has began.
    since: Instant,
    /// The head that the time runs for has begun.
    is_in_head: bool,
    write_by: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, connection: Arc<Connection>) -> Self {
        let since = Instant::now();
        let read_by = Box::pin(sleep_until(since + HEAD_WAIT));
        Self { stream, framing: Framing::new(), connection, read_by, since, is_in_head: true, write_by: None }
    }

    /// Lets the client read the answer to a request that was not read to its end: closing over what it still sends would
    /// take the answer from it.
    pub(super) async fn close(mut self) {
        if self.framing.is_between() {
            return;
        }
        let rest = async {
            self.stream.shutdown().await?;
            let (mut buffer, mut left) = ([0; 4096], LINGER_BYTES_MAX);
            while left > 0 {
                match self.stream.read(&mut buffer).await? {
                    0 => break,
                    bytes => left = left.saturating_sub(bytes),
                }
            }
            io::Result::Ok(())
        };
        // Whoever does not read it in time has lost nothing but an error's text.
        match tokio::time::timeout(LINGER_WAIT, rest).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::trace!(kind = ?error.kind(), "a client was gone before its answer"),
            Err(_) => tracing::trace!("a client sends on after its answer"),
        }
    }

    /// Takes note of what has arrived, and hands on only what may be a request.
    fn inspect(&mut self, buffer: &mut ReadBuf<'_>, before: usize) {
        let arrived = &buffer.filled()[before..];
        if arrived.is_empty() {
            return;
        }
        if let Err(Broken { at }) = self.framing.read(arrived) {
            buffer.filled_mut()[before + at] = REFUSED;
            buffer.set_filled(before + at + 1);
        }
        let was_in_head = std::mem::replace(&mut self.is_in_head, self.framing.is_in_head());
        // The time for a head runs from its first byte, whatever follows.
        if !(was_in_head && self.is_in_head) {
            self.since = Instant::now();
            self.read_by.as_mut().reset(self.since + HEAD_WAIT);
        }
    }

    /// Ready when the client was silent for too long and nothing is being done for it.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.read_by.as_mut().poll(cx));
            let now = Instant::now();
            if self.connection.is_busy() {
                self.since = now;
            }
            let is_silent = !self.is_in_head && self.connection.is_of_a_client();
            let until = self.since + if is_silent { SILENCE_MAX } else { HEAD_WAIT };
            if until <= now {
                return Poll::Ready(());
            }
            self.read_by.as_mut().reset(until);
        }
    }

    fn written(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if result.is_ready() {
            self.write_by = None;
            if !self.is_in_head {
                self.since = Instant::now();
            }
            return result;
        }
        let by = self.write_by.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + WRITE_WAIT)));
        ready!(by.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.framing.is_broken() {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buffer) {
            Poll::Ready(result) => {
                result?;
                this.inspect(buffer, before);
                Poll::Ready(Ok(()))
            }
            Poll::Pending => this.poll_silence(cx).map(Ok),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
