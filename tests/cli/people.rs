//! What people and their tools see of a run: summary, statistics, progress.

use super::common::{binary, run_args, scratch};
use super::quick;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use nix::pty::openpty;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::process::{Command, Stdio};

const JOBS: &str = r#"{"id": "ok", "argv": ["/bin/true"]}
{"id": "ok-too", "argv": ["/bin/true"]}
{"id": "failed", "command": "exit 3"}
{"id": "timeout", "command": "sleep 9", "timeout_s": 0.2}
{"id": "invalid"}
"#;

#[test]
fn the_summary_has_counts_faults_rate_percentiles_and_memory() {
    let directory = scratch();
    let run = run_args(directory.path(), &["--jobs", "-"], JOBS.as_bytes());
    let cells: Vec<Vec<&str>> = run
        .stderr
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let row = |name: &str| {
        let found = cells.iter().find(|row| row.first() == Some(&name));
        found.unwrap_or_else(|| panic!("no row {name:?} in {}", run.stderr))
    };
    assert!(
        run.stderr.contains("5 episodes in ") && run.stderr.contains(" per second"),
        "{}",
        run.stderr
    );
    assert_eq!(row("ok")[..4], ["ok", "2", "40.00", "%"]);
    assert_eq!(row("failed")[1..], ["1", "20.00", "%", "program"]);
    assert_eq!(row("timeout")[1..], ["1", "20.00", "%", "limit"]);
    assert_eq!(row("invalid")[1..], ["1", "20.00", "%", "spec"]);
    assert!(
        run.stderr.contains("program 1 · limit 1 · spec 1"),
        "{}",
        run.stderr
    );
    assert_eq!(
        row("startup,")[1..7],
        ["ms", "p50", "p90", "p99", "p99.9", "max"]
    );
    assert!(row("startup,").contains(&"≤"));
    // Cold and warm apart.
    assert_eq!(row("exec").last(), Some(&"2"));
    assert_eq!(row("warm-bash").last(), Some(&"2"));
    for phase in ["dispatch", "prepare", "handoff", "launch", "clean", "queue"] {
        let figures = &row(phase)[1..];
        assert_eq!(figures.len(), 5, "{phase}: {}", run.stderr);
        assert!(
            figures
                .iter()
                .all(|figure| figure.replace(',', "").parse::<f64>().is_ok()),
            "{figures:?}"
        );
    }
    assert!(row("runner").contains(&"memory"), "{}", run.stderr);
}

#[test]
fn stats_agree_with_the_results_and_with_their_histograms() {
    let directory = scratch();
    let run = run_args(
        directory.path(),
        &["--jobs", "-", "--stats", "s.json"],
        JOBS.as_bytes(),
    );
    let text = fs::read_to_string(directory.path().join("s.json")).unwrap();
    let stats: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&stats["episodes"], &stats["interrupted"]),
        (&json!(5), &json!(false))
    );
    for (status, count) in stats["status"].as_object().unwrap() {
        let results = run
            .results
            .values()
            .filter(|result| result["status"] == **status)
            .count();
        assert_eq!(*count, json!(results), "{status}");
    }
    assert_eq!(
        stats["fault"],
        json!({"none": 2, "program": 1, "limit": 1, "spec": 1, "infra": 0})
    );
    assert_eq!(stats["startup_target_ms"], 5.0);
    for of in ["startup_ms", "queue_ms"] {
        let at = |name: &str| stats[of][name].as_f64().unwrap();
        let rising = [at("p50"), at("p90"), at("p99"), at("p999"), at("max")];
        assert!(rising.is_sorted(), "{of}: {rising:?}");
        assert_eq!(at("count"), 4.0);
    }
    let startups = run
        .results
        .values()
        .filter_map(|result| result["startup_ms"].as_f64());
    let (slowest, reported) = (
        startups.fold(0.0, f64::max),
        stats["startup_ms"]["max"].as_f64().unwrap(),
    );
    assert!(
        (slowest - reported).abs() <= 0.002 * slowest + 0.001,
        "{slowest} and {reported}"
    );

    let log = histograms(&fs::read_to_string(directory.path().join("s.hlog")).unwrap());
    let tags = ["startup", "queue"];
    for tag in tags {
        assert_eq!(log[tag].len(), 4, "{tag}");
    }
    let phases = [
        "exec.startup",
        "exec.dispatch",
        "exec.prepare",
        "exec.handoff",
        "exec.launch",
        "exec.clean",
        "warm-bash.startup",
        "warm-bash.clean",
    ];
    for tag in phases {
        assert_eq!(log[tag].len(), 2, "{tag}");
    }
    let p50 = stats["startup_ms"]["p50"].as_f64().unwrap();
    assert_eq!(log["startup"].value_at_quantile(0.5) as f64 / 1e6, p50);
}

