//! How many episodes there are: for a progress bar, and for a pool that need not be larger.

use super::lines::Lines;
use super::open::Jobs;

/// Lines that are not blank in all of `jobs`; `None` when one of them is a stream or fails to read.
/// Decodes and scans every file once: run it beside the work, not before it.
pub fn count_lines(jobs: &[Jobs]) -> Option<u64> {
    count_until(jobs, u64::MAX)
}

/// The same, where there are fewer than `few`, else `few`. Reads little more than that many lines.
pub fn count_until(jobs: &[Jobs], few: u64) -> Option<u64> {
    if jobs.iter().any(Jobs::is_stream) {
        return None;
    }
    let mut total = 0;
    for jobs in jobs {
        let mut lines = Lines::new(jobs.open().ok()?);
        while let Some(block) = lines.next_block().ok()? {
            total += block.lines.len() as u64;
            if total >= few {
                return Some(few);
            }
        }
    }
    Some(total)
}
