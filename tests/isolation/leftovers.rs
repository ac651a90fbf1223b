//! What one episode does, the next in the same slot does not see; and an untidy episode keeps its own verdict.

use crate::common::Way;
use crate::probe::{python, run_all, run_in_turn, shell, with};
use serde_json::{Value, json};

/// Runs an untidy episode and one that looks for leftovers, which prints the same as in a fresh slot.
#[track_caller]
fn leaves_nothing(untidy: Value, look: Value) {
    let untidy = with(untidy, json!({"id": "untidy"}));
    for way in Way::all() {
        let fresh = run_in_turn(way, &[with(look.clone(), json!({"id": "look"}))]);
        let run = run_in_turn(
            way,
            &[untidy.clone(), with(look.clone(), json!({"id": "look"}))],
        );
        assert_eq!(
            run.output("look"),
            fresh.output("look"),
            "{way:?} after {}",
            run.get("untidy")
        );
        for id in ["untidy", "look"] {
            assert_ne!(run.status(id), "infra_error", "{way:?}: {}", run.get(id));
            assert_eq!(run.get(id)["attempts"], 1, "{way:?}: {}", run.get(id));
        }
    }
}

const LIST: &str = "find . $TMPDIR $HOME /dev/shm /var/tmp /run -xdev -user $(id -u) ! -path . -printf '%f %m\\n' 2>/dev/null | sort; true";

#[test]
fn files() {
    leaves_nothing(
        shell(
            "",
            "for d in . $TMPDIR $HOME /dev/shm /var/tmp /run; do echo x > $d/left; mkdir -p $d/a/b/c; echo x > $d/a/b/c/.hidden; done; true",
        ),
        shell("", LIST),
    );
}

#[test]
fn directories_that_nobody_may_enter() {
    leaves_nothing(
        shell(
            "",
            "mkdir -p a/b/c; touch a/b/c/f; chmod 000 a/b/c a/b a; mkdir $HOME/d; chmod 000 $HOME/d; true",
        ),
        shell("", LIST),
    );
}

#[test]
fn odd_names() {
    leaves_nothing(
        python(
            "",
            "import os\nfor n in (b'a\\nb', b'\\xff\\xfe', b'-rf', b' ', b'n'*255, b'*', b'$HOME', b'\\x01'):\n open(n,'w').close()\n os.mkdir(b'd'+n[:200])",
        ),
        shell("", LIST),
    );
}

#[test]
fn a_tree_deeper_than_a_path_is_long() {
    leaves_nothing(
        python(
            "",
            "import os\nfor i in range(600):\n os.mkdir('d'*20); os.chdir('d'*20)\nopen('f','w').write('x')",
        ),
        shell("", LIST),
    );
}

#[test]
fn fifos_sockets_and_links() {
    leaves_nothing(
        python(
            "",
            "import os,socket\nos.mkfifo('fifo')\nos.symlink('/etc/passwd','link')\nos.symlink('/','root')\nopen('f','w').close()\nos.link('f','hard')\ntry: socket.socket(socket.AF_UNIX).bind('s')\nexcept OSError: pass",
        ),
        shell("", LIST),
    );
}

#[test]
fn modes_of_our_own_directories() {
    leaves_nothing(
        shell(
            "",
            "chmod 000 $HOME $TMPDIR . / /var /home /run /var/tmp /dev/shm 2>/dev/null; true",
        ),
        shell(
            "",
            "stat -c '%a' . $TMPDIR $HOME; echo x > f && echo x > $TMPDIR/f && echo x > $HOME/f && echo writable",
        ),
    );
}

#[test]
fn attributes_of_our_own_directories() {
    leaves_nothing(
        python(
            "",
            "import os\nfor d in ('.', os.environ['TMPDIR'], os.environ['HOME'], '/', '/var', '/dev/shm'):\n try: os.setxattr(d,'user.left',b'x')\n except OSError: pass",
        ),
        python(
            "",
            "import os\nfor d in ('.', os.environ['TMPDIR'], os.environ['HOME'], '/', '/var', '/dev/shm'):\n try: print(d in '.', os.listxattr(d))\n except OSError as e: print(e.errno)",
        ),
    );
}

