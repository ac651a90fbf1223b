//! Processes, what only they hold, and what they are born with.

use super::{Shows, leaves_nothing};
use crate::common::Way;
use crate::episodes::{python, python_with, run_in_turn, shell};

/// How many processes it sees.
const COUNT: &str = include_str!("../programs/counts_processes.py");

#[test]
fn the_pseudo_terminal_multiplexer_stays_usable() {
    leaves_nothing(
        Shows::Nowhere("the devices are read-only"),
        shell(
            "",
            "chmod 000 /dev/pts/ptmx /dev/ptmx /dev/pts 2>/dev/null; true",
        ),
        python(
            "",
            "import os,pty\ntry: pty.openpty(); print('pty')\nexcept OSError as e: print('none')",
        ),
    );
}

#[test]
fn background_processes() {
    leaves_nothing(
        Shows::Where(Way::namespaces),
        shell(
            "",
            include_str!("../programs/leaves_background_processes.sh"),
        ),
        python("", COUNT),
    );
}

#[test]
fn a_daemon_that_holds_the_output_pipe_does_not_hold_up_the_episode() {
    for way in Way::all() {
        let run = run_in_turn(
            way,
            &[
                shell("a", "(setsid sleep 60 &) ; echo out"),
                shell("b", "echo b"),
            ],
        );
        assert_eq!(run.output("a"), "out\n", "{way:?}");
        assert!(
            run.get("a")["wall_ms"].as_f64().unwrap() < 30_000.0,
            "{way:?}: {}",
            run.get("a")
        );
        assert_eq!(run.output("b"), "b\n", "{way:?}");
    }
}

#[test]
fn system_v_objects() {
    let all = "import ctypes\nl=ctypes.CDLL(None)\n";
    leaves_nothing(
        Shows::Where(Way::namespaces),
        python(
            "",
            &format!(
                "{all}print(l.shmget(77,4096,0o1666), l.semget(77,3,0o1666), l.msgget(77,0o1666))"
            ),
        ),
        python(
            "",
            &format!("{all}print(l.shmget(77,0,0), l.semget(77,0,0), l.msgget(77,0))"),
        ),
    );
}

#[test]
fn posix_shared_memory_and_semaphores() {
    leaves_nothing(
        Shows::Where(Way::namespaces),
        python(
            "",
            include_str!("../programs/leaves_posix_shared_memory.py"),
        ),
        shell(
            "",
            "ls /dev/shm/left 2>&1 | grep -c '^/dev/shm/left$'; true",
        ),
    );
}

#[test]
fn scheduling_of_the_slot() {
    leaves_nothing(
        Shows::Nowhere("it ends with the process"),
        python(
            "",
            include_str!("../programs/lowers_the_priority_of_init.py"),
        ),
        python(
            "",
            // Less the mark on programs that root's slots exec (SCHED_RESET_ON_FORK): whether the parent of warm Pythons
            // is up in time is chance.
            "import os\nprint(os.nice(0), os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK, os.sched_getaffinity(0))",
        ),
    );
}

#[test]
fn limits_that_a_program_sets_for_itself() {
    leaves_nothing(
        Shows::Nowhere("they end with the process"),
        shell(
            "",
            "ulimit -n 10 -u 5 -f 1 -t 1 -c 0; umask 077; echo x > f",
        ),
        shell(
            "",
            "ulimit -n; ulimit -f; ulimit -t; umask; ulimit -c; ulimit -s",
        ),
    );
}

/// Starts a process that stays behind, after these lines of its own.
fn daemon(lines: &str) -> serde_json::Value {
    python_with("", include_str!("../programs/daemon.py"), &[lines])
}

#[test]
fn orphans_that_another_orphan_adopts() {
    leaves_nothing(
        Shows::Where(Way::namespaces),
        daemon(include_str!("../programs/adopts_orphans.py")),
        python("", COUNT),
    );
}

