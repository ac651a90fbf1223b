//! Lines of bounded length, from a client and to it.

use super::answer::{Client, Code, RequestError, Unwritten};
use super::budget::{FREE_BYTES, Full, Held};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::watch;
use tokio::time::Instant;

/// The longest line that is taken, in bytes.
pub(super) const MAX_BYTES: usize = 16 << 20;

/// How long may be written to a client, all in all, once nothing more is done for it.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Since when a connection is at its end.
pub(super) type Closing = watch::Receiver<Option<Instant>>;

/// The longest that a long line may take to come, so that half a line does not keep for ever what others could have.
const LINE_TIMEOUT: Duration = Duration::from_secs(30);

/// What is kept of a line that is skipped: enough to tell what it was, where it begins with its `id`.
const BEGINNING_BYTES: usize = 4 << 10;

/// Why a line was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Skipped {
    TooLong,
    NoRoom(Full),
    TooSlow,
}

impl From<Skipped> for RequestError {
    fn from(skipped: Skipped) -> RequestError {
        match skipped {
            Skipped::TooLong => RequestError::new(
                Code::TooLong,
                format!("a line of more than {MAX_BYTES} bytes; put large files in with `upload`"),
            ),
            Skipped::NoRoom(full) => full.into(),
            Skipped::TooSlow => RequestError::new(
                Code::Busy,
                format!(
                    "the line did not come to its end within {} s; send it again, or in smaller ones",
                    LINE_TIMEOUT.as_secs()
                ),
            ),
        }
    }
}

/// The next thing a client said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ClientLine<'a> {
    Whole(&'a [u8]),
    /// One that was not taken, with its beginning.
    Skipped(Skipped, &'a [u8]),
    /// The client is gone. What it had begun to say is no line.
    End,
}

pub(super) struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    /// What `line` takes beyond what is free.
    held: Held,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(reader: R, held: Held) -> Self {
        Lines {
            reader: BufReader::with_capacity(64 << 10, reader),
            line: Vec::new(),
            held,
        }
    }

    pub(super) async fn next(&mut self) -> io::Result<ClientLine<'_>> {
        self.forget();
        let mut skipped: Option<Skipped> = None;
        // Since when it takes what others could have.
        let mut since: Option<Instant> = None;
        loop {
            let watched = since.filter(|_| skipped.is_none());
            let filled = tokio::select! {
                biased;
                filled = self.reader.fill_buf() => filled.map(Some),
                () = sleep_until_over(watched) => Ok(None),
            };
            let Some(buffer) = filled? else {
                skipped = Some(Skipped::TooSlow);
                self.keep_beginning();
                continue;
            };
            if buffer.is_empty() {
                return Ok(ClientLine::End);
            }
            let end = memchr::memchr(b'\n', buffer);
            let part = &buffer[..end.unwrap_or(buffer.len())];
            let read = part.len() + usize::from(end.is_some());
            if skipped.is_none() {
                let length = self.line.len() + part.len();
                let waits = Instant::now();
                let room = make_room(&mut self.line, &mut self.held, length).await;
                // That others hold what it waits for is not its client's doing.
                since = since.map(|since| since + waits.elapsed());
                match room {
                    Ok(()) => self.line.extend_from_slice(part),
                    Err(why) => {
                        skipped = Some(why);
                        let room = BEGINNING_BYTES.saturating_sub(self.line.len());
                        self.line.extend_from_slice(&part[..part.len().min(room)]);
                    }
                }
                if self.line.len() > FREE_BYTES {
                    since.get_or_insert_with(Instant::now);
                }
            }
            self.reader.consume(read);
            if skipped.is_some() {
                self.keep_beginning();
            }
            if end.is_some() {
                return Ok(match skipped {
                    Some(why) => ClientLine::Skipped(why, &self.line),
                    None => ClientLine::Whole(&self.line),
                });
            }
        }
    }

    /// Gives back what a line took that is skipped.
    fn keep_beginning(&mut self) {
        self.line.truncate(BEGINNING_BYTES);
        self.line.shrink_to(BEGINNING_BYTES);
        self.held.shrink(0);
    }

    /// Gives back what a long line took.
    fn forget(&mut self) {
        self.line.clear();
        if self.line.capacity() > FREE_BYTES {
            self.line = Vec::new();
        }
        self.held.shrink(0);
    }
}

/// Makes a line able to be so long.
async fn make_room(line: &mut Vec<u8>, held: &mut Held, length: usize) -> Result<(), Skipped> {
    if length > MAX_BYTES {
        return Err(Skipped::TooLong);
    }
    if length > line.capacity() {
        // Twice as much each time, so that a line is not moved with each of its parts.
        let capacity = length.next_power_of_two().clamp(1 << 10, MAX_BYTES);
        let counted = capacity.saturating_sub(FREE_BYTES);
        held.grow(counted).await.map_err(Skipped::NoRoom)?;
        line.reserve_exact(capacity - line.len());
    }
    Ok(())
}

