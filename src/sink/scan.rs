//! Reads an existing results file, line by line, without holding it.
//!
//! Four things may be wrong with a results file: its last line is torn (the runner was killed or the
//! machine lost power; it is cut off), it holds `infra_error` results (they are dropped, those
//! episodes run again) or verdicts that don't count any more (dropped too), or it is no results file
//! at all (refused, nothing is touched). Only an end
//! that looks like the beginning of a result counts as torn, so that a stray `--output` never eats
//! the last line of something else.

use super::counts::Counts;
use super::done::{Builder, DoneIds, Superseded};
use crate::spec::digest::Digest;
use crate::spec::outcome::Status;
use serde::Deserialize;
use std::borrow::Cow;
use std::io::{self, BufRead};
use std::ops::Range;

/// Whether a verdict is to go.
pub(super) type IsOutdated<'a> = dyn Fn(&Earlier<'_>) -> bool + 'a;

/// A verdict that an output holds.
#[derive(Clone, Copy, Debug)]
pub struct Earlier<'a> {
    pub id: &'a str,
    pub status: Status,
    /// Of what it is a verdict on, where it says that.
    pub digest: Option<Digest>,
}

/// How every result line begins.
const BEGINNING: &[u8] = b"{\"id\":\"";

/// What a results file holds.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Ids with a verdict other than `infra_error`.
    pub done: DoneIds,
    /// Of ids with several verdicts, those that don't count.
    pub superseded: Superseded,
    /// The lines that stay, by status.
    pub kept: Counts,
    /// Byte ranges of the `infra_error` lines.
    pub infra: Vec<Range<u64>>,
    /// Byte ranges of verdicts that don't count, or not any more; see [`find_stale`].
    pub stale: Vec<Range<u64>>,
    /// Length of the file without its torn end, decoded.
    pub whole_bytes: u64,
    /// Length of the torn end.
    pub torn_bytes: u64,
    /// Whether the last member or frame of a compressed file is torn, or zeros follow it.
    pub torn_frame: bool,
}

#[derive(Debug)]
pub(super) enum ScanError {
    Io(io::Error),
    /// This line (1-based) is not a result.
    NotAResult {
        line: u64,
    },
}

impl Scan {
    /// What is to be left out of the file, in order.
    pub(super) fn gaps(&self) -> Vec<Range<u64>> {
        let mut gaps = [&self.infra[..], &self.stale].concat();
        gaps.sort_unstable_by_key(|gap| gap.start);
        gaps
    }
}

#[derive(Deserialize)]
struct ResultLine<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    status: Status,
    #[serde(borrow, default)]
    spec_digest: Option<Cow<'a, str>>,
}

impl ResultLine<'_> {
    fn digest(&self) -> Option<Digest> {
        self.spec_digest.as_deref().and_then(Digest::parse)
    }

    fn verdict(&self) -> Earlier<'_> {
        Earlier {
            id: &self.id,
            status: self.status,
            digest: self.digest(),
        }
    }
}

/// Reads all of `input`, a file of result lines.
pub(super) fn scan(mut input: impl BufRead) -> Result<Scan, ScanError> {
    let mut scan = Scan::default();
    let mut done = Builder::default();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let length = input.read_until(b'\n', &mut line).map_err(ScanError::Io)? as u64;
        if length == 0 {
            break;
        }
        let range = scan.whole_bytes..scan.whole_bytes + length;
        let whole = line.last() == Some(&b'\n');
        match serde_json::from_slice::<ResultLine>(&line) {
            Ok(result) if whole && result.status == Status::InfraError => {
                scan.infra.push(range.clone())
            }
            Ok(result) if whole => {
                done.add(&result.id, result.digest());
                scan.kept.add(result.status);
            }
            _ if whole && line.trim_ascii().is_empty() => {}
            _ => {
                let last = !whole || input.fill_buf().map_err(ScanError::Io)?.is_empty();
                if !last || !looks_torn(&line) {
                    return Err(ScanError::NotAResult { line: number });
                }
                scan.torn_bytes = length;
                break;
            }
        }
        scan.whole_bytes = range.end;
    }
    (scan.done, scan.superseded) = done.build();
    Ok(scan)
}

