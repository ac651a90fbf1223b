//! Any bytes as a results file to go on with: its verdicts stay byte for byte, or nothing is touched.

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

fn opened_again(path: &Path) -> (u64, usize) {
    let again = open_output(path, true).expect("a repaired file is a results file");
    assert_eq!((again.dropped_infra, again.repaired_bytes), (0, 0));
    (again.kept.total(), again.done.len())
}

/// The whole lines that are no infra_error, by a reader that knows no shortcuts.
fn expected(data: &[u8]) -> Vec<u8> {
    let lines = data.split_inclusive(|byte| *byte == b'\n');
    let stays = |line: &&[u8]| {
        let blank = line.trim_ascii().is_empty();
        line.ends_with(b"\n") && (blank || status(line).is_some_and(|s| s != Status::InfraError))
    };
    lines.filter(stays).flatten().copied().collect()
}

fn status(line: &[u8]) -> Option<Status> {
    #[derive(serde::Deserialize)]
    struct Result {
        #[serde(rename = "id")]
        _id: String,
        status: Status,
    }
    serde_json::from_slice::<Result>(line)
        .ok()
        .map(|r| r.status)
}
