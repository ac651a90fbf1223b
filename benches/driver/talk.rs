//! A runner, one episode at a time: the next line is written when the result of the one before is there.

use crate::spawn::Times;
use crate::{Loop, now_ns, read_list, report, stamp_ns};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Instant;

/// Episodes before the clocks start: by then interpreters are warm.
const WARM_UP: usize = 20;
/// How long a preloaded interpreter may need to be there.
const WARM_UP_PAUSE_MS: u64 = 50;

pub fn run(way: &Loop) -> Value {
    let episodes = read_list(&way.list, way.count);
    let (mut runner, mut stdin, mut results) = start(way);
    let mut times = Times::default();
    let mut started = Instant::now();
    let warm_up = episodes.iter().cycle().take(WARM_UP);
    for (n, episode) in warm_up.chain(&episodes).enumerate() {
        if n < WARM_UP {
            std::thread::sleep(std::time::Duration::from_millis(WARM_UP_PAUSE_MS));
        }
        if n == WARM_UP {
            (times, started) = (Times::default(), Instant::now());
        }
        let asked_ns = now_ns();
        writeln!(stdin, "{episode}").expect("the runner reads");
        let mut line = String::new();
        results.read_line(&mut line).expect("the runner answers");
        times.latencies.push(now_ns() - asked_ns);
        let result = parse(&line);
        if way.stamped {
            let began_ns = stamp_ns(result["output"].as_str().unwrap_or_default());
            times.startups.push(began_ns.saturating_sub(asked_ns));
        }
    }
    let wall_s = started.elapsed().as_secs_f64();
    drop(stdin);
    runner.wait().expect("the runner ends");
    report(episodes.len(), wall_s, &times.latencies, &times.startups)
}

/// What comes after `--`, with pipes.
pub fn start(way: &Loop) -> (Child, ChildStdin, impl BufRead + Send + use<>) {
    let mut child = Command::new(&way.before[0])
        .args(&way.before[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|e| panic!("{:?}: {e}", way.before));
    let stdin = child.stdin.take().expect("piped");
    let results = BufReader::new(child.stdout.take().expect("piped"));
    (child, stdin, results)
}

/// A result, which has to be `ok`.
pub fn parse(line: &str) -> Value {
    let result: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line:?}"));
    assert_eq!(result["status"], "ok", "{line}");
    result
}