/// Writes a client's lines until it is gone, does not read for longer than `idle_timeout`, or nothing is left to say; and
/// no longer than [`CLOSE_TIMEOUT`] of the time after its connection is at its end.
pub(super) async fn write_all(
    mut writer: impl AsyncWrite + Unpin,
    mut lines: Unwritten,
    idle_timeout: Option<Duration>,
    closing: Closing,
) {
    let mut farewell = CLOSE_TIMEOUT;
    while let Some((line, _room)) = lines.next().await {
        let begin = Instant::now();
        let writing = async {
            writer.write_all(&line).await?;
            writer.flush().await
        };
        let written = tokio::select! {
            biased;
            written = writing => written,
            () = sleep_for(idle_timeout) => return,
            () = sleep_from_end(closing.clone(), farewell) => return,
        };
        if written.is_err() {
            return;
        }
        if let Some(closed) = *closing.borrow() {
            farewell = farewell.saturating_sub(closed.max(begin).elapsed());
        }
    }
}

/// Sleeps until a line that began to take room then has taken too long; for ever if none has.
async fn sleep_until_over(since: Option<Instant>) {
    match since {
        Some(since) => tokio::time::sleep_until(since + LINE_TIMEOUT).await,
        None => std::future::pending().await,
    }
}

/// Sleeps, for ever if nothing is said.
pub(super) async fn sleep_for(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}

async fn sleep_from_end(mut closing: Closing, duration: Duration) {
    if closing.wait_for(Option::is_some).await.is_ok() {
        tokio::time::sleep(duration).await;
    } else {
        std::future::pending().await
    }
}

/// A client whose lines are written to `writer`.
pub(super) fn client(
    writer: impl AsyncWrite + Unpin + 'static,
    idle_timeout: Option<Duration>,
    closing: Closing,
) -> (Client, tokio::task::JoinHandle<()>) {
    let (client, lines) = Client::new();
    let writing = tokio::task::spawn_local(write_all(writer, lines, idle_timeout, closing));
    (client, writing)
}

#[cfg(test)]
mod tests {
    use super::super::budget::{Budget, CONNECTION_BYTES};
    use super::*;
    use std::rc::Rc;

    async fn all(input: &[u8]) -> Vec<String> {
        all_beside(input, 0).await
    }

    /// Reads all lines of a connection that holds so much already.
    async fn all_beside(input: &[u8], others: usize) -> Vec<String> {
        let budget = Budget::new(Rc::default());
        let _others = budget.take(others).expect("room");
        let mut lines = Lines::new(input, budget.nothing());
        let mut seen = Vec::new();
        loop {
            match lines.next().await.unwrap() {
                ClientLine::Whole(line) => seen.push(String::from_utf8_lossy(line).into_owned()),
                ClientLine::Skipped(why, begins) => {
                    let begins = String::from_utf8_lossy(&begins[..begins.len().min(3)]);
                    seen.push(match why {
                        Skipped::TooLong => format!("too long: {begins}"),
                        Skipped::NoRoom(_) => format!("no room: {begins}"),
                        Skipped::TooSlow => format!("too slow: {begins}"),
                    });
                }
                ClientLine::End => return seen,
            }
        }
    }

    #[tokio::test]
    async fn half_a_line_is_none() {
        assert_eq!(all(b"one\n\ntwo\nthr").await, ["one", "", "two"]);
    }

    #[tokio::test]
    async fn a_line_over_the_limit_is_skipped_and_the_next_one_read() {
        let mut input = vec![b'x'; MAX_BYTES + 1];
        input.extend_from_slice(b"\nnext\n");
        assert_eq!(all(&input).await, ["too long: xxx", "next"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_without_room_is_skipped_and_a_short_one_always_read() {
        let mut input = vec![b'x'; FREE_BYTES + 1];
        input.extend_from_slice(b"\nnext\n");
        let seen = all_beside(&input, CONNECTION_BYTES).await;
        assert_eq!(seen, ["no room: xxx", "next"]);
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_long_line_keeps_room_from_others_for_a_while_only() {
        use tokio::io::AsyncWriteExt;
        let total = Rc::<super::super::budget::Total>::default();
        let budget = Budget::new(total.clone());
        let (mut client, server) = tokio::io::duplex(8 << 20);
        let mut lines = Lines::new(server, budget.nothing());
        let half = [b"{\"id\":7,".as_slice(), &vec![b'x'; 4 << 20]].concat();
        client.write_all(&half).await.unwrap();
        let rest = async {
            tokio::time::sleep(LINE_TIMEOUT * 2).await;
            assert_eq!(total.held(), 0, "it still takes room");
            client.write_all(b"rest\nnext\n").await.unwrap();
        };
        let read = async {
            match lines.next().await.unwrap() {
                ClientLine::Skipped(Skipped::TooSlow, begins) => {
                    assert!(begins.starts_with(b"{\"id\":7,"))
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(lines.next().await.unwrap(), ClientLine::Whole(b"next"));
        };
        tokio::join!(rest, read);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_written_to_no_longer_than_the_farewell() {
        let (writer, _never_read) = tokio::io::duplex(16);
        let (client, lines) = Client::new();
        let (close, closing) = watch::channel(None);
        let closed = async {
            tokio::time::sleep(Duration::from_secs(100)).await;
            close.send_replace(Some(Instant::now()));
        };
        let asking = async {
            for _ in 0..100 {
                client.line("a line that is longer than the pipe").await;
            }
        };
        let begin = Instant::now();
        tokio::join!(write_all(writer, lines, None, closing), closed, asking);
        assert_eq!(begin.elapsed(), Duration::from_secs(100) + CLOSE_TIMEOUT);
    }
}
