//! Arbitrary messages.

use crate::spec::execution::{
    Collected, CollectedFile, DiskEvidence, End, Execution, Finish, NotCollected, NotPrepared,
    StepExecution, Streams, WhyNot,
};
use crate::spec::host_fault::{HostFault, RefusedBy};
use crate::spec::limits::Limits;
use crate::spec::policy::{Enforced, Tier};
use crate::spec::sandbox::{Capture, OutputKeep, Sandbox};
use crate::spec::step::{Content, InputFile, OnFailure, Program, Step};
use crate::spec::warm::Start;
use crate::wire::failure::{Failure, Stage};
use crate::wire::message::{Attached, EpisodeRequest, Reply};
use crate::wire::packet::PACKET_BYTES;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use std::borrow::Cow;
use std::time::Duration;

/// Mostly short, now and then longer than one packet.
pub(super) fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => vec(any::<u8>(), 0..40),
        1 => (PACKET_BYTES - 20..2 * PACKET_BYTES + 20, any::<u8>())
            .prop_map(|(length, first)| (0..length).map(|i| first.wrapping_add(i as u8)).collect()),
    ]
}

fn duration() -> impl Strategy<Value = Duration> {
    (any::<u64>(), 0..1_000_000_000u32).prop_map(|(s, ns)| Duration::new(s, ns))
}

fn limits() -> impl Strategy<Value = Limits> {
    let numbers = any::<(u64, u32, u64, u32, u64)>();
    (numbers, option::of(duration()), option::of(any::<u64>())).prop_map(
        |(numbers, cpu_time, stack_bytes)| {
            let (memory_bytes, processes, disk_bytes, open_files, output_bytes) = numbers;
            Limits {
                memory_bytes,
                cpu_time,
                processes,
                disk_bytes,
                open_files,
                output_bytes,
                stack_bytes,
            }
        },
    )
}

fn file() -> impl Strategy<Value = InputFile> {
    let content = prop_oneof![
        bytes().prop_map(|bytes| Content::Bytes(bytes.into())),
        Just(Content::Directory),
        any::<String>().prop_map(Content::Link),
    ];
    (any::<String>(), any::<Option<u32>>(), content).prop_map(|(path, mode, content)| InputFile {
        path,
        mode,
        content,
    })
}

fn program() -> impl Strategy<Value = Program> {
    prop_oneof![
        any::<String>().prop_map(Program::Command),
        vec(any::<String>(), 1..4).prop_map(Program::Argv),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let on_failure = prop_oneof![Just(OnFailure::Stop), Just(OnFailure::Continue)];
    (
        program(),
        btree_map(any::<String>(), any::<String>(), 0..3),
        any::<(Option<String>, String)>(),
        bytes(),
        vec(file(), 0..3),
        duration(),
        on_failure,
    )
        .prop_map(
            |(program, env, (name, workdir), stdin, files, timeout, on_failure)| Step {
                name,
                env,
                workdir,
                stdin: stdin.into(),
                files,
                on_failure,
                ..Step::new(program, timeout)
            },
        )
}

fn sandbox() -> impl Strategy<Value = Sandbox> {
    let capture = prop_oneof![Just(Capture::Merged), Just(Capture::Split)];
    let keep = [OutputKeep::Ends, OutputKeep::Head, OutputKeep::Tail];
    let keep = proptest::sample::select(keep.to_vec());
    (limits(), 1.0..100.0, capture, keep, any::<String>()).prop_map(
        |(limits, stretch, capture, output_keep, workdir)| Sandbox {
            limits,
            stretch,
            capture,
            output_keep,
            workdir,
            ..Sandbox::default()
        },
    )
}

pub(super) fn request() -> impl Strategy<Value = EpisodeRequest<'static>> {
    (
        any::<u64>(),
        any::<(Option<u64>, Option<(u16, u16)>)>(),
        sandbox(),
        vec(step(), 1..4),
        vec(any::<String>(), 0..3),
    )
        .prop_map(
            |(handed_ns, (deadline_ns, terminal), sandbox, steps, collect)| EpisodeRequest {
                handed_ns,
                deadline_ns,
                sandbox: Cow::Owned(sandbox),
                steps: Cow::Owned(steps),
                collect: Cow::Owned(collect),
                attached: terminal.map(|(rows, columns)| Attached::Terminal { rows, columns }),
            },
        )
}

