//! One attack: denied in every way of running, and successful outside for control.

use crate::batch::Batch;
use crate::common::{Run, Way, probe_program};
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
        assert!(is_denied(&answer), "{way:?}: {probe:?} {answer:?}");
    }
    assert_control(probe, control);
}

fn is_denied(answer: &str) -> bool {
    answer.starts_with("denied ")
}

/// Whether this is what the sandbox itself answers. Any other error would come from something that is missing in there, or
/// from a kernel that was about to do it.
fn is_refused(answer: &str) -> bool {
    let refusals = ["EPERM", "EACCES", "ENOSYS", "SIGSYS"];
    answer
        .strip_prefix("denied ")
        .is_some_and(|error| refusals.contains(&error))
}

/// Probes that need no more than their arguments.
impl Batch<Run> {
    /// Denied in all four ways, and reaching its target in the control.
    #[track_caller]
    pub fn assert_blocked(&self, probe: &[&str], control: Control) {
        self.assert_all(probe, is_denied);
        assert_control(probe, control);
    }

    /// The same, where the refusal has to be the sandbox's own.
    #[track_caller]
    pub fn assert_refused(&self, probe: &[&str], control: Control) {
        self.assert_all(probe, is_refused);
        assert_control(probe, control);
    }

    #[track_caller]
    fn assert_all(&self, probe: &[&str], is_right: fn(&str) -> bool) {
        for way in Way::all() {
            let answer = self.answer(way, probe);
            assert!(is_right(&answer), "{way:?}: {probe:?} {answer:?}");
        }
    }

    /// What one of them prints in a sandbox.
    #[track_caller]
    pub fn answer(&self, way: Way, probe: &[&str]) -> String {
        let (number, runs) = self.runs(probe, |way, probes| {
            let attacks = probes.iter().map(|probe| Attack::new(probe));
            run_attacks(way, &attacks.collect::<Vec<_>>(), &[])
        });
        let (_, run) = (runs.iter().find(|(other, _)| *other == way)).expect("it is one of all");
        answer(way, run, number)
    }
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
    let program = probe_program();
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

/// The same, in an episode with further fields, and with further paths that it may name.
#[track_caller]
pub fn inside_with(way: Way, probe: &[&str], fields: &Value, allowed: &[&str]) -> String {
    let attack = Attack {
        fields: fields.clone(),
        ..Attack::new(probe)
    };
    answer(way, &run_attacks(way, &[attack], allowed), 0)
}

/// A probe, and further fields of its episode.
pub struct Attack {
    pub words: Vec<String>,
    pub fields: Value,
}

impl Attack {
    pub fn new(probe: &[&str]) -> Attack {
        Attack {
            words: probe.iter().map(|word| (*word).to_owned()).collect(),
            fields: json!({}),
        }
    }
}

/// Runs probes one after the other, because some attacks are on what those beside each other would share. Each runs twice:
/// by itself, and in the place of a fork of the warm bash, which has restricted itself.
pub fn run_attacks(way: Way, attacks: &[Attack], allowed: &[&str]) -> Run {
    let program = probe_program();
    let files = json!({"probe": {"host_path": program, "mode": "0755"}});
    let both = attacks.iter().enumerate().flat_map(|(number, attack)| {
        let words = std::iter::once("./probe").chain(attack.words.iter().map(String::as_str));
        let words: Vec<&str> = words.collect();
        let quoted = words.iter().map(|word| format!("'{word}'"));
        let command = format!("exec {}", quoted.collect::<Vec<_>>().join(" "));
        let cold = json!({"id": format!("cold {number}"), "argv": words, "files": files});
        let warm = json!({"id": format!("warm {number}"), "command": command, "files": files});
        [cold, warm].map(|episode| with(episode, attack.fields.clone()))
    });
    let directory = program.parent().expect("a directory");
    let directory = directory.to_str().expect("UTF-8");
    let mut arguments = vec!["--concurrency", "1", "--allow-path", directory];
    for path in allowed {
        arguments.extend(["--allow-path", path]);
    }
    run_all(way, &both.collect::<Vec<Value>>(), &arguments)
}

/// What one of those probes has printed; by itself and in the place of the warm bash it has to be the same.
#[track_caller]
pub fn answer(way: Way, run: &Run, number: usize) -> String {
    let [cold, warm] = ["cold", "warm"].map(|how| {
        let result = run.get(&format!("{how} {number}"));
        assert_eq!(result["status"], "ok", "{way:?}: {result}");
        result
    });
    assert_eq!(warm["start"], "warm-bash", "{way:?}: {warm}");
    let [cold, warm] = [cold, warm].map(|result| result["output"].as_str().expect("text"));
    let [cold, warm] = [cold.trim_end(), warm.trim_end()];
    // What a probe reached it may describe, and that may differ.
    assert!(
        cold == warm
            || [cold, warm]
                .iter()
                .all(|answer| answer.starts_with("reached ")),
        "{way:?}: number {number}: {cold:?}, but warm {warm:?}"
    );
    cold.to_owned()
}

/// Names tests for probes that need no more than their arguments, and how their answers are checked.
macro_rules! probes {
    ($batch:ident $check:ident
     $($(#[$about:meta])* $name:ident: [$($probe:expr),+], $control:expr;)+) => {
        static $batch: $crate::batch::Batch<$crate::common::Run> =
            $crate::batch::Batch::new(&[$(&[$($probe),+]),+]);
        $(
            $(#[$about])*
            #[test]
            fn $name() {
                $batch.$check(&[$($probe),+], $control);
            }
        )+
    };
}

/// For attacks that are denied.
macro_rules! blocked {
    ($($cases:tt)+) => { $crate::case::probes! { BLOCKED assert_blocked $($cases)+ } };
}

/// For attacks that the sandbox itself has to refuse.
macro_rules! refused {
    ($($cases:tt)+) => { $crate::case::probes! { REFUSED assert_refused $($cases)+ } };
}
pub(crate) use {blocked, probes, refused};
