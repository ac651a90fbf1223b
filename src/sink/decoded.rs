//! What a results file holds, whether it is compressed or not, up to where it is torn.

use crate::compression::Compression;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::ops::Range;

/// The decoded bytes of a file. Of a compressed file that is torn they end where they can't be read further.
pub(super) struct Decoded<'a> {
    reader: Box<dyn Read + Send + 'a>,
    /// Whether the end of a member or frame is missing, or zeros follow the last.
    pub is_torn: bool,
}

impl<'a> Decoded<'a> {
    /// Reads `file` from its start.
    pub(super) fn open(mut file: &'a File, compression: Compression) -> io::Result<Self> {
        file.rewind()?;
        Ok(Decoded {
            reader: compression.reader_of_appended(file)?,
            is_torn: false,
        })
    }
}

impl Read for Decoded<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.is_torn {
            return Ok(0);
        }
        match self.reader.read(into) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.is_torn = true;
                Ok(0)
            }
            other => other,
        }
    }
}

/// The first bytes of a reader, as many as are asked for, without some ranges.
pub(super) struct Without<'a, R> {
    input: R,
    at: u64,
    end: u64,
    /// In order; those that are still to come.
    gaps: &'a [Range<u64>],
}

impl<'a, R: Read> Without<'a, R> {
    pub(super) fn new(input: R, end: u64, gaps: &'a [Range<u64>]) -> Self {
        Without {
            input,
            at: 0,
            end,
            gaps,
        }
    }
}

impl<R: Read> Read for Without<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let shrank = || io::Error::other("the file shrank while it was read");
        while let [gap, later @ ..] = self.gaps
            && gap.start <= self.at
        {
            let length = gap.end - self.at;
            if io::copy(&mut (&mut self.input).take(length), &mut io::sink())? != length {
                return Err(shrank());
            }
            self.at = gap.end;
            self.gaps = later;
        }
        let next = self.gaps.first().map_or(self.end, |gap| gap.start);
        let most = (next - self.at).min(into.len() as u64) as usize;
        let read = self.input.read(&mut into[..most])?;
        if read == 0 && most > 0 {
            return Err(shrank());
        }
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_left_out_wherever_they_lie() {
        let text = b"0123456789";
        let left = |end: u64, gaps: &[Range<u64>]| {
            let mut left = String::new();
            let mut input = Without::new(&text[..], end, gaps);
            input.read_to_string(&mut left).map(|_| left)
        };
        assert_eq!(left(10, &[]).unwrap(), "0123456789");
        assert_eq!(left(8, &[0..2, 2..3, 5..8]).unwrap(), "34");
        assert_eq!(left(0, &[]).unwrap(), "");
        assert!(left(11, &[2..4, 6..7]).is_err());
    }
}
