//! Whole messages, with arbitrary content, through packets and back.

use super::failure::{Failure, Stage};
use super::message::{EpisodeRequest, FileContent, FileRequest, Reply, StepRequest};
use super::packet::{Assembler, PACKET_BYTES, WireError, encode, packets};
use crate::spec::episode::{Capture, OnFailure, OutputKeep};
use crate::spec::execution::{
    Collected, CollectedFile, DiskEvidence, End, Execution, Finish, MAX_NOTE_BYTES, NotCollected,
    Start, StepExecution, Streams, WhyNot,
};
use crate::spec::host::{HostFault, RefusedBy};
use crate::spec::limits::Limits;
use crate::spec::policy::{Enforced, Tier};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Mostly short, now and then longer than one packet.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
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

fn file() -> impl Strategy<Value = FileRequest> {
    let content = prop_oneof![
        bytes().prop_map(FileContent::Bytes),
        Just(FileContent::Directory),
        any::<String>().prop_map(FileContent::Link),
    ];
    (any::<String>(), any::<u32>(), content).prop_map(|(path, mode, content)| FileRequest {
        path,
        mode,
        content,
    })
}

fn step() -> impl Strategy<Value = StepRequest> {
    let on_failure = prop_oneof![Just(OnFailure::Stop), Just(OnFailure::Continue)];
    (
        vec(any::<String>(), 1..4),
        vec(any::<(String, String)>(), 0..3),
        any::<String>(),
        bytes(),
        vec(file(), 0..3),
        duration(),
        on_failure,
    )
        .prop_map(
            |(argv, env, workdir, stdin, files, timeout, on_failure)| StepRequest {
                argv,
                env,
                workdir,
                stdin,
                files,
                timeout,
                on_failure,
            },
        )
}

fn request() -> impl Strategy<Value = EpisodeRequest> {
    let capture = prop_oneof![Just(Capture::Merged), Just(Capture::Split)];
    let keep = [OutputKeep::Ends, OutputKeep::Head, OutputKeep::Tail];
    (
        any::<u64>(),
        limits(),
        (capture, proptest::sample::select(keep.to_vec())),
        vec(any::<String>(), 0..3),
        any::<String>(),
        1.0..100.0,
        any::<Option<u64>>(),
        vec(step(), 1..4),
    )
        .prop_map(
            |(
                handed_ns,
                limits,
                (capture, output_keep),
                collect,
                workdir,
                stretch,
                deadline_ns,
                steps,
            )| {
                EpisodeRequest {
                    handed_ns,
                    limits,
                    capture,
                    output_keep,
                    collect,
                    workdir,
                    stretch,
                    deadline_ns,
                    steps,
                }
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
        any::<(String, i32)>().prop_map(|(path, errno)| End::NotPrepared { path, errno }),
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
            clean: true,
            enforced,
            steps,
            collected,
            handed_ns: times[0],
            received_ns: times[1],
            cleaned_ns: times[2],
        })
}

fn failure() -> impl Strategy<Value = Failure> {
    let stage = prop::sample::select(vec![
        Stage::Version,
        Stage::Namespaces,
        Stage::GrantedPath,
        Stage::Landlock,
        Stage::Clean,
    ]);
    (stage, any::<i32>(), any::<u16>()).prop_map(|(stage, errno, index)| Failure {
        stage,
        errno,
        index,
    })
}

fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        enforced().prop_map(Reply::Ready),
        failure().prop_map(Reply::Refused),
        execution().prop_map(|execution| Reply::Ended(Box::new(execution))),
    ]
}

/// Cuts a message up as the sender does and puts it together as the receiver does.
fn arrive<T: Serialize + DeserializeOwned>(
    message: &T,
    assembler: &mut Assembler,
) -> Result<T, TestCaseError> {
    let encoded = encode(message);
    let mut whole = None;
    for (header, body) in packets(&encoded) {
        prop_assert!(whole.is_none(), "a packet after the last");
        let packet = [&header[..], body].concat();
        prop_assert!(packet.len() <= PACKET_BYTES);
        whole = assembler
            .push(&packet)
            .map_err(|e| TestCaseError::fail(e.to_string()))?;
    }
    whole.ok_or_else(|| TestCaseError::fail("the message never became whole"))
}

