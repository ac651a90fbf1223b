use super::*;
use crate::sink::scan::Earlier;
use crate::sink::testing::outcome;
use crate::sink::writer::Sink;
use crate::spec::digest::{Asked, Digest};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

fn line(id: &str, status: Status) -> String {
    serde_json::to_string(&outcome(id, status)).unwrap() + "\n"
}

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("results.jsonl");
    (directory, path)
}

#[test]
fn results_are_never_overwritten() {
    let (_directory, path) = scratch();
    fs::write(&path, line("a", Status::Ok)).unwrap();
    let message = open_output(&path, false).unwrap_err().to_string();
    assert!(
        message.contains("already holds results; add --resume"),
        "{message}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), line("a", Status::Ok));
}

#[test]
fn a_second_runner_is_refused_until_the_first_has_ended() {
    let (_directory, path) = scratch();
    let first = open_output(&path, false).unwrap();
    let message = open_output(&path, true).unwrap_err().to_string();
    assert!(
        message.starts_with("another runner is writing"),
        "{message}"
    );
    drop(first);
    open_output(&path, true).unwrap();
}

#[tokio::test]
async fn resuming_cuts_the_torn_line_drops_infra_errors_and_appends() {
    let (_directory, path) = scratch();
    let keep = line("a", Status::Ok) + &line("c", Status::Timeout);
    let before = line("x", Status::InfraError)
        + &line("a", Status::Ok)
        + &line("b", Status::InfraError)
        + &line("c", Status::Timeout)
        + "{\"id\":\"d\",\"sta";
    fs::write(&path, before).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let opened = open_output(&path, true).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), keep);
    assert_eq!(
        (
            opened.kept.total(),
            opened.dropped_infra,
            opened.repaired_bytes
        ),
        (2, 2, 14)
    );
    assert!(opened.done.contains("a") && opened.done.contains("c") && !opened.done.contains("b"));
    assert!(opened.locked && matches!(open_output(&path, true), Err(OpenError::Busy(_))));
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o640
    );
    let sink = Sink::start(opened.destination).unwrap();
    sink.send(outcome("d", Status::Ok), None).await;
    sink.finish().await.unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        keep + &line("d", Status::Ok)
    );
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn of_several_verdicts_of_an_id_the_last_one_stays() {
    let (_directory, path) = scratch();
    let lines = [("a", Status::Failed), ("b", Status::Ok), ("a", Status::Ok)];
    let text: Vec<String> = lines.iter().map(|(id, status)| line(id, *status)).collect();
    fs::write(&path, text.concat()).unwrap();
    let opened = open_output(&path, true).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), text[1..].concat());
    assert_eq!((opened.kept.total(), opened.kept.get(Status::Ok)), (2, 2));
    assert_eq!(opened.dropped_stale.get(Status::Failed), 1);
}

#[test]
fn outdated_verdicts_are_dropped_and_not_counted() {
    let (_directory, path) = scratch();
    let digest = |n: u8| Digest::of_bytes(&[n]);
    let line = |id: &str, n: u8| {
        let mut outcome = outcome(id, Status::Ok);
        outcome.spec_digest = Some(digest(n));
        serde_json::to_string(&outcome).unwrap() + "\n"
    };
    fs::write(&path, line("a", 1) + &line("b", 1) + &line("c", 2)).unwrap();
    let mut held = hold_output(&path, true).unwrap();
    let done = held.take_done();
    assert_eq!(done.asked("c"), Some(Asked::For(digest(2))));
    let is_outdated = |it: &Earlier| it.id != "b" && it.digest == Some(digest(1));
    let opened = held.open(Some(&is_outdated)).unwrap();
    assert_eq!((opened.kept.total(), opened.dropped_stale.total()), (2, 1));
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        line("b", 1) + &line("c", 2)
    );
}

#[tokio::test]
async fn a_compressed_output_is_gone_on_with_wherever_it_was_cut() {
    for name in ["r.jsonl.gz", "r.jsonl.zst"] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        let compression = Compression::promised_by(name).unwrap();
        let text = |ids: &[&str]| -> String { ids.iter().map(|id| line(id, Status::Ok)).collect() };
        let first = compression.frame(text(&["a", "b"]).as_bytes()).into_owned();
        let whole = [&first[..], &compression.frame(text(&["c"]).as_bytes())].concat();
        for cut in 0..=whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let opened =
                open_output(&path, true).unwrap_or_else(|e| panic!("{name} cut at {cut}: {e}"));
            let kept = opened.kept.total();
            assert!(
                kept >= 2 || cut < first.len(),
                "{name} cut at {cut}: {kept}"
            );
            let torn = ![0, first.len(), whole.len()].contains(&cut);
            assert_eq!(opened.repaired_frame, torn, "{name} cut at {cut}");
            let sink = Sink::start(opened.destination).unwrap();
            sink.send(outcome("d", Status::Ok), None).await;
            sink.finish().await.unwrap();
            let file = File::open(&path).unwrap();
            let read = io::read_to_string(compression.reader(file).unwrap()).unwrap();
            let ids = ["a", "b", "c"];
            let expected = text(&ids[..kept as usize]) + &text(&["d"]);
            assert_eq!(read, expected, "{name} cut at {cut}");
        }
    }
}

