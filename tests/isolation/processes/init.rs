//! The slot's own processes: an episode can't harm them, starve them or talk to them.

use crate::batch::Batch;
use crate::case::inside;
use crate::common::{Run, Way};
use crate::episodes::{output_of, python, run_in_turn, shell, with};
use serde_json::json;

#[test]
fn signals_to_its_own_group_and_to_everybody_leave_the_slot_alive() {
    for way in Way::all() {
        let episodes = [
            shell("group", "kill -9 0"),
            shell("after-group", "echo fine"),
            python("all", "import os; os.kill(-1, 9)"),
            shell("after-all", "echo fine"),
            shell(
                "parent",
                "kill -9 $PPID 1; kill -STOP $PPID 1; kill -TERM 1; true",
            ),
            shell("after-parent", "echo fine"),
            shell(
                "stopped",
                "(sleep 0.2; kill -CONT $$) & kill -STOP $$; wait",
            ),
            shell("after-stopped", "echo fine"),
        ];
        let run = run_in_turn(way, &episodes);
        assert_eq!(
            run.status("group"),
            "signaled",
            "{way:?}: {}",
            run.get("group")
        );
        for id in [
            "group",
            "after-group",
            "all",
            "after-all",
            "parent",
            "after-parent",
            "stopped",
            "after-stopped",
        ] {
            assert_eq!(run.get(id)["attempts"], 1, "{way:?}: {}", run.get(id));
        }
        for id in ["after-group", "after-all", "after-parent", "after-stopped"] {
            assert_eq!(run.output(id), "fine\n", "{way:?}: {id}");
        }
    }
}

/// In the namespaces tier init is process 1, and has the uid of the episode; in the landlock tier process 1 is the
/// host's, and the zygote is the parent. The control of each is in the module of the victim.
macro_rules! spared {
    ($($name:ident: [$attack:expr $(, $more:expr)*];)+) => {
        static SPARED: Batch<Run> = Batch::new(&[
            $(&[$attack, "1" $(, $more)*], &[$attack, "parent" $(, $more)*]),+
        ]);
        $(
            #[test]
            fn $name() {
                assert_spared(&[$attack, "1" $(, $more)*], Way::all());
                // A parent outside of the namespace is 0, which means oneself.
                assert_spared(&[$attack, "parent" $(, $more)*], Way::of_tier("landlock"));
            }
        )+
    };
}

#[track_caller]
fn assert_spared(probe: &[&str], ways: Vec<Way>) {
    for way in ways {
        let answer = SPARED.answer(way, probe);
        // Any other error would come from a kernel that was about to do it.
        let refusals = ["EPERM", "EACCES", "ENOSYS", "ESRCH"];
        assert!(
            refusals
                .iter()
                .any(|errno| answer == format!("denied {errno}")),
            "{way:?} {probe:?}: {answer}"
        );
    }
}

spared! {
    its_time_slices_are_not_shortened_by_nice: ["priority"];
    it_is_not_bound_to_one_core: ["affinity"];
    it_is_not_made_idle: ["scheduler"];
    its_scheduling_parameters_are_not_changed: ["scheduler-parameters"];
    its_scheduling_attributes_are_not_changed: ["scheduler-attributes"];
    its_disk_priority_is_not_changed: ["io-priority"];
    its_limits_are_not_changed: ["limits"];
    it_is_not_traced: ["trace-attach"];
    it_is_not_seized: ["trace-seize"];
    its_memory_is_not_read_by_call: ["vm-read", "0x400000"];
    its_memory_is_not_written_by_call: ["vm-write", "0x400000"];
    its_memory_is_not_opened: ["proc-memory", "0x400000"];
    its_descriptors_are_not_taken: ["take-descriptor"];
    it_is_not_compared_with: ["compare"];
    its_process_group_is_not_joined: ["join-group"];
}