fn end() -> impl Strategy<Value = End> {
    let disk = prop_oneof![
        any::<u64>().prop_map(DiskEvidence::Bytes),
        any::<u64>().prop_map(DiskEvidence::Inodes),
        Just(DiskEvidence::FileSize),
        any::<u64>().prop_map(DiskEvidence::Hidden),
        Just(DiskEvidence::Uncounted),
    ];
    prop_oneof![
        any::<i32>().prop_map(End::Exited),
        any::<i32>().prop_map(End::Signaled),
        Just(End::Timeout),
        any::<u64>().prop_map(|used_us| End::CpuLimit { used_us }),
        any::<u64>().prop_map(|used_bytes| End::MemoryLimit { used_bytes }),
        (disk, any::<i32>()).prop_map(|(disk, code)| End::DiskLimit(disk, Finish::Exited(code))),
        any::<u64>().prop_map(|produced_bytes| End::OutputLimit { produced_bytes }),
        any::<i32>().prop_map(|errno| End::NotExecutable { errno }),
        any::<(String, i32)>()
            .prop_map(|(path, errno)| End::NotPrepared(NotPrepared { path, errno })),
        any::<i32>().prop_map(|code| End::Host(
            HostFault::NoProcesses(RefusedBy::Cgroup),
            Finish::Exited(code)
        )),
    ]
}

fn execution_of_a_step() -> impl Strategy<Value = StepExecution> {
    let start = prop_oneof![
        Just(Start::Exec),
        Just(Start::WarmBash),
        Just(Start::WarmPython)
    ];
    let streams = (bytes(), bytes()).prop_map(|(stdout, stderr)| Streams { stdout, stderr });
    (
        start,
        end(),
        any::<[u64; 8]>(),
        bytes(),
        option::of(streams),
        any::<bool>(),
    )
        .prop_map(
            |(start, end, numbers, output, streams, truncated)| StepExecution {
                start,
                end,
                prepared_ns: numbers[0],
                forked_ns: numbers[1],
                running_ns: numbers[2],
                ended_ns: numbers[3],
                cpu_us: numbers[4],
                stalled_ns: numbers[7],
                peak_memory_bytes: numbers[5],
                output,
                streams,
                output_bytes: numbers[6],
                truncated,
            },
        )
}

fn enforced() -> impl Strategy<Value = Enforced> {
    let tier = prop_oneof![Just(Tier::Namespaces), Just(Tier::Landlock)];
    (tier, any::<u32>()).prop_map(|(tier, landlock_abi)| Enforced { tier, landlock_abi })
}

fn execution() -> impl Strategy<Value = Execution> {
    let file = (any::<String>(), bytes());
    let files = vec(
        file.prop_map(|(path, content)| CollectedFile { path, content }),
        0..3,
    );
    let why = prop_oneof![
        Just(WhyNot::Missing),
        Just(WhyNot::Late),
        any::<u64>().prop_map(WhyNot::OverCap),
        any::<(String, i32)>().prop_map(|(target, errno)| WhyNot::LinkBroken(target, errno)),
    ];
    let not = (any::<String>(), why).prop_map(|(path, why)| NotCollected { path, why });
    let collected = (files, vec(not, 0..3), any::<u64>(), any::<bool>());
    let collected = collected.prop_map(|(files, not, more, unsearched)| Collected {
        files,
        not,
        more,
        unsearched,
    });
    (
        enforced(),
        vec(execution_of_a_step(), 1..4),
        collected,
        any::<[u64; 3]>(),
    )
        .prop_map(|(enforced, steps, collected, times)| Execution {
            unclean: None,
            enforced,
            steps,
            collected,
            handed_ns: times[0],
            received_ns: times[1],
            cleaned_ns: times[2],
        })
}

pub(super) fn failure() -> impl Strategy<Value = Failure> {
    let stage = prop::sample::select(vec![
        Stage::Namespaces,
        Stage::GrantedPath,
        Stage::Fork,
        Stage::Workdir,
        Stage::Order,
        Stage::Abandoned,
        Stage::Landlock,
        Stage::Clean,
    ]);
    (stage, any::<i32>(), any::<Option<String>>()).prop_map(|(stage, errno, call)| Failure {
        stage,
        errno,
        call,
    })
}

pub(super) fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        enforced().prop_map(Reply::Ready),
        failure().prop_map(Reply::Refused),
        execution().prop_map(|execution| Reply::Ended(Box::new(execution))),
    ]
}
