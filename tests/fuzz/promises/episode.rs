//! Any bytes as a line of a jobs file: an episode within the contract, or one sentence that says what to change.

use runner::spec::episode::Episode;
use runner::spec::limits::{KB, MB};
use runner::spec::parse::{Defaults, FileContext, Invalid, id_of, parse};
use runner::spec::step::{Content, Program};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Where lines may name host paths: `tests/fuzz/host`, with a file and a link that leads out of it, and a place
/// of the system.
struct Host {
    allowed: [PathBuf; 2],
    file: FileContext,
}

static HOST: LazyLock<Host> = LazyLock::new(|| {
    // Of this repository when tests replay the corpus, of the fuzzing crate when it is fuzzed.
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let places = ["host", "tests/fuzz/host"].map(|name| package.join(name).canonicalize());
    let host = places.iter().flatten().next();
    let host = host.expect("tests/fuzz/host is there").clone();
    let allowed = [host.clone(), "/usr/share".into()];
    let defaults = Defaults {
        allow_paths: Some(allowed.to_vec()),
        ..Defaults::default()
    };
    let file = FileContext::new("a.jsonl".into(), &host, Arc::new(defaults));
    Host { allowed, file }
});

pub fn check(data: &[u8]) {
    let parsed = parse(data, 7, 17, &HOST.file);
    let again = parse(data, 7, 17, &HOST.file);
    assert_eq!(
        format!("{parsed:?}"),
        format!("{again:?}"),
        "parsing depends on more than the line"
    );
    match &parsed {
        Ok(episode) => {
            check_episode(episode);
            let id = id_of(data).unwrap_or("line-17".into());
            assert_eq!(episode.id, id, "the two readers of ids disagree");
        }
        Err(invalid) => {
            check_invalid(invalid);
            assert_eq!(invalid.id, id_of(data), "the two readers of ids disagree");
        }
    }
}

fn check_invalid(invalid: &Invalid) {
    let message = &invalid.message;
    assert!(!message.contains(char::is_control), "{message:?}");
    // Names a field or what to do; the fallback of the parser does neither.
    let advises = message.contains('`') || message.contains(';');
    assert!(advises, "{message:?}");
    assert!(!message.contains("is not a valid episode"), "{message:?}");
    if let Some(id) = &invalid.id {
        check_id(id);
    }
}

fn check_id(id: &str) {
    assert!((1..=512).contains(&id.len()), "{id:?}");
    assert!(!id.contains(char::is_control), "{id:?}");
}

fn check_episode(episode: &Episode) {
    check_id(&episode.id);
    check_path(&episode.sandbox.workdir);
    assert!(!episode.steps.is_empty());
    assert!(episode.multi_step || episode.steps.len() == 1);
    let limits = &episode.sandbox.limits;
    within(limits.memory_bytes, MB..=1_048_576 * MB);
    within(limits.disk_bytes, MB..=1_048_576 * MB);
    within(limits.output_bytes, 0..=262_144 * KB);
    within(limits.processes, 1..=65_536);
    within(limits.open_files, 8..=1_048_576);
    limits
        .stack_bytes
        .inspect(|bytes| within(bytes / (1 << 20), 1..=1_048_576));
    let week = Duration::from_secs(7 * 24 * 3600);
    if let Some(cpu) = limits.cpu_time {
        within(cpu, Duration::from_millis(10)..=week);
    }
    for path in episode
        .sandbox
        .grants
        .readable
        .iter()
        .chain(&episode.sandbox.grants.writable)
    {
        check_host_path(path);
    }
    for step in &episode.steps {
        match &step.program {
            Program::Command(line) => assert!(!line.contains('\0')),
            Program::Argv(argv) => {
                assert!(!argv[0].is_empty());
                assert!(argv.iter().all(|argument| !argument.contains('\0')));
            }
        }
        for (name, value) in &step.env {
            assert!(!name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0'));
        }
        within(step.timeout, Duration::from_millis(1)..=week);
        check_path(&step.workdir);
        for file in &step.files {
            check_path(&file.path);
            assert!(file.mode.is_none_or(|mode| mode <= 0o777));
            if let Content::HostPath(path) = &file.content {
                check_host_path(path);
            }
        }
    }
}

fn within<T: PartialOrd + std::fmt::Debug>(value: T, range: RangeInclusive<T>) {
    assert!(range.contains(&value), "{value:?} is not in {range:?}");
}

/// Absolute and normalised, as the sandbox takes it.
fn check_path(path: &str) {
    assert!(path.starts_with('/') && !path.contains('\0'), "{path:?}");
    assert!(path.len() <= 4095, "{path:?}");
    let mut names = path[1..].split('/');
    let normal = path == "/" || names.all(|name| !["", ".", ".."].contains(&name));
    assert!(normal, "{path:?}");
}

fn check_host_path(path: &Path) {
    let allowed = HOST.allowed.iter().any(|place| path.starts_with(place));
    assert!(allowed, "{path:?}");
    assert_eq!(path.canonicalize().ok().as_deref(), Some(path), "{path:?}");
}