/// The one packet of a message that fits in one.
fn only_packet(encoded: &[u8]) -> Vec<u8> {
    let mut all = packets(encoded);
    let (header, body) = all.next().expect("at least one packet");
    assert!(all.next().is_none(), "more than one packet");
    [&header[..], body].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn requests_arrive_as_they_were_sent_one_after_the_other(requests in vec(request(), 1..3)) {
        let mut assembler = Assembler::default();
        for request in requests {
            prop_assert_eq!(arrive(&request, &mut assembler)?, request);
        }
    }

    #[test]
    fn replies_arrive_as_they_were_sent_one_after_the_other(replies in vec(reply(), 1..3)) {
        let mut assembler = Assembler::default();
        for reply in replies {
            prop_assert_eq!(arrive(&reply, &mut assembler)?, reply);
        }
    }

    #[test]
    fn a_message_cut_short_is_refused(request in request(), cut in any::<prop::sample::Index>()) {
        let encoded = encode(&request);
        let end = cut.index(encoded.len());
        let mut result = Ok(None);
        let mut assembler = Assembler::default();
        for (header, body) in packets(&encoded[..end]) {
            result = assembler.push::<EpisodeRequest>(&[&header[..], body].concat());
        }
        prop_assert_eq!(result, Err(WireError::Decode));
    }

    #[test]
    fn arbitrary_bytes_never_panic(packets in vec(vec(any::<u8>(), 0..300), 0..8)) {
        let (mut requests, mut replies) = (Assembler::default(), Assembler::default());
        for packet in &packets {
            let _ = requests.push::<EpisodeRequest>(packet);
            let _ = replies.push::<Reply>(packet);
        }
        // The same bytes as bodies of well-formed packets, which are decoded.
        for body in &packets {
            let last = [&[0], &body[..]].concat();
            let _ = Assembler::default().push::<EpisodeRequest>(&last);
            let _ = Assembler::default().push::<Reply>(&last);
        }
    }

    #[test]
    fn one_wrong_byte_in_a_reply_never_panics(
        failure in failure(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut packet = only_packet(&encode(&Reply::Refused(failure)));
        let at = at.index(packet.len());
        packet[at] = byte;
        let _ = Assembler::default().push::<Reply>(&packet);
    }
}

#[test]
fn an_empty_or_oversized_packet_and_an_unknown_header_are_refused() {
    for packet in [vec![], vec![0; PACKET_BYTES + 1], vec![7, 1]] {
        assert_eq!(
            Assembler::default().push::<Reply>(&packet),
            Err(WireError::Packet)
        );
    }
}

#[test]
fn a_length_that_no_memory_holds_is_refused_without_being_allocated() {
    // handed_ns, then a `collect` that claims 2^64-1 strings.
    let limits = encode(&Limits::default());
    let claim = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01u8];
    let packet = [&[0, 1][..], &limits, &[0], &claim].concat();
    assert_eq!(
        Assembler::default().push::<EpisodeRequest>(&packet),
        Err(WireError::Decode)
    );
}

type Lie = (&'static str, fn(&mut Execution));
/// What an honest slot's answer never is.
const LIES: [Lie; 9] = [
    ("no step", |e| e.steps.clear()),
    ("one step too many", |e| e.steps.push(e.steps[0].clone())),
    ("the answer to another request", |e| e.handed_ns = 6),
    ("more output than is kept", |e| {
        let more = vec![b'1'; 4 + MAX_NOTE_BYTES + 1];
        (e.steps[0].output, e.steps[0].output_bytes) = (more, 100);
    }),
    ("more kept than was produced", |e| {
        e.steps[0].output_bytes = 3
    }),
    ("streams nobody asked for", |e| {
        e.steps[0].streams = Some(Streams::default())
    }),
    ("files nobody asked for", |e| {
        e.collected.more = 1;
    }),
    ("a signal that does not exist", |e| {
        e.steps[0].end = End::Signaled(i32::MAX)
    }),
    ("a limit that ended a program well", |e| {
        e.steps[0].end = End::DiskLimit(DiskEvidence::FileSize, Finish::Exited(0))
    }),
];

#[test]
fn an_answer_that_no_honest_slot_gives_does_not_fit() {
    use super::answer::{fits, most_bytes};
    let request = EpisodeRequest {
        handed_ns: 5,
        limits: Limits {
            output_bytes: 4,
            ..Limits::default()
        },
        capture: Capture::Merged,
        output_keep: OutputKeep::Ends,
        collect: vec![],
        workdir: "/workspace".into(),
        stretch: 1.0,
        deadline_ns: None,
        steps: vec![StepRequest {
            argv: vec!["true".into()],
            env: vec![],
            workdir: "/workspace".into(),
            stdin: vec![],
            files: vec![],
            timeout: Duration::from_secs(1),
            on_failure: OnFailure::Stop,
        }],
    };
    let step = StepExecution {
        start: Start::Exec,
        end: End::Exited(0),
        prepared_ns: 0,
        forked_ns: 0,
        running_ns: 0,
        ended_ns: 0,
        cpu_us: u64::MAX,
        stalled_ns: u64::MAX,
        peak_memory_bytes: u64::MAX,
        output: b"1234".to_vec(),
        streams: None,
        output_bytes: 4,
        truncated: false,
    };
    let honest = Execution {
        enforced: Enforced {
            tier: Tier::Namespaces,
            landlock_abi: 7,
        },
        clean: true,
        steps: vec![step.clone()],
        collected: Collected::default(),
        handed_ns: 5,
        received_ns: 0,
        cleaned_ns: 0,
    };
    assert!(fits(&request, &honest));
    let mut noted = honest.clone();
    let most = vec![b'1'; 4 + MAX_NOTE_BYTES];
    (noted.steps[0].output, noted.steps[0].output_bytes) = (most, 5);
    assert!(fits(&request, &noted));
    let without_note = EpisodeRequest {
        output_keep: OutputKeep::Head,
        ..request.clone()
    };
    assert!(!fits(&without_note, &noted));
    assert!(encode(&Reply::Ended(Box::new(honest.clone()))).len() <= most_bytes(&request));
    assert!(most_bytes(&request) < 1 << 20);

    for (lie, tell) in LIES {
        let mut told = honest.clone();
        tell(&mut told);
        assert!(!fits(&request, &told), "{lie}");
    }
}
