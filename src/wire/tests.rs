//! Whole messages, with arbitrary content, through packets and back.

mod arbitrary;

use super::answer::Expected;
use super::message::{EpisodeRequest, Reply};
use super::packet::{Assembler, PACKET_BYTES, WireError, encode, packets};
use crate::spec::execution::{
    Collected, DiskEvidence, End, Execution, Finish, MAX_NOTE_BYTES, StepExecution, Streams,
};
use crate::spec::limits::Limits;
use crate::spec::policy::{Enforced, Tier};
use crate::spec::sandbox::{OutputKeep, Sandbox};
use crate::spec::warm::Start;
use arbitrary::{failure, reply, request};
use proptest::collection::vec;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

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
    let mut sandbox = Sandbox::default();
    sandbox.limits.output_bytes = 4;
    let expected = Expected::of_step(5, &sandbox);
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
        unclean: None,
        steps: vec![step.clone()],
        collected: Collected::default(),
        handed_ns: 5,
        received_ns: 0,
        cleaned_ns: 0,
    };
    assert!(expected.fits(&honest));
    let mut noted = honest.clone();
    let most = vec![b'1'; 4 + MAX_NOTE_BYTES];
    (noted.steps[0].output, noted.steps[0].output_bytes) = (most, 5);
    assert!(expected.fits(&noted));
    sandbox.output_keep = OutputKeep::Head;
    assert!(!Expected::of_step(5, &sandbox).fits(&noted));
    assert!(encode(&Reply::Ended(Box::new(honest.clone()))).len() <= expected.most_bytes());
    assert!(expected.most_bytes() < 1 << 20);

    for (lie, tell) in LIES {
        let mut told = honest.clone();
        tell(&mut told);
        assert!(!expected.fits(&told), "{lie}");
    }
}
