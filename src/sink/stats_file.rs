//! `--stats FILE.json`: the report as JSON, and beside it, in FILE.hlog, the histograms behind it in
//! HdrHistogram's own log format, one line per tag (`startup`, `exec.launch`, …), values in
//! nanoseconds. Any HdrHistogram tool reads the log, and logs of many runs can be added up exactly,
//! which percentiles can't.

use super::report::RunReport;
use super::stats::Statistics;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogWriterBuilder, IntervalLogWriterError, Tag,
};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The maximum that a log shows beside each histogram is in milliseconds.
const NS_PER_MS: f64 = 1e6;

#[derive(Debug, thiserror::Error)]
#[error("cannot write the statistics to {}: {error}; choose another file with --stats", path.display())]
pub struct StatsFileError {
    path: PathBuf,
    error: io::Error,
}

/// The two files, opened before the run so that a mistake shows at once. They keep their old content
/// until there is new.
#[derive(Debug)]
pub struct StatsFile {
    json: (PathBuf, File),
    /// Absent when `--stats` names a device.
    log: Option<(PathBuf, File)>,
}

impl StatsFile {
    /// Opens or creates `path` and the log beside it.
    pub fn create(path: &Path) -> Result<Self, StatsFileError> {
        let open = |path: PathBuf| {
            let opened = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path);
            match opened {
                Ok(file) => Ok((path, file)),
                Err(error) => Err(StatsFileError { path, error }),
            }
        };
        let json = open(path.to_owned())?;
        let regular = json.1.metadata().is_ok_and(|m| m.is_file());
        let log = if regular {
            Some(open(log_path(path))?)
        } else {
            None
        };
        Ok(StatsFile { json, log })
    }

    /// Writes both files.
    pub fn write(self, report: &RunReport, statistics: &Statistics) -> Result<(), StatsFileError> {
        let mut json = serde_json::to_vec_pretty(report).expect("a report has only string keys");
        json.push(b'\n');
        replace(self.json, &json)?;
        if let Some(log) = self.log {
            replace(log, &histogram_log(statistics))?;
        }
        Ok(())
    }
}

fn replace((path, mut file): (PathBuf, File), content: &[u8]) -> Result<(), StatsFileError> {
    let regular = file.metadata().is_ok_and(|m| m.is_file());
    let cleared = if regular { file.set_len(0) } else { Ok(()) };
    let written = cleared.and_then(|()| file.write_all(content));
    written.map_err(|error| StatsFileError { path, error })
}

/// Where the histograms go beside `stats.json`: `stats.hlog`; a name with another ending keeps it.
pub fn log_path(path: &Path) -> PathBuf {
    if path.extension().is_some_and(|e| e == "json") {
        return path.with_extension("hlog");
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".hlog");
    name.into()
}

fn histogram_log(statistics: &Statistics) -> Vec<u8> {
    let mut log = Vec::new();
    let written: Result<(), IntervalLogWriterError<_>> = (|| {
        let mut serializer = V2DeflateSerializer::new();
        let mut writer = IntervalLogWriterBuilder::new()
            .add_comment(
                "Latencies of a run in nanoseconds; the Interval_Max column is in milliseconds",
            )
            .with_start_time(statistics.started_at())
            .with_base_time(statistics.started_at())
            .with_max_value_divisor(NS_PER_MS)
            .begin_log_with(&mut log, &mut serializer)?;
        for (tag, histogram) in statistics.tagged() {
            writer.write_histogram(histogram, Duration::ZERO, statistics.wall(), Tag::new(&tag))?;
        }
        Ok(())
    })();
    written.expect("histograms are serialised to memory");
    log
}

#[cfg(test)]
mod tests {
    use super::super::report::{Ending, percentiles};
    use super::super::testing::outcome;
    use super::*;
    use crate::spec::outcome::Status;
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    fn read_log(log: &[u8]) -> Vec<(String, Histogram<u64>)> {
        use base64::Engine;
        let entries = IntervalLogIterator::new(log).map(Result::unwrap);
        entries
            .filter_map(|entry| match entry {
                LogEntry::Interval(interval) => Some(interval),
                _ => None,
            })
            .map(|interval| {
                let encoded = interval.encoded_histogram();
                let bytes = base64::engine::general_purpose::STANDARD
                    .decode(encoded)
                    .unwrap();
                let histogram = Deserializer::new().deserialize(&mut &bytes[..]).unwrap();
                (interval.tag().unwrap().as_str().to_owned(), histogram)
            })
            .collect()
    }

    #[test]
    fn json_and_histogram_log_agree() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("stats.json");
        std::fs::write(&path, "x".repeat(100_000)).unwrap();
        let mut statistics = Statistics::new(Duration::from_millis(5));
        for n in 1..=1000 {
            let mut outcome = outcome("a", Status::Ok);
            outcome.phases.as_mut().unwrap().total = n * 10_000;
            statistics.record(&outcome);
        }
        statistics.end();
        let report = RunReport::new(&statistics, &Ending::default());
        StatsFile::create(&path)
            .unwrap()
            .write(&report, &statistics)
            .unwrap();

        let json: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let log = read_log(&std::fs::read(directory.path().join("stats.hlog")).unwrap());
        let tags: Vec<_> = log.iter().map(|(tag, _)| tag.as_str()).collect();
        assert_eq!(
            tags[..4],
            ["startup", "queue", "exec.startup", "exec.dispatch"]
        );
        let of = |tag: &str| percentiles(&log.iter().find(|(t, _)| t == tag).unwrap().1).unwrap();
        let mut startup = json["startup_ms"].clone();
        startup
            .as_object_mut()
            .unwrap()
            .remove("within_target_share");
        assert_eq!(serde_json::to_value(of("startup")).unwrap(), startup);
        assert_eq!(
            serde_json::to_value(of("exec.clean")).unwrap(),
            json["by_start"]["exec"]["phases"]["clean_ms"]
        );
        assert_eq!(json["startup_ms"]["within_target_share"], 0.5);
    }

    #[test]
    fn the_log_lies_beside_the_json() {
        assert_eq!(
            log_path(Path::new("a/stats.json")),
            Path::new("a/stats.hlog")
        );
        assert_eq!(log_path(Path::new("stats.v2")), Path::new("stats.v2.hlog"));
    }

    #[test]
    fn a_file_that_cannot_be_created_is_named() {
        let error = StatsFile::create(Path::new("/proc/none/stats.json"))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("cannot write the statistics to /proc/none/stats.json"),
            "{error}"
        );
    }
}
