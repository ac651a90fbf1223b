//! Decoded bytes of gzip (RFC 1952) and Zstandard (RFC 8878) files: any number of members or frames, also empty ones.
//!
//! Both end a file where it ends: torn or damaged ones are errors, which say how much of the file was good. After gzip
//! members zeros may follow, as gzip(1) takes them from tapes and blocks; frames of Zstandard that are to be skipped may
//! stand anywhere. In a file that was appended to, zeros at the end are a torn end instead ([`Zeros`]).

use flate2::bufread::GzDecoder;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const BUFFER_BYTES: usize = 128 << 10;

/// What zeros are that follow the last member or frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Zeros {
    /// After members of gzip nothing, after frames of Zstandard no frame, and so an error.
    Padding,
    /// A torn end.
    Torn,
}

pub(super) fn gzip(input: impl Read + Send, zeros: Zeros) -> impl Read + Send {
    let (input, used) = counted(input);
    Located {
        decoder: Gzip {
            at: At::Between(input),
            zeros,
        },
        used,
    }
}

pub(super) fn zstd<R: Read + Send>(input: R, zeros: Zeros) -> io::Result<impl Read + Send> {
    let (input, used) = counted(input);
    let decoder = Zstd {
        decoder: zstd::stream::read::Decoder::with_buffer(input)?,
        zeros,
    };
    Ok(Located { decoder, used })
}

fn torn() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "zeros follow the data")
}

/// A decoder whose errors say how far it came.
struct Located<D> {
    decoder: D,
    used: Arc<AtomicU64>,
}

impl<D: Read> Read for Located<D> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.decoder.read(into).map_err(|error| {
            if error.kind() == ErrorKind::Interrupted {
                return error;
            }
            let used = self.used.load(Relaxed);
            let cause = format!("{error}, {used} bytes into the compressed data");
            io::Error::new(error.kind(), cause)
        })
    }
}

/// A buffered reader that counts what was used of it.
struct Counted<R> {
    input: BufReader<R>,
    used: Arc<AtomicU64>,
}

fn counted<R: Read>(input: R) -> (Counted<R>, Arc<AtomicU64>) {
    let used = Arc::new(AtomicU64::new(0));
    let counted = Counted {
        input: BufReader::with_capacity(BUFFER_BYTES, input),
        used: Arc::clone(&used),
    };
    (counted, used)
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut available = self.fill_buf()?;
        let read = available.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: Read> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.input.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.used.fetch_add(bytes as u64, Relaxed);
        self.input.consume(bytes);
    }
}

/// One gzip member after the other.
struct Gzip<R> {
    at: At<R>,
    zeros: Zeros,
}

enum At<R> {
    Between(R),
    Inside(GzDecoder<R>),
    /// At its end, or broken.
    Over,
}

impl<R: BufRead> Gzip<R> {
    /// Goes on to the next member, if there is one.
    fn next(&self, mut input: R) -> io::Result<At<R>> {
        match skip_zeros(&mut input)? {
            (_, false) => Ok(At::Inside(GzDecoder::new(input))),
            (skipped, true) if skipped > 0 && self.zeros == Zeros::Torn => Err(torn()),
            (_, true) => Ok(At::Over),
        }
    }
}

/// How many zeros are next, and whether they are the last of it.
fn skip_zeros(input: &mut impl BufRead) -> io::Result<(u64, bool)> {
    let mut skipped = 0;
    loop {
        let available = input.fill_buf()?;
        let zeros = available.iter().take_while(|byte| **byte == 0).count();
        let (is_end, is_other) = (available.is_empty(), zeros < available.len());
        input.consume(zeros);
        skipped += zeros as u64;
        if is_end || is_other {
            return Ok((skipped, is_end));
        }
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while !into.is_empty() {
            match std::mem::replace(&mut self.at, At::Over) {
                At::Over => return Ok(0),
                At::Between(input) => self.at = self.next(input)?,
                At::Inside(mut member) => match member.read(into)? {
                    0 => self.at = At::Between(member.into_inner()),
                    read => {
                        self.at = At::Inside(member);
                        return Ok(read);
                    }
                },
            }
        }
        Ok(0)
    }
}

/// Frames of Zstandard.
struct Zstd<R: BufRead> {
    decoder: zstd::stream::read::Decoder<'static, R>,
    zeros: Zeros,
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let error = match self.decoder.read(into) {
            Err(error) if error.kind() != ErrorKind::Interrupted => error,
            other => return other,
        };
        if self.zeros == Zeros::Torn {
            // What is no frame the decoder has left where it stands.
            let (skipped, is_end) = skip_zeros(self.decoder.get_mut())?;
            if is_end && skipped > 0 {
                return Err(torn());
            }
        }
        Err(error)
    }
}

#[cfg(test)]
mod tests;
