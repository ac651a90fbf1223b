//! What the ledger takes from the tables is tried in an episode: what is refused there is refused, and what is granted
//! is granted.

use super::{Fault, needs};
use crate::common::Way;
use crate::episodes::{RAW_CALLS, output_of, python};
use runner::sandbox::syscalls::Setting;
use runner::spec::policy::{Network, Tier};
use std::collections::BTreeSet;

/// Python: each line of its output is what became of one attempt.
const ATTEMPTS: &str = include_str!("../programs/attempts.py");

/// Attempts at a need that do no harm when they succeed.
fn attempts(need: &str, met: bool) -> Vec<String> {
    let (word, rest) = need.split_once(' ').unwrap_or((need, ""));
    match word {
        "socket" | "socketpair" => {
            let (_, known) = needs::calls(need).remove(0);
            let [family, kind, protocol] = arguments(&known, [0, libc::SOCK_STREAM as u32, 0]);
            vec![format!("socket.{word}, {family}, {kind}, {protocol}")]
        }
        // What is granted has no harmless form that any arguments will do for.
        "call" | "setsockopt" | "ioctl" if !met => {
            let calls = needs::calls(need).into_iter();
            let raw = |(number, known): (i64, needs::Known)| {
                let arguments = arguments(&known, [0; 6]).map(|a| a.to_string());
                format!("raw, {number}, {}", arguments.join(", "))
            };
            calls.map(raw).collect()
        }
        "read" => vec![format!("os.open, '{rest}', os.O_RDONLY")],
        "write" => vec![format!("os.open, '{rest}', os.O_WRONLY")],
        "capability" => vec![
            "capabilities".into(),
            format!("raw, {}, {}", libc::SYS_unshare, libc::CLONE_NEWUSER),
        ],
        "inheritable-capabilities" => vec!["capabilities".into()],
        "set-user-id" => vec!["gain".into()],
        "inherited-descriptor" => vec!["descriptors".into()],
        _ => Vec::new(),
    }
}

/// Those that are known, and these for the rest.
fn arguments<const N: usize>(known: &needs::Known, mut arguments: [u32; N]) -> [u32; N] {
    for (index, value) in known {
        arguments[usize::from(*index)] = *value;
    }
    arguments
}

/// What says that something is not there, or must not be used.
const REFUSALS: [&str; 5] = ["EPERM", "EACCES", "ENOSYS", "ENOENT", "EROFS"];

/// What the tables answer with an error that the kernel could have of its own.
const ANSWERED: (&str, &str) = ("call splice/sendfile", "EINVAL");

#[test]
fn what_the_tables_say_holds_inside_of_an_episode() {
    let faults = Fault::all();
    let needs: BTreeSet<&str> = faults.iter().flat_map(|f| needs::all(f.takes)).collect();
    for way in Way::all() {
        let setting = Setting {
            tier: if way.namespaces() {
                Tier::Namespaces
            } else {
                Tier::Landlock
            },
            own_uid: way.root,
            network: Network::None,
        };
        let mut tried = Vec::new();
        for need in &needs {
            let met = needs::met(need, setting);
            let attempts = attempts(need, met).into_iter();
            tried.extend(attempts.map(|attempt| (*need, attempt, met)));
        }
        assert!(tried.len() > 20, "{tried:?}");
        let lines: String = tried
            .iter()
            .map(|(_, attempt, _)| format!("attempt({attempt})\n"))
            .collect();
        let code = format!("{RAW_CALLS}{ATTEMPTS}{lines}");
        let output = output_of(way, &python("e", &code));
        assert_eq!(output.lines().count(), tried.len(), "{way:?}: {output}");
        for (answer, (need, attempt, met)) in output.lines().zip(tried) {
            let refused = REFUSALS.contains(&answer) || (need, answer) == ANSWERED;
            assert!(
                refused != met && (refused || answer == "reached"),
                "{way:?}: {need}, as {attempt}: {answer}"
            );
        }
    }
}