/// What a power failure leaves where blocks were never filled.
#[tokio::test]
async fn zeros_after_the_last_member_or_frame_are_a_torn_end() {
    for (name, zeros) in [
        ("r.gz", 1),
        ("r.gz", 300_000),
        ("r.zst", 1),
        ("r.zst", 4),
        ("r.zst", 300_000),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        let compression = Compression::promised_by(name).unwrap();
        let [first, second] = ["a", "b"].map(|id| line(id, Status::Ok));
        for whole in ["", &first] {
            let whole = compression.frame(whole.as_bytes()).into_owned();
            fs::write(&path, [&whole[..], &vec![0; zeros]].concat()).unwrap();
            let opened = open_output(&path, true).unwrap_or_else(|e| panic!("{name} {zeros}: {e}"));
            assert!(opened.repaired_frame, "{name} {zeros}");
            assert_eq!(opened.kept.total(), u64::from(!whole.is_empty()));
            let sink = Sink::start(opened.destination).unwrap();
            sink.send(outcome("b", Status::Ok), None).await;
            sink.finish().await.unwrap();
        }
        let written = fs::read(&path).unwrap();
        let read = io::read_to_string(compression.reader(&written[..]).unwrap()).unwrap();
        assert_eq!(read, first + &second, "{name} {zeros}");
        let frame = compression.frame(second.as_bytes()).into_owned();
        assert!(written.ends_with(&frame), "{name} {zeros}");
        let before = &written[..written.len() - frame.len()];
        assert!(!before.ends_with(&[0; 16]), "{name} {zeros}");
    }
}

#[test]
fn zeros_before_something_else_are_no_torn_end() {
    for name in ["r.gz", "r.zst"] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        let compression = Compression::promised_by(name).unwrap();
        let first = line("a", Status::Ok);
        let file = [
            &compression.frame(first.as_bytes())[..],
            b"\0\0\0\0\0\0something else",
        ]
        .concat();
        fs::write(&path, &file).unwrap();
        assert!(open_output(&path, true).is_err(), "{name}");
        assert_eq!(fs::read(&path).unwrap(), file);
    }
}

#[test]
fn an_output_that_begins_with_a_frame_to_skip_is_gone_on_with() {
    for name in ["r.zst", "r.jsonl"] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        let frame = Compression::Zstd
            .frame(line("a", Status::Ok).as_bytes())
            .into_owned();
        // As pzstd writes it: how long the next frame is.
        let skip = [
            0x50,
            0x2A,
            0x4D,
            0x18,
            4,
            0,
            0,
            0,
            frame.len() as u8,
            0,
            0,
            0,
        ];
        fs::write(&path, [&skip[..], &frame].concat()).unwrap();
        let opened = open_output(&path, true).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!((opened.kept.total(), opened.repaired_frame), (1, false));
    }
}

#[test]
fn a_file_that_is_not_what_its_name_promises_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("r.jsonl.gz");
    fs::write(&path, line("a", Status::Ok)).unwrap();
    let message = open_output(&path, true).unwrap_err().to_string();
    assert!(
        message.contains("r.jsonl.gz is named as gzip but holds plain text; rename it"),
        "{message}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), line("a", Status::Ok));
}

#[test]
fn a_torn_end_alone_is_cut_in_place() {
    let (_directory, path) = scratch();
    fs::write(&path, line("a", Status::Ok) + "{\"id\"").unwrap();
    let inode = fs::metadata(&path).unwrap().ino();
    assert_eq!(open_output(&path, true).unwrap().repaired_bytes, 5);
    assert_eq!(fs::read_to_string(&path).unwrap(), line("a", Status::Ok));
    assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
}

#[test]
fn a_link_to_a_results_file_stays_a_link() {
    let (directory, path) = scratch();
    let link = directory.path().join("latest");
    fs::write(&path, line("a", Status::InfraError)).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    open_output(&link, true).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&path).unwrap(), "");
}

#[test]
fn a_file_of_something_else_is_left_as_it_is() {
    let (_directory, path) = scratch();
    fs::write(&path, "name,score\nada,10\n").unwrap();
    let message = open_output(&path, true).unwrap_err().to_string();
    assert!(
        message.contains("results.jsonl line 1 is not a result"),
        "{message}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "name,score\nada,10\n");
}

#[test]
fn outputs_that_cannot_be_written_are_refused_with_the_remedy() {
    let (directory, _) = scratch();
    let message = |path: &Path, resume| open_output(path, resume).unwrap_err().to_string();
    assert!(message(directory.path(), false).contains("is a directory; name a file in it"));
    assert!(
        message(&directory.path().join("no/r.jsonl"), false).contains("does not exist; create it")
    );
    assert!(message(Path::new("/proc/r.jsonl"), false).starts_with("cannot write /proc/r.jsonl"));
    assert!(message(Path::new("/dev/null"), true).contains("nothing to resume"));
    assert!(
        open_output(Path::new("/dev/null"), false)
            .unwrap()
            .destination
            .is_null()
    );
}