#[test]
fn a_stopped_process() {
    leaves_nothing(
        Shows::Where(Way::namespaces),
        shell(
            "",
            "setsid sh -c 'kill -STOP $$; sleep 60' >/dev/null 2>&1 & sleep 0.1",
        ),
        python("", COUNT),
    );
}

#[test]
fn abstract_sockets() {
    leaves_nothing(
        Shows::Where(Way::namespaces),
        daemon(include_str!("../programs/binds_an_abstract_socket.py")),
        python(
            "",
            include_str!("../programs/looks_for_an_abstract_socket.py"),
        ),
    );
}

/// On a file of the host that everybody sees. On a busy machine, who was killed holds it until it gets a core to end on, in a
/// slot that is no longer used.
#[test]
fn file_locks() {
    leaves_nothing(
        Shows::Everywhere,
        daemon("import fcntl; f=open('/usr/bin/env'); fcntl.flock(f,fcntl.LOCK_EX)"),
        python("", include_str!("../programs/takes_a_lock.py")),
    );
}

#[test]
fn pseudo_terminals() {
    leaves_nothing(
        Shows::Where(Way::namespaces),
        daemon("import pty\ntry: held=[pty.openpty() for _ in range(5)]\nexcept OSError: pass"),
        python(
            "",
            "import os,pty\ntry: print(os.ttyname(pty.openpty()[1]))\nexcept OSError: print('none')",
        ),
    );
}

#[test]
fn watches_and_event_descriptors() {
    leaves_nothing(
        Shows::Where(Way::namespaces),
        daemon(include_str!("../programs/watches_and_event_descriptors.py")),
        python("", COUNT),
    );
}

/// Everything that exec keeps: signals, mask, umask, directory, priority, slack, timers, limits, name of the host.
#[test]
fn what_a_process_hands_down() {
    let change = include_str!("../programs/changes_what_exec_keeps.py");
    let show = include_str!("../programs/shows_what_exec_keeps.py");
    leaves_nothing(
        Shows::Nowhere("every step is born of the zygote, and none of its process's own"),
        python("", change),
        python("", show),
    );
}

/// Rules are memory of the kernel's that no limit sees, so a program can make none: there is none to be left either.
#[test]
fn layers_of_landlock_can_not_be_made() {
    let nest = include_str!("../programs/makes_landlock_rules.py");
    for way in Way::all() {
        let run = run_in_turn(way, &[python("a", nest), python("b", nest)]);
        // ENOSYS, as on a kernel without it.
        assert_eq!(run.output("a"), "-1 38 -1 38\n", "{way:?}");
        assert_eq!(run.output("b"), run.output("a"), "{way:?}");
    }
}

/// Sockets that were sent through each other outlive their processes, with all that was sent with them, until the kernel gets
/// round to them.
#[test]
fn sockets_in_flight() {
    let leave = include_str!("../programs/leaves_sockets_in_flight.py");
    let look = include_str!("../programs/looks_for_sockets_in_flight.py");
    for way in Way::of_tier("namespaces") {
        let pairs = (0..5).flat_map(|n| {
            let id = |what: &str| format!("{what}-{n}");
            [python(&id("leave"), leave), python(&id("look"), look)]
        });
        let run = run_in_turn(way, &pairs.collect::<Vec<_>>());
        for n in 0..5 {
            let look = run.output(&format!("look-{n}"));
            assert_eq!(look, "free\n['ptmx']\n", "{way:?}: {}", run.stderr);
            assert_eq!(run.output(&format!("leave-{n}")), "left\n", "{way:?}");
        }
    }
}

/// Flags and signals belong to an open file, and are seen by all who share it.
#[test]
fn flags_of_standard_input() {
    leaves_nothing(
        Shows::Nowhere("each program has an open file of its own"),
        python("", include_str!("../programs/changes_flags_of_stdin.py")),
        python("", include_str!("../programs/shows_flags_of_stdin.py")),
    );
}
