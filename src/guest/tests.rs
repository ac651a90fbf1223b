//! What the runner's side encodes by serde is read here by hand, and the other way round.

use super::launch::{Enter, Exit, Greeting, Launch, News};
use crate::wire::message;
use crate::wire::packet::encode;
use proptest::prelude::*;
use std::ffi::CString;

/// Text that C can hold.
fn text() -> impl Strategy<Value = String> {
    "[^\0]{0,40}"
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(text(), 0..4)
}

fn c_texts(texts: &[String]) -> Vec<CString> {
    let texts = texts.iter().map(|text| CString::new(text.as_str()));
    texts.collect::<Result<_, _>>().expect("no NUL")
}

fn decoded<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> T {
    postcard::from_bytes(bytes).expect("the runner reads it")
}

proptest! {
    #[test]
    fn a_launch_arrives_as_it_was_sent(argv in texts(), env in texts(), workdir in text(), rlimits in any::<[(u32, u64); 2]>()) {
        let sent = message::Launch {
            argv: argv.clone(),
            env: env.clone(),
            workdir: workdir.clone(),
            rlimits: rlimits.map(|(resource, value)| message::Rlimit { resource, value }).to_vec(),
            terminal: false,
        };
        let launch = Launch::decode(&encode(&sent)).expect("it is read");
        prop_assert_eq!(launch.argv, c_texts(&argv));
        prop_assert_eq!(launch.env, c_texts(&env));
        prop_assert_eq!(launch.workdir.to_str(), Ok(workdir.as_str()));
        prop_assert_eq!(launch.rlimits, rlimits.to_vec());
    }

    #[test]
    fn what_a_copy_is_to_become_arrives(numbers in any::<[u32; 4]>(), flags in any::<[bool; 3]>(), filter: Vec<u8>, env in texts()) {
        let [slot, uid, gid, end_delay_ms] = numbers;
        let [change, reaps, real_time] = flags;
        let sent = message::WarmEnter {
            slot, change, uid, gid, reaps, real_time, end_delay_ms,
            filter: serde_bytes::ByteBuf::from(filter.clone()),
            env: env.clone(),
        };
        let enter = Enter::decode(&encode(&sent)).expect("it is read");
        prop_assert_eq!([enter.slot, enter.uid, enter.gid, enter.end_delay_ms], numbers);
        prop_assert_eq!([enter.change, enter.reaps, enter.real_time], flags);
        prop_assert_eq!(enter.filter, filter);
        prop_assert_eq!(enter.env, c_texts(&env));
    }

    #[test]
    fn an_end_arrives(fields in any::<[u64; 7]>()) {
        let [kind, value, forked_ns, running_ns, ended_ns, cpu_us, max_rss_bytes] = fields;
        let exit = Exit { kind, value, forked_ns, running_ns, ended_ns, cpu_us, max_rss_bytes };
        let read: message::WarmExit = decoded(&exit.encode());
        let expected = message::WarmExit { kind, value, forked_ns, running_ns, ended_ns, cpu_us, max_rss_bytes };
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn a_greeting_and_news_arrive(ids in any::<[u64; 3]>(), loaded in texts(), looked_up in texts(), kind: u64, module in text(), detail in text()) {
        let [pid, device, inode] = ids;
        let greeting = Greeting { pid, device, inode, loaded: loaded.clone(), looked_up: looked_up.clone() };
        let read: message::WarmGreeting = decoded(&greeting.encode());
        prop_assert_eq!(read, message::WarmGreeting { pid, device, inode, loaded, looked_up });
        let news = News::new(kind, &module, &detail).encode();
        let read: message::WarmNews = decoded(&news);
        prop_assert_eq!(read, message::WarmNews { kind, module, detail });
    }

    #[test]
    fn bytes_that_are_no_message_are_refused_and_nothing_else_happens(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = Launch::decode(&bytes);
        let _ = Enter::decode(&bytes);
    }
}
