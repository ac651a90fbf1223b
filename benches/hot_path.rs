//! The pieces of the hot path: `cargo bench --bench hot_path`.

use divan::{Bencher, black_box};
use runner::spec::episode::Capture;
use runner::spec::execution::{End, Execution, Start, StepExecution};
use runner::spec::limits::Limits;
use runner::spec::outcome::Outcome;
use runner::spec::parse::{Defaults, FileContext, parse};
use runner::spec::policy::{Enforced, Tier};
use runner::wire::message::{EpisodeRequest, Reply, StepRequest};
use runner::wire::packet::{Assembler, encode, packets};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const SMALL: &[u8] = br#"{"id":"e1","argv":["/bin/true"]}"#;
const RICH: &[u8] = br#"{"id":"HumanEval/0","argv":["python3","solution.py"],"files":{"solution.py":"def f(x):\n    return x + 1\n\nassert f(1) == 2\n"},"timeout_s":10,"resources":{"memory_mb":256,"processes":16},"env":{"SEED":"7"},"group":"HumanEval/0","meta":{"task_id":"HumanEval/0","variant":"canonical"}}"#;

fn main() {
    divan::main();
}

fn context() -> FileContext {
    FileContext::new(
        "bench.jsonl".into(),
        Path::new("."),
        Arc::new(Defaults::default()),
    )
}

#[divan::bench]
fn parse_small_line(bencher: Bencher) {
    let context = context();
    bencher.bench(|| parse(black_box(SMALL), 1, 1, &context).is_ok());
}

#[divan::bench]
fn parse_rich_line(bencher: Bencher) {
    let context = context();
    bencher.bench(|| parse(black_box(RICH), 1, 1, &context).is_ok());
}

fn request() -> EpisodeRequest {
    EpisodeRequest {
        handed_ns: 1,
        limits: Limits::default(),
        capture: Capture::Merged,
        collect: vec![],
        workdir: "/workspace".into(),
        steps: vec![StepRequest {
            argv: vec!["/bin/true".into()],
            env: vec![],
            workdir: "/workspace".into(),
            stdin: vec![],
            files: vec![],
            timeout: Duration::from_secs(60),
            on_failure: Default::default(),
        }],
    }
}

fn execution(output: usize) -> Execution {
    Execution {
        clean: true,
        enforced: Enforced {
            tier: Tier::Namespaces,
            landlock_abi: 7,
        },
        steps: vec![StepExecution {
            start: Start::Exec,
            end: End::Exited(0),
            prepared_ns: 1,
            forked_ns: 2,
            running_ns: 3,
            ended_ns: 4,
            cpu_us: 900,
            peak_memory_bytes: 1 << 20,
            output: vec![b'x'; output],
            streams: None,
            output_bytes: output as u64,
            truncated: false,
        }],
        collected: vec![],
        handed_ns: 0,
        received_ns: 1,
        cleaned_ns: 5,
    }
}

#[divan::bench]
fn encode_request(bencher: Bencher) {
    let request = request();
    bencher.bench(|| encode(black_box(&request)));
}

#[divan::bench(args = [0, 1_000, 1_000_000])]
fn reply_through_the_wire(bencher: Bencher, output: usize) {
    let reply = Reply::Ended(Box::new(execution(output)));
    bencher.bench(|| {
        let encoded = encode(black_box(&reply));
        let mut assembler = Assembler::default();
        let mut packet = Vec::new();
        for (header, body) in packets(&encoded) {
            packet.clear();
            packet.extend_from_slice(&header);
            packet.extend_from_slice(body);
            if let Ok(Some(reply)) = assembler.push::<Reply>(&packet) {
                return reply;
            }
        }
        unreachable!("the last packet completes the message")
    });
}

#[divan::bench]
fn outcome_to_line(bencher: Bencher) {
    let Ok(episode) = parse(RICH, 1, 1, &context()) else {
        panic!("a valid line");
    };
    bencher
        .with_inputs(|| execution(100))
        .bench_values(|execution| {
            serde_json::to_vec(&Outcome::of(&episode, execution, 1, 0)).map(|line| line.len())
        });
}
