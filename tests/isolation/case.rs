//! One attack: denied in every way of running, and successful outside for control.

use crate::common::{Way, built};
use crate::episodes::{outside, run_all, with};
use serde_json::{Value, json};

/// Where the same attack has to succeed, so that a denial means something.
pub enum Control {
    /// Outside, as root. Skipped where the tests themselves don't run as root.
    Root,
    /// Outside, as an ordinary user.
    User,
    /// Outside, unless this error says that the kernel was built without it.
    RootUnless(&'static str),
    UserUnless(&'static str),
    /// Nowhere, for this reason.
    Impossible(&'static str),
}

/// The probe program denied in all four ways, and reaching its target in the control.
#[track_caller]
pub fn assert_blocked(probe: &[&str], control: Control) {
    for way in Way::all() {
        let answer = inside(way, probe);
        assert!(
            answer.starts_with("denied "),
            "{way:?}: {probe:?} {answer:?}"
        );
    }
    assert_control(probe, control);
}

/// What the sandbox itself answers. Any other error would come from something that is missing in there, or from a
/// kernel that was about to do it.
const REFUSALS: [&str; 4] = [
    "denied EPERM",
    "denied EACCES",
    "denied ENOSYS",
    "denied SIGSYS",
];

/// The same, where the refusal has to be the sandbox's own.
#[track_caller]
pub fn assert_refused(probe: &[&str], control: Control) {
    for way in Way::all() {
        let answer = inside(way, probe);
        assert!(
            REFUSALS.contains(&answer.as_str()),
            "{way:?}: {probe:?} {answer:?}"
        );
    }
    assert_control(probe, control);
}

/// The control alone, for attacks whose answer inside has to be looked at more closely.
#[track_caller]
pub fn assert_control(probe: &[&str], control: Control) {
    let (uid, lacking) = match control {
        Control::Root => (0, None),
        Control::RootUnless(lacking) => (0, Some(lacking)),
        Control::User => (crate::common::NOBODY, None),
        Control::UserUnless(lacking) => (crate::common::NOBODY, Some(lacking)),
        Control::Impossible(reason) => {
            assert!(!reason.is_empty());
            return;
        }
    };
    if uid == 0 && !nix::unistd::geteuid().is_root() {
        return;
    }
    let program = built("examples/probe");
    let argv: Vec<&str> = std::iter::once(program.to_str().expect("UTF-8"))
        .chain(probe.iter().copied())
        .collect();
    let answer = outside(uid, &argv);
    if lacking.is_some_and(|errno| answer.trim_end() == format!("denied {errno}")) {
        eprintln!("no control: this kernel answers {probe:?} with {answer}");
        return;
    }
    assert!(
        answer.starts_with("reached "),
        "the control of {probe:?} fails: {answer:?}"
    );
}

/// What the probe program prints in a sandbox.
#[track_caller]
pub fn inside(way: Way, probe: &[&str]) -> String {
    inside_with(way, probe, &json!({}), &[])
}

/// The same, in an episode with further fields, and with further paths that it may name. The probe runs twice: by itself,
/// and in the place of a fork of the warm bash, which has restricted itself; the answer has to be the same.
#[track_caller]
pub fn inside_with(way: Way, probe: &[&str], fields: &Value, allowed: &[&str]) -> String {
    let argv: Vec<&str> = std::iter::once("./probe")
        .chain(probe.iter().copied())
        .collect();
    let quoted = argv.iter().map(|word| format!("'{word}'"));
    let command = format!("exec {}", quoted.collect::<Vec<_>>().join(" "));
    let program = built("examples/probe");
    let files = json!({"probe": {"host_path": program, "mode": "0755"}});
    let cold = json!({"id": "cold", "argv": argv, "files": files});
    let warm = json!({"id": "warm", "command": command, "files": files});
    let directory = program.parent().expect("a directory");
    let directory = directory.to_str().expect("UTF-8");
    let mut arguments = vec!["--allow-path", directory];
    for path in allowed {
        arguments.extend(["--allow-path", path]);
    }
    // One after the other: some attacks are on what both would share.
    arguments.extend(["--concurrency", "1"]);
    let both = [cold, warm].map(|episode| with(episode, fields.clone()));
    let run = run_all(way, &both, &arguments);
    for id in ["cold", "warm"] {
        let result = run.get(id);
        assert_eq!(result["status"], "ok", "{way:?}: {result}");
    }
    // A grant for writing is what a warm interpreter's ruleset can't have.
    let expected = match fields["fs_writable"].is_null() {
        true => "warm-bash",
        false => "exec",
    };
    assert_eq!(run.get("warm")["start"], expected, "{way:?}: {probe:?}");
    let [cold, warm] = ["cold", "warm"].map(|id| run.output(id).trim_end());
    // What a probe reached it may describe, and that may differ.
    assert!(
        cold == warm
            || [cold, warm]
                .iter()
                .all(|answer| answer.starts_with("reached ")),
        "{way:?}: {probe:?} {cold:?}, but warm {warm:?}"
    );
    cold.to_owned()
}

/// Names tests for probes that need no more than their arguments.
macro_rules! blocked {
    ($($(#[$about:meta])* $name:ident: [$($probe:expr),+], $control:expr;)+) => {$(
        $(#[$about])*
        #[test]
        fn $name() {
            $crate::case::assert_blocked(&[$($probe),+], $control);
        }
    )+};
}

/// The same for attacks that the sandbox itself has to refuse.
macro_rules! refused {
    ($($(#[$about:meta])* $name:ident: [$($probe:expr),+], $control:expr;)+) => {$(
        $(#[$about])*
        #[test]
        fn $name() {
            $crate::case::assert_refused(&[$($probe),+], $control);
        }
    )+};
}
pub(crate) use {blocked, refused};
