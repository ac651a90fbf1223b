//! Processes, what only they hold, and what they are born with.

use super::{Shows, leaves_nothing};
use crate::common::Way;
use crate::episodes::{python, run_in_turn, shell};

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
        Shows::Nowhere("it ends with the process"),
        python(
            "",
            "import os\nfor do in (lambda: os.sched_setscheduler(1,os.SCHED_IDLE,os.sched_param(0)), lambda: os.sched_setaffinity(1,[0]), lambda: os.setpriority(os.PRIO_PROCESS,1,19), lambda: os.setpriority(os.PRIO_USER,0,19), lambda: os.setpriority(os.PRIO_PGRP,0,19), lambda: os.nice(19)):\n try: do()\n except OSError: pass",
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

const COUNT: &str = "import os\ntry: print(len([p for p in os.listdir('/proc') if p.isdigit()]))\nexcept OSError: print('unseen')";

/// Starts a process that stays behind, after these lines of its own.
fn daemon(lines: &str) -> serde_json::Value {
    let lines = lines.replace('\n', "\n ");
    python(
        "",
        &format!(
            "import os,time\nr,w=os.pipe()\nif os.fork()==0:\n os.setsid(); os.close(1); os.close(2)\n {lines}\n os.write(w,b'x'); time.sleep(60)\nos.read(r,1)"
        ),
    )
}

#[test]
fn orphans_that_another_orphan_adopts() {
    leaves_nothing(
        Shows::Where(Way::namespaces),
        daemon(
            "import ctypes; ctypes.CDLL(None).prctl(36,1)\nif os.fork()==0:\n if os.fork()==0: time.sleep(60)\n os._exit(0)",
        ),
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
        daemon(
            "import socket\ntry: s=socket.socket(socket.AF_UNIX); s.bind('\\0left'); s.listen()\nexcept OSError: pass",
        ),
        python(
            "",
            "import socket\ntry: socket.socket(socket.AF_UNIX).connect('\\0left'); print('there')\nexcept OSError: print('none')",
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
        python(
            "",
            "import fcntl,time\nf=open('/usr/bin/env'); free=False\nfor _ in range(20):\n  try: fcntl.flock(f,fcntl.LOCK_EX|fcntl.LOCK_NB); free=True; break\n  except OSError: time.sleep(.1)\nprint('free' if free else 'taken')",
        ),
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
        daemon(
            "import ctypes,select\nl=ctypes.CDLL(None); fds=[l.inotify_init1(0) for _ in range(100)]\nfor f in fds: l.inotify_add_watch(f,b'/usr',0xfff)\ne=[select.epoll() for _ in range(20)]; t=[l.timerfd_create(1,0) for _ in range(20)]",
        ),
        python("", COUNT),
    );
}

/// Everything that exec keeps: signals, mask, umask, directory, priority, slack, timers, limits, name of the host.
#[test]
fn what_a_process_hands_down() {
    let change = "import ctypes,os,resource,signal
for s in range(1,65):
 try: signal.signal(s,signal.SIG_IGN)
 except (OSError,ValueError): pass
signal.pthread_sigmask(signal.SIG_BLOCK, range(1,65))
os.umask(0o777); os.chdir('/usr'); os.environ['LEFT']='x'
l=ctypes.CDLL(None); l.prctl(29,999999); l.prctl(41,1,0,0,0); l.personality(0x40000)
for do in (lambda: signal.setitimer(signal.ITIMER_REAL,2), lambda: os.nice(5), lambda: os.sched_setaffinity(0,[0]), lambda: resource.setrlimit(resource.RLIMIT_NPROC,(1,1)), lambda: open('/proc/self/oom_score_adj','w').write('1000'), lambda: open('/proc/sys/kernel/hostname','w').write('left'), lambda: l.sethostname(b'left',4)):
 try: do()
 except (OSError,ValueError): pass";
    let show = "import ctypes,os,resource,signal,socket
l=ctypes.CDLL(None)
print([s for s in range(1,65) if s not in (2,13,25,32,33) and signal.getsignal(s)!=signal.SIG_DFL], signal.pthread_sigmask(signal.SIG_BLOCK,[]))
m=os.umask(0); print(m, os.path.basename(os.getcwd()), sorted(os.environ), l.prctl(30,0), l.prctl(42,0,0,0,0), l.personality(0xffffffff))
print(signal.getitimer(signal.ITIMER_REAL), os.nice(0), os.sched_getaffinity(0), resource.getrlimit(resource.RLIMIT_NOFILE), socket.gethostname())
try: print(open('/proc/self/oom_score_adj').read())
except OSError: pass";
    leaves_nothing(
        Shows::Nowhere("every step is born of the zygote, and none of its process's own"),
        python("", change),
        python("", show),
    );
}

/// Rules are memory of the kernel's that no limit sees, so a program can make none: there is none to be left either.
#[test]
fn layers_of_landlock_can_not_be_made() {
    let nest = "import ctypes
l=ctypes.CDLL(None, use_errno=True)
a=(ctypes.c_uint64*1)(1<<13)
print(l.syscall(444,a,8,0), ctypes.get_errno(), l.syscall(445,3,1,a,0), ctypes.get_errno())";
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
    let leave = "import array, os, socket\nl = socket.socket(socket.AF_UNIX); l.bind('\\0taken'); l.listen(1)\n\
        kept = [l.fileno(), *os.openpty()]\nos.write(kept[1], b'a message\\n')\n\
        for _ in range(100):\n    a, b = socket.socketpair()\n    \
        a.sendmsg([b'x'], [(1, 1, array.array('i', [a.fileno(), b.fileno()] + kept))])\n\
        print('left', flush=True)\nos._exit(0)";
    let look = "import os, socket\nl = socket.socket(socket.AF_UNIX)\n\
        try: l.bind('\\0taken'); print('free')\n\
        except OSError as e: print(e)\n\
        print(sorted(os.listdir('/dev/pts')))";
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
        python(
            "",
            "import fcntl,os\nfcntl.fcntl(0,fcntl.F_SETFL,os.O_NONBLOCK|os.O_APPEND)\nfcntl.fcntl(0,10,12)\nfcntl.flock(0,fcntl.LOCK_SH)",
        ),
        python(
            "",
            // Anybody on the machine may hold a lock on this file for a moment; what is left over is held for good.
            "import fcntl,os,time\nprint(fcntl.fcntl(0,fcntl.F_GETFL)&(os.O_NONBLOCK|os.O_APPEND),fcntl.fcntl(0,11))\nfree=False\nfor _ in range(100):\n  try: fcntl.flock(0,fcntl.LOCK_EX|fcntl.LOCK_NB); free=True; break\n  except OSError: time.sleep(.1)\nprint('free' if free else 'held')",
        ),
    );
}
