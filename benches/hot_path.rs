//! The pieces of the hot path, one by one: what a line costs to read, a message to send, a slot to lease, an episode to
//! run. A change that makes one slower shows here before a user sees it:
//!
//! ```text
//! cargo bench --bench hot_path -- --save-baseline before      on the old state
//! cargo bench --bench hot_path -- --baseline before           on the new one
//! ```

mod common;

use common::answer::execution;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use runner::pool::{Pool, PoolSettings, PythonSettings};
use runner::spec::episode::Episode;
use runner::spec::limits::Limits;
use runner::spec::outcome::Outcome;
use runner::spec::parse::{Defaults, FileContext, parse};
use runner::spec::policy::{Grants, Tier};
use runner::spec::sandbox::Sandbox;
use runner::spec::step::{Program, Step};
use runner::spec::warm::PerSlot;
use runner::spec::warm::Start;
use runner::wire::message::{EpisodeRequest, PreloadedPython, Reply};
use runner::wire::packet::{Assembler, encode, packets};
use std::borrow::Cow;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::task::LocalSet;

const SMALL: &[u8] = br#"{"id":"e1","argv":["/bin/true"]}"#;
const RICH: &[u8] = br#"{"id":"HumanEval/0","argv":["python3","solution.py"],"files":{"solution.py":"def f(x):\n    return x + 1\n\nassert f(1) == 2\n"},"timeout_s":10,"resources":{"memory_mb":256,"processes":16},"env":{"SEED":"7"},"group":"HumanEval/0","meta":{"task_id":"HumanEval/0","variant":"canonical"}}"#;
const PYTHON: &str = "/usr/bin/python3";

fn main() {
    // Slots are started by executing this very program again.
    let side = std::env::args().nth(1).unwrap_or_default();
    match side.as_str() {
        runner::pool::SLOT_SIDE => runner::slot::main(),
        runner::pool::PARENT_SIDE => runner::slot::parent_main(),
        _ => {}
    }
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    lines(&mut criterion);
    messages(&mut criterion);
    slots(&mut criterion);
    criterion.final_summary();
}

fn context() -> FileContext {
    FileContext::new(
        "bench.jsonl".into(),
        Path::new("."),
        Arc::new(Defaults::default()),
    )
}

fn episode(line: &[u8]) -> Episode {
    parse(line, 1, 1, &context()).unwrap_or_else(|invalid| panic!("{invalid}"))
}

/// A line in, a line out.
fn lines(criterion: &mut Criterion) {
    let context = context();
    for (name, line) in [("small", SMALL), ("rich", RICH)] {
        criterion.bench_function(&format!("parse/{name}"), |b| {
            b.iter(|| parse(black_box(line), 1, 1, &context).is_ok())
        });
    }
    let episode = episode(RICH);
    criterion.bench_function("outcome to line", |b| {
        b.iter_batched(
            || execution(100),
            |execution| serde_json::to_vec(&Outcome::of(&episode, execution, Vec::new(), 0)),
            BatchSize::SmallInput,
        )
    });
}

/// Requests and replies, as they go through the wire.
fn messages(criterion: &mut Criterion) {
    let request = request();
    criterion.bench_function("encode request", |b| b.iter(|| encode(black_box(&request))));
    let mut group = criterion.benchmark_group("reply through the wire");
    for output in [0, 1_000, 1_000_000] {
        let reply = Reply::Ended(Box::new(execution(output)));
        group.throughput(Throughput::Bytes(output as u64 + 1));
        group.bench_with_input(BenchmarkId::from_parameter(output), &reply, |b, reply| {
            b.iter(|| through(reply))
        });
    }
}

fn through(reply: &Reply) -> Reply {
    let encoded = encode(black_box(reply));
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
}

/// A real pool of one slot: leasing it, and one episode after the other through it, each from its request to the proof
/// that the sandbox is clean again.
fn slots(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let local = LocalSet::new();
    let pool = match local.block_on(&runtime, Pool::start(settings())) {
        Ok((pool, _)) => pool,
        Err(error) => return eprintln!("no slots can be had here, so none are measured: {error}"),
    };
    let grants = Arc::new(Grants::default());
    criterion.bench_function("lease and return", |b| {
        b.iter(|| {
            local.block_on(&runtime, async {
                pool.lease(&grants, false).await.map(|l| l.end())
            })
        })
    });
    let episodes = [
        ("cold", Start::Exec, br#"{"argv":["/bin/true"]}"#.as_slice()),
        ("warm bash", Start::WarmBash, br#"{"command":"true"}"#),
        (
            "warm python",
            Start::WarmPython,
            br#"{"argv":["python3","-c","pass"]}"#,
        ),
    ];
    for (name, start, line) in episodes {
        let episode = episode(line);
        // A warm interpreter takes a moment to come.
        let comes = (0..200).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            round_trip(&runtime, &local, &pool, &episode) == start
        });
        if !comes {
            eprintln!("{name}: can't be had here, so it is not measured");
            continue;
        }
        criterion.bench_function(&format!("episode/{name}"), |b| {
            b.iter(|| round_trip(&runtime, &local, &pool, &episode))
        });
    }
    local.block_on(&runtime, pool.shut_down());
}

fn round_trip(runtime: &Runtime, local: &LocalSet, pool: &Pool, episode: &Episode) -> Start {
    let execution = local.block_on(runtime, pool.run(episode, None));
    execution.expect("an episode that runs").steps[0].start
}

fn settings() -> PoolSettings {
    let python = PythonSettings {
        python: PreloadedPython {
            path: PYTHON.into(),
            modules: Vec::new(),
        },
        named: false,
    };
    PoolSettings {
        size: 1,
        spare: 1,
        tier: Tier::Namespaces,
        open_root: false,
        grants: Arc::default(),
        processes: Limits::default().processes,
        warm: vec![PerSlot::Bash],
        pythons: Path::new(PYTHON)
            .exists()
            .then_some(python)
            .into_iter()
            .collect(),
        warm_episodes: u32::MAX,
    }
}

fn request() -> EpisodeRequest<'static> {
    let program = Program::Argv(vec!["/bin/true".into()]);
    let steps = vec![Step::new(program, Duration::from_secs(60))];
    EpisodeRequest {
        handed_ns: 1,
        deadline_ns: None,
        sandbox: Cow::Owned(Sandbox::default()),
        steps: Cow::Owned(steps),
        collect: Cow::Owned(Vec::new()),
        attached: None,
    }
}