/// A signal to process 1 of one's own namespace is sent and has no effect: who is inside can't tell. In the landlock tier
/// the host's process 1 and the zygote are meant, and both are beyond the domain.
#[test]
fn signals_in_every_form_leave_it_alive() {
    const FORMS: [&str; 6] = [
        "kill",
        "tkill",
        "tgkill",
        "queue-signal",
        "queue-signal-thread",
        "signal-descriptor",
    ];
    let program = crate::common::probe_program();
    let files = json!({"probe": {"host_path": program, "mode": "0755"}});
    let directory = program.parent().expect("a directory").display().to_string();
    for way in Way::all() {
        let targets = if way.namespaces() { "1" } else { "1 $PPID" };
        let attack = |form| {
            let line = format!(
                "for to in {targets}; do for n in 9 19 15 11; do ./probe {form} $to $n; done; done; true"
            );
            with(shell(form, &line), json!({"files": files}))
        };
        let mut episodes: Vec<_> = FORMS.into_iter().map(attack).collect();
        episodes.push(shell("after", "echo fine"));
        let arguments = [
            "--concurrency",
            "1",
            "--ordered",
            "--allow-path",
            &directory,
        ];
        let run = crate::episodes::run_all(way, &episodes, &arguments);
        for form in FORMS {
            let result = run.get(form);
            assert_eq!(
                (&result["status"], &result["attempts"]),
                (&json!("ok"), &json!(1)),
                "{way:?}: {result}"
            );
            let denied = run
                .output(form)
                .lines()
                .all(|line| line.starts_with("denied "));
            assert!(way.namespaces() || denied, "{way:?}: {result}");
        }
        assert_eq!(run.output("after"), "fine\n", "{way:?}");
        assert_eq!(run.get("after")["attempts"], 1, "{way:?}");
    }
}

#[test]
fn everything_of_the_user_at_once_leaves_init_alone() {
    for way in Way::all() {
        for attack in ["priority-of-user", "io-priority-of-user"] {
            let answer = inside(way, &[attack]);
            assert!(answer.starts_with("denied "), "{way:?} {attack}: {answer}");
        }
    }
}

#[test]
fn its_secrets_in_proc_are_closed() {
    for way in Way::all() {
        for file in [
            "environ", "maps", "mem", "auxv", "syscall", "stack", "io", "exe",
        ] {
            let answer = inside(way, &["read", &format!("/proc/1/{file}")]);
            assert!(answer.starts_with("denied "), "{way:?} {file}: {answer}");
        }
        for directory in ["fd", "fdinfo", "cwd", "root", "map_files"] {
            let answer = inside(way, &["list", &format!("/proc/1/{directory}")]);
            assert!(
                answer.starts_with("denied "),
                "{way:?} {directory}: {answer}"
            );
        }
        // The zygote; in the namespaces tier there is no such process to be seen.
        let parent = include_str!("../programs/reads_its_parents_secrets.sh");
        assert_eq!(output_of(way, &shell("e", parent)), "", "{way:?}");
    }
    // The same names of a process of one's own are open.
    let own = inside(Way::of_tier("namespaces")[0], &["list", "/proc/self/fd"]);
    assert!(own.starts_with("reached "), "{own}");
}

/// A socket without a name can only be had as a descriptor; the only other way in would be a name.
#[test]
fn there_is_no_socket_of_the_slot_to_talk_to() {
    let code = include_str!("../programs/looks_for_a_socket_of_the_slot.py");
    for way in Way::all() {
        assert_eq!(output_of(way, &python("e", code)), "[]\n", "{way:?}");
    }
}

/// Busy processes on every core, each with init pushed down as far as it goes: the deadline is init's to keep.
#[test]
fn a_program_that_starves_its_supervisor_still_ends_at_its_timeout() {
    let code = include_str!("../programs/starves_its_supervisor.py");
    for way in Way::all() {
        let busy = with(python("busy", code), json!({"timeout_s": 0.5}));
        let run = run_in_turn(way, &[busy, shell("after", "echo fine")]);
        assert_eq!(
            run.status("busy"),
            "timeout",
            "{way:?}: {}",
            run.get("busy")
        );
        let wall = run.get("busy")["wall_ms"].as_f64().unwrap();
        assert!(wall < 30_000.0, "{way:?}: {wall} ms");
        assert_eq!(run.output("after"), "fine\n", "{way:?}");
    }
}