/// The verdicts in what `found` has found that another one of the same id supersedes, and those that `is_outdated` names,
/// with what they count.
pub(super) fn find_stale(
    mut input: impl BufRead,
    found: &mut Scan,
    is_outdated: &IsOutdated<'_>,
) -> io::Result<Counts> {
    let mut counts = Counts::default();
    let mut line = Vec::new();
    let mut at = 0;
    while at < found.whole_bytes {
        line.clear();
        let length = input.read_until(b'\n', &mut line)? as u64;
        if length == 0 {
            return Err(io::Error::other("the file shrank while it was read"));
        }
        let range = at..at + length;
        at = range.end;
        let Ok(result) = serde_json::from_slice::<ResultLine>(&line) else {
            // Blank.
            continue;
        };
        let counted = result.status != Status::InfraError;
        if counted && (found.superseded.is_followed(&result.id) || is_outdated(&result.verdict())) {
            found.stale.push(range);
            counts.add(result.status);
        }
    }
    found.kept.remove(&counts);
    Ok(counts)
}

/// Whether this can be what a crash left of a result: its beginning, or blocks that were never filled.
fn looks_torn(line: &[u8]) -> bool {
    let common = line.len().min(BEGINNING.len());
    line[..common] == BEGINNING[..common] || line.iter().all(|&b| b == 0)
}

#[cfg(test)]
mod tests {
    use super::super::testing::outcome;
    use super::*;

    fn lines(results: &[(&str, Status)]) -> String {
        let line = |(id, status): &(&str, Status)| {
            serde_json::to_string(&outcome(id, *status)).unwrap() + "\n"
        };
        results.iter().map(line).collect()
    }

    #[test]
    fn verdicts_are_done_and_infra_errors_are_not() {
        let text = lines(&[
            ("a", Status::Ok),
            ("b \"ü\n", Status::Timeout),
            ("c", Status::InfraError),
        ]);
        let scan = scan(text.as_bytes()).unwrap();
        assert!(
            scan.done.contains("a") && scan.done.contains("b \"ü\n") && !scan.done.contains("c")
        );
        assert_eq!((scan.kept.total(), scan.kept.get(Status::Timeout)), (2, 1));
        assert!(
            text[scan.infra[0].start as usize..scan.infra[0].end as usize].contains("infra_error")
        );
        assert_eq!((scan.whole_bytes, scan.torn_bytes), (text.len() as u64, 0));
    }

    #[test]
    fn a_file_cut_anywhere_keeps_exactly_its_whole_lines() {
        let text = lines(&[("a", Status::Ok), ("b", Status::Failed)]);
        let first = text.find('\n').unwrap() + 1;
        for cut in 0..text.len() {
            let scan = scan(&text.as_bytes()[..cut]).unwrap();
            let whole = if cut < first { 0 } else { first };
            assert_eq!(scan.whole_bytes, whole as u64, "cut at {cut}");
            assert_eq!(scan.torn_bytes, (cut - whole) as u64, "cut at {cut}");
            assert_eq!(scan.done.len(), usize::from(cut >= first));
        }
    }

    #[test]
    fn a_last_line_that_was_never_filled_is_torn() {
        for end in ["\0\0\0\0", "{\"id\":\"b\",\"sta\0\0\n"] {
            let text = lines(&[("a", Status::Ok)]) + end;
            let scan = scan(text.as_bytes()).unwrap();
            assert_eq!((scan.done.len(), scan.torn_bytes), (1, end.len() as u64));
        }
    }

    #[test]
    fn what_is_not_a_results_file_is_refused_with_its_line() {
        let good = lines(&[("a", Status::Ok)]);
        for (text, at) in [
            ("dear diary\n".to_owned(), 1),
            ("dear diary".to_owned(), 1),
            (format!("{good}[1]\n"), 2),
            (format!("{good}{{\"id\":\"b\"}}\n{good}"), 2),
            (
                format!("{good}{{\"id\":\"b\",\"status\":\"great\"}}\n{good}"),
                2,
            ),
        ] {
            let error = scan(text.as_bytes()).unwrap_err();
            assert!(
                matches!(error, ScanError::NotAResult { line } if line == at),
                "{text:?}: {error:?}"
            );
        }
    }
}
