//! Decoded bytes of gzip (RFC 1952) and Zstandard (RFC 8878) files: any number of members or frames, also empty ones.
//!
//! Both end a file where it ends: torn or damaged ones are errors, which say how much of the file was good. After gzip
//! members zeros may follow, as gzip(1) takes them from tapes and blocks; frames of Zstandard that are to be skipped may
//! stand anywhere.

use flate2::bufread::GzDecoder;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const BUFFER_BYTES: usize = 128 << 10;

pub fn gzip(input: impl Read + Send) -> impl Read + Send {
    let (input, used) = counted(input);
    Located {
        decoder: Gzip::Between(input),
        used,
    }
}

pub fn zstd<R: Read + Send>(input: R) -> io::Result<impl Read + Send> {
    let (input, used) = counted(input);
    let decoder = zstd::stream::read::Decoder::with_buffer(input)?;
    Ok(Located { decoder, used })
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
enum Gzip<R> {
    Between(R),
    Inside(GzDecoder<R>),
    /// At its end, or broken.
    Over,
}

impl<R: BufRead> Gzip<R> {
    /// Goes on to the next member, if there is one.
    fn next(mut input: R) -> io::Result<Gzip<R>> {
        loop {
            let available = input.fill_buf()?;
            let zeros = available.iter().take_while(|byte| **byte == 0).count();
            match available.get(zeros) {
                None if zeros == 0 => return Ok(Gzip::Over),
                None => input.consume(zeros),
                Some(_) => {
                    input.consume(zeros);
                    return Ok(Gzip::Inside(GzDecoder::new(input)));
                }
            }
        }
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while !into.is_empty() {
            match std::mem::replace(self, Gzip::Over) {
                Gzip::Over => return Ok(0),
                Gzip::Between(input) => *self = Gzip::next(input)?,
                Gzip::Inside(mut member) => match member.read(into)? {
                    0 => *self = Gzip::Between(member.into_inner()),
                    read => {
                        *self = Gzip::Inside(member);
                        return Ok(read);
                    }
                },
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests;