#[test]
fn modes_times_and_attributes_of_the_sandboxes_own_files() {
    leaves_nothing(
        python(
            "",
            "import os\nfor d,_,fs in os.walk('/.etc'):\n for f in fs:\n  p=os.path.join(d,f)\n  for do in (lambda: os.setxattr(p,'user.left',b'x'), lambda: os.utime(p,(1,1)), lambda: os.chmod(p,0)):\n   try: do()\n   except OSError: pass",
        ),
        python(
            "",
            "import os\nfor d,_,fs in sorted(os.walk('/.etc')):\n for f in sorted(fs):\n  p=os.path.join(d,f)\n  s=os.stat(p); print(f,oct(s.st_mode),s.st_mtime==1)\n  try: print(os.listxattr(p))\n  except OSError as e: print(e.errno)\nprint(open('/etc/hosts').read())",
        ),
    );
}

#[test]
fn the_pseudo_terminal_multiplexer_stays_usable() {
    leaves_nothing(
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
fn files_of_the_spec_do_not_reach_the_sandboxes_own_files() {
    for way in Way::of_tier("namespaces") {
        let look = shell("look", "cat /etc/passwd /etc/hosts");
        let fresh = run_in_turn(way, std::slice::from_ref(&look));
        for path in ["/.etc/passwd", "/.etc/hosts", "/workspace/../.etc/hosts"] {
            let run = run_in_turn(
                way,
                &[
                    with(
                        shell("untidy", "true"),
                        json!({"files": {path: "planted\n"}}),
                    ),
                    look.clone(),
                ],
            );
            assert_eq!(run.output("look"), fresh.output("look"), "{way:?}: {path}");
        }
        let linked = json!({"id": "untidy", "steps": [{"command": "ln -s /.etc own"}, {"command": "true", "files": {"own/hosts": "planted"}}]});
        assert_eq!(
            run_in_turn(way, &[linked, look.clone()]).output("look"),
            fresh.output("look"),
            "{way:?}"
        );
    }
}

#[test]
fn background_processes() {
    leaves_nothing(
        shell(
            "",
            "for i in 1 2 3; do (setsid bash -c 'trap \"\" TERM HUP; sleep 60 & exec sleep 60' >/dev/null 2>&1 &); done; nohup sleep 60 & true",
        ),
        python(
            "",
            "import os\ntry: print(len([p for p in os.listdir('/proc') if p.isdigit()]))\nexcept OSError: print('unseen')",
        ),
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
            run.get("a")["wall_ms"].as_f64().unwrap() < 5000.0,
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
        python(
            "",
            "try:\n from multiprocessing import shared_memory, resource_tracker\n s=shared_memory.SharedMemory('left',True,4096)\n resource_tracker.unregister(s._name,'shared_memory')\nexcept OSError: pass",
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
        python(
            "",
            "import os\nfor do in (lambda: os.sched_setscheduler(1,os.SCHED_IDLE,os.sched_param(0)), lambda: os.sched_setaffinity(1,[0]), lambda: os.setpriority(os.PRIO_PROCESS,1,19), lambda: os.setpriority(os.PRIO_USER,0,19), lambda: os.setpriority(os.PRIO_PGRP,0,19), lambda: os.nice(19)):\n try: do()\n except OSError: pass",
        ),
        python(
            "",
            "import os\nprint(os.nice(0), os.sched_getscheduler(0), os.sched_getaffinity(0))",
        ),
    );
}

#[test]
fn limits_that_a_program_sets_for_itself() {
    leaves_nothing(
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

#[test]
fn files_of_one_running_slot_are_invisible_in_another() {
    for way in Way::all() {
        let write =
            "echo private > $TMPDIR/mark; echo private > mark; echo private > $HOME/mark; sleep 1";
        let look = "sleep 0.4; cat $TMPDIR/mark mark $HOME/mark /tmp/mark 2>/dev/null; ls -d /tmp/runner-*/ /tmp/runner-*/*/mark 2>/dev/null; true";
        let run = run_all(
            way,
            &[shell("a", write), shell("b", look)],
            &["--concurrency", "2"],
        );
        assert_eq!(run.output("b"), "", "{way:?}");
        let same = run_all(way, &[shell("c", &format!("{write}; cat mark"))], &[]);
        assert_eq!(same.output("c"), "private\n", "the control sees its own");
    }
}
