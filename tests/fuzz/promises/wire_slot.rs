//! Any packets to a slot: from the runner to init, from init to the zygote, and back from the zygote.

use runner::wire::failure::Failure;
use runner::wire::message::{EpisodeRequest, Exit, Launch, Request, Setup};
use runner::wire::packet::{Assembler, PACKET_BYTES, WireError, encode, packets};
use serde::{Serialize, de::DeserializeOwned};

/// The first byte chooses the message; what follows is packets, each after its length in two bytes.
pub fn check(data: &[u8]) {
    let Some((&kind, stream)) = data.split_first() else {
        return;
    };
    match kind % 6 {
        0 => receive::<Setup>(stream, usize::MAX),
        1 => receive::<EpisodeRequest>(stream, usize::MAX),
        2 => receive::<Launch>(stream, usize::MAX),
        // What init takes from a zygote, which an episode may have got hold of.
        3 => receive::<Exit>(stream, PACKET_BYTES),
        4 => receive::<Result<u32, Failure>>(stream, PACKET_BYTES),
        _ => receive::<Request>(stream, usize::MAX),
    }
}

fn receive<T: Serialize + DeserializeOwned>(mut stream: &[u8], most: usize) {
    let mut assembler = Assembler::default();
    assembler.limit(most);
    while let Some((length, rest)) = stream.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (packet, rest) = rest.split_at(length);
        stream = rest;
        match assembler.push::<T>(packet) {
            Ok(Some(message)) => returns(&message),
            Ok(None) => {}
            // The link is broken: nothing more is read from it.
            Err(WireError::Packet | WireError::TooLong | WireError::Decode) => return,
        }
    }
}

/// What was decoded arrives the same when it is sent on: as bytes, for a number may be NaN.
fn returns<T: Serialize + DeserializeOwned>(message: &T) {
    let encoded = encode(message);
    let mut assembler = Assembler::default();
    let mut arrived = None;
    for (header, body) in packets(&encoded) {
        let packet = [&header[..], body].concat();
        arrived = assembler.push::<T>(&packet).expect("our own packets");
    }
    assert_eq!(arrived.map(|arrived| encode(&arrived)), Some(encoded));
}
