//! Lines of bounded length, from a client and to it.

use super::answer::Client;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;

/// The longest line that is taken, in bytes.
pub const MOST_BYTES: usize = 16 << 20;

/// How long the last lines may take to be written once nothing more is done for a client.
pub const FAREWELL: Duration = Duration::from_secs(2);

/// The next thing a client said.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    Whole(&'a [u8]),
    /// One that was too long; it is skipped.
    TooLong,
    /// The client is gone. What it had begun to say is no line.
    End,
}

pub struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub fn new(reader: R) -> Self {
        Lines {
            reader: BufReader::with_capacity(64 << 10, reader),
            line: Vec::new(),
        }
    }

    pub async fn next(&mut self) -> io::Result<Line<'_>> {
        // What a long line took is given back.
        if self.line.capacity() > MOST_BYTES / 8 {
            self.line = Vec::new();
        }
        self.line.clear();
        let mut too_long = false;
        loop {
            let buffer = self.reader.fill_buf().await?;
            if buffer.is_empty() {
                return Ok(Line::End);
            }
            let end = memchr::memchr(b'\n', buffer);
            let part = &buffer[..end.unwrap_or(buffer.len())];
            match self.line.len() + part.len() > MOST_BYTES {
                true => too_long = true,
                false => self.line.extend_from_slice(part),
            }
            let read = part.len() + usize::from(end.is_some());
            self.reader.consume(read);
            if end.is_some() {
                return Ok(match too_long {
                    true => Line::TooLong,
                    false => Line::Whole(&self.line),
                });
            }
        }
    }
}

/// Writes a client's lines until it is gone, does not read for longer than `patience`, or nothing is left to say.
pub async fn write_all(
    mut writer: impl AsyncWrite + Unpin,
    mut lines: mpsc::Receiver<Vec<u8>>,
    patience: Option<Duration>,
) {
    while let Some(line) = lines.recv().await {
        let writing = async {
            writer.write_all(&line).await?;
            writer.flush().await
        };
        let written = match patience {
            Some(patience) => tokio::time::timeout(patience, writing).await,
            None => Ok(writing.await),
        };
        if !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
}

/// A client whose lines are written to `writer`.
pub fn client(
    writer: impl AsyncWrite + Unpin + 'static,
    patience: Option<Duration>,
) -> (Client, tokio::task::JoinHandle<()>) {
    let (client, lines) = Client::new();
    let writing = tokio::task::spawn_local(write_all(writer, lines, patience));
    (client, writing)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(input: &[u8]) -> Vec<String> {
        let mut lines = Lines::new(input);
        let mut seen = Vec::new();
        loop {
            match lines.next().await.unwrap() {
                Line::Whole(line) => seen.push(String::from_utf8_lossy(line).into_owned()),
                Line::TooLong => seen.push("too long".into()),
                Line::End => return seen,
            }
        }
    }

    #[tokio::test]
    async fn half_a_line_is_none() {
        assert_eq!(all(b"one\n\ntwo\nthr").await, ["one", "", "two"]);
    }

    #[tokio::test]
    async fn a_line_over_the_limit_is_skipped_and_the_next_one_read() {
        let mut input = vec![b'x'; MOST_BYTES + 1];
        input.extend_from_slice(b"\nnext\n");
        assert_eq!(all(&input).await, ["too long", "next"]);
    }
}
