//! Any bytes as a results file to go on with: its verdicts stay byte for byte, or nothing is touched.

use runner::compression::Compression;
use runner::sink::{OpenError, open_output};
use runner::spec::outcome::Status;
use std::path::Path;

pub fn check(data: &[u8]) {
    // In memory where that exists: each input is a file.
    let memory = Path::new("/dev/shm");
    let directory = match tempfile::tempdir_in(memory) {
        Ok(directory) => directory,
        Err(_) => tempfile::tempdir().expect("a temporary directory"),
    };
    let path = directory.path().join("results.jsonl");
    std::fs::write(&path, data).expect("a small file");
    if Compression::of_content(data) != Compression::None {
        return check_compressed(&path, data);
    }
    match open_output(&path, true) {
        Ok(opened) => {
            let (kept, done) = (opened.kept.total(), opened.done.len());
            drop(opened);
            let after = std::fs::read(&path).expect("the file is still there");
            assert_eq!(after, expected(data), "other lines than the kept ones");
            assert!(done as u64 <= kept);
            assert_eq!(opened_again(&path), (kept, done));
        }
        Err(OpenError::NotResults { line, .. }) => {
            let lines = data.split_inclusive(|byte| *byte == b'\n').count() as u64;
            assert!((1..=lines).contains(&line), "line {line} of {lines}");
            assert_eq!(std::fs::read(&path).ok().as_deref(), Some(data));
        }
        Err(other) => panic!("{other}"),
    }
}

/// What is compressed is repaired to its last whole line, or nothing is touched.
fn check_compressed(path: &Path, data: &[u8]) {
    match open_output(path, true) {
        Ok(opened) => {
            let (kept, done) = (opened.kept.total(), opened.done.len());
            drop(opened);
            assert_eq!(opened_again(path), (kept, done));
        }
        Err(_) => assert_eq!(std::fs::read(path).ok().as_deref(), Some(data)),
    }
}

fn opened_again(path: &Path) -> (u64, usize) {
    let again = open_output(path, true).expect("a repaired file is a results file");
    assert_eq!((again.dropped_infra, again.repaired_bytes), (0, 0));
    (again.kept.total(), again.done.len())
}

/// The whole lines that are no infra_error, of each id the last, by a reader that knows no shortcuts.
fn expected(data: &[u8]) -> Vec<u8> {
    let lines: Vec<&[u8]> = data.split_inclusive(|byte| *byte == b'\n').collect();
    let stays = |(at, line): (usize, &&[u8])| {
        let verdict = verdict(line);
        let followed = || {
            lines[at + 1..]
                .iter()
                .any(|later| self::verdict(later) == verdict)
        };
        let blank = line.trim_ascii().is_empty();
        line.ends_with(b"\n") && (blank || verdict.is_some() && !followed())
    };
    let kept = lines.iter().enumerate().filter(|line| stays(*line));
    kept.flat_map(|(_, line)| line.iter().copied()).collect()
}

/// The id of a whole line that is a verdict.
fn verdict(line: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Result {
        id: String,
        status: Status,
        #[serde(default, rename = "spec_digest")]
        _spec_digest: Option<String>,
    }
    let whole = line.ends_with(b"\n");
    let result = serde_json::from_slice::<Result>(line)
        .ok()
        .filter(|_| whole)?;
    (result.status != Status::InfraError).then_some(result.id)
}