/// The histograms of a log by tag.
fn histograms(log: &str) -> BTreeMap<String, Histogram<u64>> {
    let tagged = log.lines().filter_map(|line| line.strip_prefix("Tag="));
    let read = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let bytes = STANDARD.decode(fields.last().unwrap()).unwrap();
        (
            fields[0].to_owned(),
            Deserializer::new().deserialize(&mut &bytes[..]).unwrap(),
        )
    };
    tagged.map(read).collect()
}

#[test]
fn stats_of_a_run_without_episodes_claim_no_latencies() {
    let directory = scratch();
    run_args(directory.path(), &["--jobs", "-", "--stats", "s.json"], b"");
    let stats: Value =
        serde_json::from_str(&fs::read_to_string(directory.path().join("s.json")).unwrap())
            .unwrap();
    assert_eq!(
        (&stats["episodes"], &stats["startup_ms"]),
        (&json!(0), &Value::Null)
    );
}

/// What a run that takes a second shows on stderr, which is a terminal or not.
fn shown(terminal: bool, progress: &str) -> String {
    let directory = scratch();
    let jobs = quick("a") + "{\"command\": \"sleep 1\"}\n";
    fs::write(directory.path().join("jobs.jsonl"), jobs).unwrap();
    let mut command = Command::new(binary());
    command
        .args(["--jobs", "jobs.jsonl", "--progress", progress])
        .current_dir(directory.path());
    command.env("TERM", "xterm").stdout(Stdio::null());
    if !terminal {
        return String::from_utf8(command.output().unwrap().stderr).unwrap();
    }
    let size = nix::pty::Winsize {
        ws_row: 24,
        ws_col: 120,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let pty = openpty(&size, None).unwrap();
    let mut child = command.stderr(pty.slave).spawn().unwrap();
    // With the command goes our end of the slave; the master then reads an error at the end.
    drop(command);
    let mut seen = Vec::new();
    let _ = File::from(pty.master).read_to_end(&mut seen);
    assert!(child.wait().unwrap().success());
    String::from_utf8_lossy(&seen).into_owned()
}

#[test]
fn a_terminal_shows_a_bar_unless_progress_is_never() {
    let bar = |text: &str| text.contains('\u{1b}') || text.contains("running");
    let auto = shown(true, "auto");
    assert!(bar(&auto) && auto.contains("1/2"), "{auto:?}");
    let never = shown(true, "never");
    assert!(!bar(&never) && never.contains("2 episodes in"), "{never:?}");
}

#[test]
fn what_is_no_terminal_gets_lines_only_when_asked() {
    let bar =
        |text: &str| text.contains('\u{1b}') || text.contains('\r') || text.contains("running");
    for mode in ["auto", "never"] {
        let text = shown(false, mode);
        assert!(!bar(&text) && text.starts_with("2 episodes in"), "{text:?}");
    }
    let always = shown(false, "always");
    assert!(
        always
            .lines()
            .next()
            .is_some_and(|line| line.contains('2') && !line.contains("episodes in")),
        "{always:?}"
    );
    assert!(
        !always.contains('\u{1b}') && !always.contains('\r'),
        "{always:?}"
    );
}
