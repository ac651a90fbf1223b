//! Cuts messages into packets and puts them together again.

use serde::{Serialize, de::DeserializeOwned};

/// Longest packet. Well under the default send buffer of a Unix socket (212,992 bytes, socket(7)), so that a
/// packet is never refused with EMSGSIZE.
pub const PACKET_BYTES: usize = 64 * 1024;

/// Longest message: an episode's files or its collected output, with room to spare. A longer one is refused by
/// the receiver before it is held in memory.
pub const MESSAGE_BYTES: usize = 1 << 30;

const MORE: u8 = 1;
const LAST: u8 = 0;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum WireError {
    #[error("an empty or oversized packet")]
    Packet,
    #[error("a message longer than expected")]
    TooLong,
    #[error("a message that does not decode")]
    Decode,
}

/// Encodes a message for [`packets`].
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    // Only unsized sequences can fail to encode, and no message has one.
    postcard::to_stdvec(message).expect("wire messages are encodable")
}

/// The packets of an encoded message, in order; each is header byte and body.
pub fn packets(encoded: &[u8]) -> impl Iterator<Item = ([u8; 1], &[u8])> {
    let last = encoded.len().saturating_sub(1) / (PACKET_BYTES - 1);
    (0..=last).map(move |i| {
        let from = i * (PACKET_BYTES - 1);
        let to = (from + PACKET_BYTES - 1).min(encoded.len());
        ([if i == last { LAST } else { MORE }], &encoded[from..to])
    })
}

/// Collects packets until a message is whole.
pub struct Assembler {
    body: Vec<u8>,
    most: usize,
}

impl Default for Assembler {
    /// Takes messages of up to [`MESSAGE_BYTES`].
    fn default() -> Self {
        Assembler {
            body: Vec::new(),
            most: MESSAGE_BYTES,
        }
    }
}

impl Assembler {
    /// From now on a message of more than `bytes` is refused: what a peer that can't be trusted makes us hold.
    pub fn limit(&mut self, bytes: usize) {
        self.most = bytes.min(MESSAGE_BYTES);
    }

    /// Takes one packet; returns the decoded message when it was the last of one.
    pub fn push<T: DeserializeOwned>(&mut self, packet: &[u8]) -> Result<Option<T>, WireError> {
        let (header, body) = match packet.split_first() {
            Some((header, body)) if packet.len() <= PACKET_BYTES => (*header, body),
            _ => return Err(WireError::Packet),
        };
        if self.body.len() + body.len() > self.most {
            return Err(WireError::TooLong);
        }
        match header {
            // The common case needs no copy.
            LAST if self.body.is_empty() => decode(body).map(Some),
            LAST => {
                self.body.extend_from_slice(body);
                let whole = std::mem::take(&mut self.body);
                decode(&whole).map(Some)
            }
            MORE => {
                self.body.extend_from_slice(body);
                Ok(None)
            }
            _ => Err(WireError::Packet),
        }
    }
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    match postcard::take_from_bytes(bytes) {
        Ok((message, [])) => Ok(message),
        _ => Err(WireError::Decode),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn through(message: &[u8]) -> Vec<u8> {
        let encoded = postcard::to_stdvec(serde_bytes::Bytes::new(message)).unwrap();
        let mut assembler = Assembler::default();
        let mut result: Option<serde_bytes::ByteBuf> = None;
        for (header, body) in packets(&encoded) {
            assert!(result.is_none(), "a packet after the last");
            let packet = [&header[..], body].concat();
            assert!(packet.len() <= PACKET_BYTES);
            result = assembler.push(&packet).unwrap();
        }
        result.expect("a whole message").into_vec()
    }

    #[test]
    fn messages_of_every_length_around_the_packet_size_arrive_whole() {
        for length in [
            0,
            1,
            PACKET_BYTES - 5,
            PACKET_BYTES - 1,
            PACKET_BYTES,
            5 * PACKET_BYTES + 3,
        ] {
            let message: Vec<u8> = (0..length).map(|i| i as u8).collect();
            assert_eq!(through(&message), message, "length {length}");
        }
    }

    #[test]
    fn a_message_over_the_limit_is_refused_before_it_is_held() {
        let mut assembler = Assembler::default();
        assembler.limit(PACKET_BYTES);
        let packet = vec![MORE; PACKET_BYTES];
        assert_eq!(assembler.push::<u32>(&packet), Ok(None));
        assert_eq!(assembler.push::<u32>(&packet), Err(WireError::TooLong));
    }

    #[test]
    fn bytes_after_a_message_are_refused() {
        let mut encoded = encode(&7u32);
        encoded.push(0);
        let packet = [&[LAST], &encoded[..]].concat();
        assert_eq!(
            Assembler::default().push::<u32>(&packet),
            Err(WireError::Decode)
        );
    }

    proptest! {
        #[test]
        fn arbitrary_packets_never_panic(packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..8)) {
            let mut assembler = Assembler::default();
            for packet in packets {
                if assembler.push::<crate::wire::message::Request>(&packet).is_err() { break; }
            }
            let mut assembler = Assembler::default();
            let _ = assembler.push::<crate::wire::message::Reply>(&[LAST, 1, 2, 3]);
        }
    }
}
